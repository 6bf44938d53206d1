"""The graph of a network file, in integers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.exchange.description import Description
from bitspike.graph import GraphError
from bitspike.ops.network import Network, write
from bitspike.quantize.format import Scaled

from .neurons import neuron_op
from .products import product_op
from .signals import Product, Signal

ROUNDINGS = ("nearest", "floor", "toward_zero")


@dataclass(frozen=True)
class Options:
    """How a network goes to integers."""

    weight_quant: Scaled
    decay: str
    shift_round: str
    input_scale: float | None
    input_range: tuple[int, int]


class IntegerGraph:
    """Takes the ops of a description one by one, in their order."""

    def __init__(self, described: Description, options: Options) -> None:
        """Makes ops in integers of those that have such a form.

        Raises:
            GraphError: for those that read spikes or integers and have none.
        """
        self.options = options
        self.tensors = dict(described.tensors)
        self.layers = described.layers
        self._network = Network(write(described.graph, described.tensors))
        self._graph: dict[str, Any] = json.loads(described.graph)
        self._ops: list[dict[str, Any]] = []
        self._signals: dict[str, Signal] = {}
        self._waiting: dict[str, Product] = {}
        self._renamed: dict[str, str] = {}
        for declared in [*self._graph["inputs"], *self._graph["previous"]]:
            prefix = "prev:" if declared in self._graph["previous"] else ""
            if declared["kind"] == "spikes":
                self._signals[prefix + declared["name"]] = Signal.spikes(tuple(declared["shape"]))
        self._quantise_input()
        for op in self._graph["ops"]:
            self._take(op)
        self._graph["outputs"] = [self._as_numbers(name) for name in self._graph["outputs"]]

    def file(self) -> bytes:
        """The network file.

        Raises:
            ValueError: if a sum or a state could exceed 32 bits.
        """
        named = set(_texts(self._ops))
        tensors = {name: x for name, x in self.tensors.items() if name in named}
        graph = json.dumps({**self._graph, "ops": self._ops}, separators=(",", ":"))
        return write(graph, tensors)

    def scales(self) -> dict[str, Tensor]:
        """What a unit of each value of integers is worth."""
        return {name: x.scale for name, x in self._signals.items() if not x.is_spikes}

    def add(self, op: dict[str, Any], signal: Signal) -> None:
        """Adds an op in integers, and what it makes."""
        self._ops.append(op if op["op"] in ("flatten", "delay") else {"arith": "i32", **op})
        self._signals[op["out"]] = signal

    def add_value(self, name: str, signal: Signal) -> None:
        """Notes a value that an op makes beside its output."""
        self._signals[name] = signal

    def add_later(self, name: str, product: Product) -> None:
        """Notes a value that is made for its first reader."""
        self._waiting[name] = product

    def shape(self, name: str) -> tuple[int, ...]:
        """That of a value."""
        return self._network.value(name).shape

    def number(self, number: float | str, shape: tuple[int, ...]) -> Tensor:
        """A number of an op, or its tensor, for each neuron, float64."""
        tensor = self.tensors[number] if isinstance(number, str) else torch.tensor(number)
        return tensor.double().expand(shape)

    def parameter(self, name: str, value: Tensor) -> int | str:
        """Integers of an op: one for all, or a tensor."""
        first = int(value.flatten()[0])
        if bool((value == first).all()):
            return first
        self.tensors[name] = value.to(torch.int32)
        return name

    def _quantise_input(self) -> None:
        (declared,) = self._graph["inputs"]
        scale, (low, high) = self.options.input_scale, self.options.input_range
        if scale is None or declared["kind"] == "spikes":
            return
        name, shape = declared["name"], tuple(declared["shape"])
        self._renamed[name] = f"{name}.integers"
        op = {"op": "quantise", "in": name, "out": f"{name}.integers"}
        bound = torch.full(shape, max(abs(low), abs(high)))
        self.add(
            {**op, "scale": scale, "low": low, "high": high},
            Signal(torch.full(shape, scale, dtype=torch.float64), bound),
        )

    def _take(self, op: dict[str, Any]) -> None:
        """Adds the ops that stand for one of the description."""
        op = {key: self._under_new_name(value) for key, value in op.items()}
        names = op["in"] if isinstance(op["in"], list) else [op["in"]]
        if isinstance(op.get("recurrent"), str):
            names = [*names, op["recurrent"]]
        exact = all(name in self._signals or name in self._waiting for name in names)
        if not exact or op["op"] in ("scale", "threshold"):
            self._keep(op)
            return
        if op["op"] not in _OPS:
            raise GraphError(
                f"{op['out']}: {op['op']} has no form in integers; keep the layers up to it in "
                "floats, as a network of their own"
            )
        _OPS[op["op"]](self, op)

    def _under_new_name(self, value: Any) -> Any:
        """The value of a key, with new names for values that have one."""
        if isinstance(value, list):
            return [self._under_new_name(x) for x in value]
        return self._renamed.get(value, value) if isinstance(value, str) else value

    def _keep(self, op: dict[str, Any]) -> None:
        """Adds an op in floats: of integers it gets numbers."""
        given = op["in"]
        numbers = [self._as_numbers(x) for x in (given if isinstance(given, list) else [given])]
        op = {**op, "in": numbers if isinstance(given, list) else numbers[0]}
        if isinstance(op.get("recurrent"), str):
            op["recurrent"] = self._as_numbers(op["recurrent"])
        self._ops.append(op)
        if self._network.value(op["out"]).is_spikes:
            self._signals[op["out"]] = Signal.spikes(self.shape(op["out"]))

    def read(self, name: str, *, with_scale: Tensor | None = None) -> Signal:
        """A value of spikes or integers, made now if it waits for its first reader."""
        if name in self._waiting:
            product = self._waiting.pop(name)
            scale = product.scale if with_scale is None else with_scale
            self._signals[name] = product.emit(scale)
        return self._signals[name]

    def read_alike(self, names: list[str], place: str) -> list[Signal]:
        """Values that are added to each other, with one scale for all.

        Products that nobody has read yet take the largest scale of all.

        Raises:
            GraphError: if others have scales that differ.
        """
        own = [(self._waiting.get(x) or self._signals[x]).scale for x in names]
        settled = [self._signals[x].scale for x in names if x in self._signals]
        largest = settled[0] if settled else torch.stack(own).amax(0)
        signals = [self.read(name, with_scale=largest) for name in names]
        if not all(torch.equal(x.scale, signals[0].scale) for x in signals):
            raise GraphError(
                f"{place} adds values whose units differ: put neurons or a linear layer between"
            )
        return signals

    def _as_numbers(self, name: str) -> str:
        """A value in floats: itself, or integers times their scale."""
        if name in self._waiting:
            self.read(name)
        signal = self._signals.get(name)
        if signal is None or signal.is_spikes:
            return name
        out = f"{name}.numbers"
        if all(op["out"] != out for op in self._ops):
            unit = float(signal.scale.flatten()[0])
            factor: float | str = unit
            if not bool((signal.scale == unit).all()):
                factor = f"{name}.scale"
                self.tensors[factor] = signal.scale.float().contiguous()
            self._ops.append({"op": "scale", "in": name, "out": out, "factor": factor})
        return out

    def _pool(self, op: dict[str, Any]) -> None:
        source = self.read(op["in"])
        if op["op"] == "orpool":
            self._ops.append(op)
            self._signals[op["out"]] = Signal.spikes(self.shape(op["out"]))
            return
        windows = tuple(op["kernel"]), tuple(op["stride"])
        axes = len(windows[0])
        pool: Any = getattr(F, f"max_pool{axes}d")
        scale, bound = source.scale, source.bound.double()
        scale = pool(scale, *windows)
        if op["op"] == "maxpool":
            self.add(op, Signal(scale, pool(bound, *windows).long()))
            return
        size = torch.Size(windows[0]).numel()
        means: Any = getattr(F, f"avg_pool{axes}d")
        bound = (means(bound, *windows) * size).round().long()
        self.add({**op, "op": "sumpool"}, Signal(scale / size, bound))

    def _add(self, op: dict[str, Any]) -> None:
        terms = self.read_alike(op["in"], op["out"])
        bound = torch.stack([x.bound for x in terms]).sum(0)
        self.add(op, Signal(terms[0].scale, bound))

    def _moved(self, op: dict[str, Any]) -> None:
        """Ops that change no number: they take any value."""
        source = self.read(op["in"])
        shape = self.shape(op["out"])
        if op["op"] == "pad":
            if not source.is_spikes:
                raise GraphError(
                    f"{op['out']} puts a border around integers: pad the spikes before"
                )
            self._ops.append(op)
            self._signals[op["out"]] = Signal.spikes(shape)
            return
        scale, bound = source.scale.reshape(shape), source.bound.reshape(shape)
        self.add(op, Signal(scale, bound, source.is_spikes))


_OPS: dict[str, Callable[[IntegerGraph, dict[str, Any]], None]] = {
    **dict.fromkeys(("linear", "conv1d", "conv2d"), product_op),
    **dict.fromkeys(("orpool", "avgpool", "maxpool"), IntegerGraph._pool),
    **dict.fromkeys(("flatten", "delay", "pad"), IntegerGraph._moved),
    **dict.fromkeys(("leaky", "synaptic", "li"), neuron_op),
    "add": IntegerGraph._add,
}
"""The ops that have a form in integers."""


def _texts(structure: Any) -> Any:
    """All texts in the values of a structure."""
    if isinstance(structure, str):
        yield structure
    elif isinstance(structure, list | dict):
        for value in structure.values() if isinstance(structure, dict) else structure:
            yield from _texts(value)
