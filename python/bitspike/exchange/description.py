"""The step of a program as the graph of a network file: see ``rust/core/src/network/mod.rs``."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import Attribute, Constant, GraphError, Input, Node, Output, Value
from bitspike.graph.modules import shaped_as
from bitspike.graph.values import leaves
from bitspike.layers import GradedSpikes, SynapticDelay, TimeDropout
from bitspike.layers.folding import folded
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.recurrent import Recurrent

from . import map_ops, neuron_ops
from .functions import ADDS, DROPOUTS, MULTIPLIES, PASSES, POOLS, RESHAPES
from .nir.layers import Scale
from .steps import Previous, Step


class Description:
    """The graph of a network file, and its tensors."""

    def __init__(self, step: Step, kind: str, dt: float) -> None:
        """Describes the calls of a step.

        Raises:
            GraphError: for a call that a network file has no op for.
        """
        self.tensors: dict[str, Tensor] = {}
        self.layers: dict[str, nn.Module] = {}
        """The linear layers and convolutions whose own weights are in the file, by their names."""
        self._step = step
        self.leading = step.leading
        self._ops: list[dict[str, Any]] = []
        self._previous: list[dict[str, Any]] = []
        self._names: dict[Value, str] = {step.input: "x"}
        self.kinds = {"x": kind}
        self._neurons: set[nn.Module] = set()
        self._products: dict[Value, tuple[nn.Module, dict[str, Any]]] = {}
        """What linear layers and convolutions make, each with its op."""
        read = [leaves((args, kwargs)) for _, args, kwargs in step.calls]
        self._reads = Counter(x for x in chain(*read, step.results) if isinstance(x, Value))
        self._name_outputs(step)
        with torch.no_grad():
            for node, args, kwargs in step.calls:
                self._call(node, args, kwargs)
        self.outputs = [self._named(x) for x in step.results]
        self.shape = list(step.shape)
        graph = {
            "dt": dt,
            "inputs": [{"name": "x", "shape": self.shape, "kind": kind}],
            "previous": self._previous,
            "ops": self._ops,
            "outputs": self.outputs,
        }
        self.graph = json.dumps(graph)

    def _name_outputs(self, step: Step) -> None:
        """Names what neurons make, which calls before them may read as previous values."""
        for node, _, _ in step.calls:
            neuron = node.module
            if not isinstance(neuron, SpikingNeuron):
                continue
            states = dict(zip(neuron.STATES, node.states, strict=True))
            for name, state in states.items():
                self._names[state] = f"{node.name}.{name}"
            if node.outputs and node.outputs[0] not in node.states:
                self._names[node.outputs[0]] = neuron_ops.output_of(node.name, neuron)
            if isinstance(neuron, Recurrent):
                self._names[states["spk"]] = f"{node.name}.spikes"

    def _named(self, value: Any, node: Node | None = None) -> str:
        """The name of a value."""
        if isinstance(value, Previous):
            name = self._named(value.output)
            kind = "spikes" if name.endswith(neuron_ops.SPIKES) else "numbers"
            return self.previous(name, list(value.output.shape[self.leading :]), kind)
        if isinstance(value, Value) and value in self._names:
            return self._names[value]
        line = node.line if node is not None else ""
        raise GraphError("a tensor is neither the input nor made by a step", line)

    def _call(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Adds the ops of a call."""
        module = node.module
        if isinstance(module, SpikingNeuron):
            return self._neuron(node, module, self._named(args[0], node))
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            return self._normalisation(node, module, args[0])
        out = node.outputs[0]
        values = [x for x in leaves((args, kwargs)) if isinstance(x, Value | Previous)]
        makes = _MODULES.get(shaped_as(module)) if module is not None else None
        if makes is not None and len(values) == 1:
            op = makes(self, node, module, self._named(values[0], node))
        elif module is None:
            op = self._function(node, args, kwargs, values)
        else:
            kind = type(module).__name__
            raise GraphError(f"a network file has no op for {node.name}, {kind}", node.line)
        if op is None:
            self._names[out] = self._named(values[0], node)
            return None
        name = self.fresh(node.name)
        kind = self.kinds[op["in"]] if op["op"] in ("delay", "pad") else "numbers"
        op = {**op, "out": name}
        self.add(op, "spikes" if op["op"] == "orpool" else kind)
        self._names[out] = name
        if module is not None and "weight" in op:
            self._products[out] = module, op
        return None

    def _neuron(self, node: Node, neuron: SpikingNeuron, current: str) -> None:
        """Adds the ops of a neuron."""
        if neuron in self._neurons:
            raise GraphError(f"{node.name} is called more than once in a step", node.line)
        self._neurons.add(neuron)
        shape = list(node.outputs[0].shape[self.leading :])
        try:
            neuron_ops.add(self, node.name, neuron, current, shape)
        except GraphError as error:
            raise GraphError(error.reason, node.line) from None

    def _normalisation(self, node: Node, norm: Any, x: Any) -> None:
        """Folds a batch normalisation into the weights in front of it."""
        module: Any  # whose attributes torch does not type
        module, op = self._products.pop(x, (None, {}))
        calls = sum(other.module is module for other, _, _ in self._step.calls)
        reason = ""
        if norm.training or norm.running_var is None:
            reason = "takes its statistics from the batch; call eval() first"
        elif module is None or calls > 1 or self._reads[x] > 1 or self.leading > 1:
            reason = "follows no linear layer or convolution of its own, into which it would go"
        if reason:
            raise GraphError(f"{node.name} {reason}", node.line)
        weight, bias = folded(weight_of(module), module.bias, norm)
        self.tensor(op["weight"], weight)
        self.layers.pop(op["weight"], None)
        op["bias"] = self.tensor(op["weight"].removesuffix("weight") + "bias", bias)
        self._names[node.outputs[0]] = op["out"]

    def fresh(self, name: str) -> str:
        """A name that is not taken."""
        taken, count, found = {x["out"] for x in self._ops} | {"x"}, 1, name
        while found in taken:
            count += 1
            found = f"{name}_{count}"
        return found

    def add(self, op: dict[str, Any], kind: str) -> None:
        """Adds an op, whose output is of this kind."""
        self._ops.append(op)
        self.kinds[op["out"]] = kind

    def previous(self, name: str, shape: list[int], kind: str) -> str:
        """What a value was one step before."""
        if all(x["name"] != name for x in self._previous):
            self._previous.append({"name": name, "shape": shape, "kind": kind})
            self.kinds[f"prev:{name}"] = kind
        return f"prev:{name}"

    def tensor(self, name: str, value: Tensor) -> str:
        """Adds a tensor, and returns its name."""
        self.tensors[name] = value.detach().float().cpu().contiguous()
        return name

    def number(self, name: str, value: float | Tensor) -> float | str:
        """A number, or the name of a tensor."""
        if not isinstance(value, Tensor):
            return float(value)
        if value.numel() == 1 and math.isfinite(value.item()):
            return value.float().item()
        return self.tensor(name, value)

    def _function(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: list[Any]
    ) -> dict[str, Any] | None:
        """The op of a torch function; None for one that changes nothing."""
        name, out = node.name, node.outputs[0]
        if name in PASSES or (name in DROPOUTS and not node.draws):
            return None
        if name in POOLS and len(values) == 1:
            module = POOLS[name](*args[1:], **kwargs)
            return map_ops.pool(self, node, module, self._named(values[0], node))
        if name == "pad" and len(values) == 1:
            return map_ops.border(self, node, self._named(values[0], node), *args[1:], **kwargs)
        if name in RESHAPES and len(values) == 1 and len(out.shape) == self.leading + 1:
            return {"op": "flatten", "in": self._named(values[0], node)}
        if (
            name in ADDS
            and len(args) == 2
            and all(isinstance(x, Output | Input | Previous) for x in args)
        ):
            return {"op": "add", "in": [self._named(x, node) for x in args]}
        if name in MULTIPLIES and len(args) == 2:
            x, factor = args if isinstance(args[0], Output | Input | Previous) else args[::-1]
            if isinstance(factor, Attribute):
                factor = factor.read()
            if isinstance(factor, Constant):
                factor = factor.tensor
            if isinstance(factor, int | float | Tensor):
                number = self.number(f"{self.fresh(name)}.factor", factor)
                return {"op": "scale", "in": self._named(x, node), "factor": number}
        raise GraphError(f"a network file has no op for {name}", node.line)

    def _linear(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        return {"op": "linear", "in": x, **self.weights(node.name, module)}

    def weights(self, path: str, module: Any) -> dict[str, Any]:
        """The keys of a product."""
        bias = module.bias
        self.layers[f"{path}.weight"] = module
        return {
            "weight": self.tensor(f"{path}.weight", weight_of(module)),
            "bias": None if bias is None else self.tensor(f"{path}.bias", bias),
        }

    def _delay(self, node: Node, module: Any, x: str) -> dict[str, Any] | None:
        steps = float(module.delay.reshape(-1)[0])
        if module.kernel != "linear" or not bool((module.delay == steps).all()) or steps % 1:
            raise GraphError(f"{node.name} delays by no whole number of steps", node.line)
        return {"op": "delay", "in": x, "steps": int(steps)} if steps else None

    def _scale(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        if module.current is not None:
            raise GraphError(f"{node.name} adds a constant, which has no op", node.line)
        return {"op": "scale", "in": x, "factor": self.number(f"{node.name}.scale", module.scale)}

    def _flatten(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        if len(node.outputs[0].shape) != self.leading + 1:
            raise GraphError(f"{node.name} does not flatten all axes of a sample", node.line)
        return {"op": "flatten", "in": x}

    def _graded(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        weights = module.weights
        if node.outputs[0].shape[-1] == module.size:
            weights = weights.view(-1)
        return {"op": "scale", "in": x, "factor": self.number(f"{node.name}.weights", weights)}

    def _pass(self, node: Node, module: Any, x: str) -> None:
        if not isinstance(module, nn.Identity) and module.training:
            raise GraphError(f"{node.name} drops at random; call eval() first", node.line)


def weight_of(module: Any) -> Tensor:
    """The weight that a layer computes with: that of few bits, if it keeps another to learn."""
    for name in ("quant_weight", "float_weight"):
        if hasattr(module, name):
            weight: Tensor = getattr(module, name)()
            return weight
    weight = module.weight
    return weight


_MODULES: dict[type, Any] = {
    nn.Linear: Description._linear,
    nn.Conv1d: map_ops.conv,
    nn.Conv2d: map_ops.conv,
    nn.AvgPool1d: map_ops.pool,
    nn.AvgPool2d: map_ops.pool,
    nn.MaxPool1d: map_ops.pool,
    nn.MaxPool2d: map_ops.pool,
    nn.Flatten: Description._flatten,
    SynapticDelay: Description._delay,
    GradedSpikes: Description._graded,
    TimeDropout: Description._pass,
    Scale: Description._scale,
    nn.Identity: Description._pass,
    nn.Dropout: Description._pass,
    nn.Dropout1d: Description._pass,
    nn.Dropout2d: Description._pass,
}
"""The ops of modules."""
