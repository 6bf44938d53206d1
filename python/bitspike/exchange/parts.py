"""The layers of a network file, made anew."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import GraphError
from bitspike.layers import SynapticDelay
from bitspike.neurons import ALL, IF, LI, RALIF, RLeaky, RSynaptic
from bitspike.neurons.base.neuron import SpikingNeuron

Op = Mapping[str, Any]
_NEURONS: dict[str, type[SpikingNeuron]] = {kind.NAME: kind for kind in ALL} | {"if": IF, "li": LI}
_RECURRENT: dict[str, type[SpikingNeuron]] = {
    "leaky": RLeaky,
    "synaptic": RSynaptic,
    "alif": RALIF,
}
_DERIVED = ("tau", "gain")
"""Coefficients that follow from other arguments of a class."""


def path_of(op: Op) -> str:
    """Where the module of an op has its place."""
    if "weight" in op:
        path: str = op["weight"].removesuffix(".weight")
    else:
        path = op["state"][-1].rpartition(".")[0] if "state" in op else ""
    return path or op["out"]


class Parts:
    """The modules and buffers of the ops of a file."""

    def __init__(
        self, tensors: Mapping[str, Tensor], spike_grad: Callable[[Tensor], Tensor] | None
    ) -> None:
        self._tensors = tensors
        self._options = {} if spike_grad is None else {"spike_grad": spike_grad}

    def of(self, op: Op, feedback: Mapping[str, Op]) -> Iterator[tuple[str, nn.Module | Tensor]]:
        """What an op needs, each with its path.

        Args:
            op: The op.
            feedback: Those that make what layers send to themselves, by name.

        Raises:
            GraphError: for a neuron whose class cannot be made of the numbers in the file.
        """
        kind, path = op["op"], path_of(op)
        if kind in _NEURONS:
            back = feedback.get(op.get("recurrent") or "")
            yield path, self._neuron(op, path, back)
        elif kind == "delay":
            yield path, SynapticDelay(max_delay=op["steps"], delay=float(op["steps"]))
        elif "weight" in op:
            yield path, self._product(op)
        for key in ("factor", "threshold"):
            if kind not in _NEURONS and isinstance(op.get(key), str):
                yield op[key], self._tensors[op[key]]

    def with_numbers(self, op: Op) -> Op:
        """An op with numbers in the place of tensors that cannot be anything else."""
        return {**op, "value": float(self._number(op["value"]))} if op["op"] == "pad" else op

    def _product(self, op: Op) -> nn.Module:
        weight = self._tensors[op["weight"]]
        outputs, inputs, *kernel = weight.shape
        bias = op["bias"] is not None
        layer: nn.Module
        if not kernel:
            layer = nn.Linear(inputs, outputs, bias)
        else:
            sizes = {key: tuple(op[key]) for key in ("stride", "padding", "dilation")}
            groups = op["groups"]
            make: Any = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
            layer = make(inputs * groups, outputs, tuple(kernel), groups=groups, bias=bias, **sizes)
        self._load(layer, op)
        return layer

    def _load(self, layer: Any, op: Op) -> None:
        """Gives a layer the weights of an op."""
        with torch.no_grad():
            layer.weight.copy_(self._tensors[op["weight"]])
            if op["bias"] is not None:
                layer.bias.copy_(self._tensors[op["bias"]])

    def _number(self, number: float | str) -> Any:
        return self._tensors[number].clone() if isinstance(number, str) else float(number)

    def _neuron(self, op: Op, path: str, back: Op | None) -> SpikingNeuron:
        kind = _NEURONS[op["op"]]
        taken = inspect.signature(kind).parameters
        if any(
            name not in taken and name in op and name not in _DERIVED for name in kind.PARAMETERS
        ):
            raise GraphError(
                f"{path} cannot be made anew: a file holds the coefficients of the equation, and "
                f"not the arguments of {kind.__name__}"
            )
        options = {name: self._number(op[name]) for name in kind.PARAMETERS if name in taken}
        options |= self._connection(op, back)
        if "gain" in op:
            options["decay_input"] = bool((torch.as_tensor(self._number(op["gain"])) != 1).any())
        if kind is not LI:
            options |= self._options
            options["delta_threshold" if "delta_threshold" in taken else "threshold"] = (
                self._number(op["threshold"])
            )
            if len(kind.RESETS) > 1:
                options["reset_mechanism"] = op["reset"]
            if not op["reset_delay"]:
                options["reset_delay"] = False
        if back is not None:
            kind = _RECURRENT[op["op"]]
        neuron: SpikingNeuron = kind(init_hidden=True, **options)
        if back is not None and back["op"] == "linear":
            self._load(neuron.recurrent, back)
        self._expect_the_same(op, path, neuron)
        return neuron

    def _connection(self, op: Op, back: Op | None) -> dict[str, Any]:
        """The arguments of a layer that sends spikes to itself."""
        if back is None:
            return {}
        if back["in"] != f"prev:{op['out']}" or back["op"] not in ("linear", "scale"):
            raise GraphError(f"{op['out']} gets {op['recurrent']} from elsewhere than itself")
        if back["op"] == "linear":
            return {"linear_features": len(self._tensors[back["weight"]])}
        return {"all_to_all": False, "V": self._number(back["factor"])}

    def _expect_the_same(self, op: Op, path: str, neuron: SpikingNeuron) -> None:
        """Checks what a class has made of the numbers that it was given."""
        made = dict(zip(neuron.PARAMETERS, neuron.coefficients(), strict=True))
        made["threshold"] = neuron.firing_threshold()
        pairs: list[tuple[Any, Any]]
        pairs = [(op[name], number) for name, number in made.items() if name in op]
        rest = zip(neuron.STATES, neuron.rest(), strict=True)
        pairs += zip(op["initial"], [x for name, x in rest if name != "spk"], strict=True)
        for wanted, found in pairs:
            numbers = torch.as_tensor(self._number(wanted)), torch.as_tensor(found)
            if not torch.allclose(numbers[0].float(), numbers[1].float(), rtol=1e-6):
                raise GraphError(
                    f"{path} has other numbers than a {type(neuron).__name__} can have"
                )
