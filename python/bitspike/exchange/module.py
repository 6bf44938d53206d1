"""Network files as modules, which train on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.state import HiddenState

from .parts import Op, Parts, path_of


class FileNetwork(nn.Module):
    """The network of a file, with its layers under the names of the file.

    A call takes a sequence ``[T, B, *]``, starts at rest, and returns the outputs of all steps. It
    is a loop over time: `bitspike.vectorize` runs it layer by layer, `save_network` saves it again.
    """

    is_program = True
    """Its calls are those of a program, and not one of a layer."""

    def __init__(self, graph: Mapping[str, Any], parts: Parts) -> None:
        """Makes the layers.

        Raises:
            GraphError: for a neuron whose class cannot be made of the numbers in the file.
        """
        super().__init__()
        self.input: str = graph["inputs"][0]["name"]
        self.outputs: tuple[str, ...] = tuple(graph["outputs"])
        self._previous = {x["name"]: tuple(x["shape"]) for x in graph["previous"]}
        back = {op.get("recurrent") for op in graph["ops"]}
        self._ops: list[Op] = [
            parts.with_numbers(op) for op in graph["ops"] if op["out"] not in back
        ]
        feedback = {op["out"]: op for op in graph["ops"] if op["out"] in back}
        for op in self._ops:
            for path, part in parts.of(op, feedback):
                self._put(path, part)

    def _put(self, path: str, part: nn.Module | Tensor) -> None:
        """Puts a module or a buffer at its path."""
        *folders, name = path.split(".")
        owner: nn.Module = self
        for folder in folders:
            if folder not in owner._modules:
                owner.add_module(folder, nn.Module())
            owner = owner.get_submodule(folder)
        if isinstance(part, nn.Module):
            owner.add_module(name, part)
        else:
            owner.register_buffer(name, part)

    def forward(self, x: Tensor) -> Any:
        """Runs all steps of ``[T, B, *]``: a tensor, or a tuple if there are several outputs."""
        for module in self.modules():
            if isinstance(module, HiddenState):
                module.reset_mem()
        before = {name: x.new_zeros(x.shape[1], *size) for name, size in self._previous.items()}
        results = []
        for x_t in x:
            values = {self.input: x_t} | {f"prev:{name}": y for name, y in before.items()}
            for op in self._ops:
                self._run(op, values)
            before = {name: values[name] for name in before}
            results.append([values[name] for name in self.outputs])
        stacked = tuple(torch.stack(steps) for steps in zip(*results, strict=True))
        return stacked[0] if len(stacked) == 1 else stacked

    def _run(self, op: Op, values: dict[str, Tensor]) -> None:
        """Adds what an op makes to the values."""
        names = op["in"] if isinstance(op["in"], list) else [op["in"]]
        x = [values[name] for name in names]
        if op["op"] in _FUNCTIONS:
            values[op["out"]] = _FUNCTIONS[op["op"]](self, op, *x)
            return
        module = self.get_submodule(path_of(op))
        made = module(*x)
        values[op["out"]] = made[0] if isinstance(made, tuple) else made  # DeltaLeaky's states
        if isinstance(module, SpikingNeuron):
            states = [name for name in module.STATES if name != "spk"]
            for name, state in zip(op["state"], states, strict=True):
                values[name] = getattr(module, state)

    def number(self, number: float | str) -> float | Tensor:
        """A number of an op, or the buffer of this name."""
        return self.get_buffer(number) if isinstance(number, str) else number


def _pool(name: str, op: Op, x: Tensor) -> Tensor:
    pool: Callable[..., Tensor] = getattr(F, f"{name}_pool{len(op['kernel'])}d")
    return pool(x, tuple(op["kernel"]), tuple(op["stride"]))


def _sum(net: FileNetwork, op: Op, x: Tensor) -> Tensor:
    kernel, stride = ((1, *op[key])[-2:] for key in ("kernel", "stride"))
    maps = x if len(op["kernel"]) == 2 else x.unsqueeze(-2)
    sums = F.avg_pool2d(maps, kernel, stride, divisor_override=1)
    return sums if maps is x else sums.squeeze(-2)


def _pad(net: FileNetwork, op: Op, x: Tensor) -> Tensor:
    sides = [size for size in reversed(op["padding"]) for _ in range(2)]
    return F.pad(x, sides, value=op["value"])


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "flatten": lambda net, op, x: x.flatten(1),
    "add": lambda net, op, *x: sum(x[1:], x[0]),
    "scale": lambda net, op, x: x * net.number(op["factor"]),
    "threshold": lambda net, op, x: (x > net.number(op["threshold"])).to(x.dtype),
    "pad": _pad,
    "sumpool": _sum,
    "avgpool": lambda net, op, x: _pool("avg", op, x),
    "maxpool": lambda net, op, x: _pool("max", op, x),
    "orpool": lambda net, op, x: _pool("max", op, x),
}
"""The ops that are functions of torch."""
