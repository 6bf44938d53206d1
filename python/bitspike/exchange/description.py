"""The step of a program as the graph of a network file: see ``rust/core/src/network/mod.rs``."""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import Attribute, Constant, GraphError, Input, Node, Output, Value
from bitspike.graph.values import leaves
from bitspike.layers import SynapticDelay
from bitspike.neurons import LI
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.recurrent import OneToOne, Recurrent

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
        self._step = step
        self._ops: list[dict[str, Any]] = []
        self._previous: list[dict[str, Any]] = []
        self._names: dict[Value, str] = {step.input: "x"}
        self._kinds = {"x": kind}
        self._neurons: set[nn.Module] = set()
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
                self._names[node.outputs[0]] = f"{node.name}.spikes"
            if isinstance(neuron, Recurrent):
                self._names[states["spk"]] = f"{node.name}.spikes"

    def _named(self, value: Any, node: Node | None = None) -> str:
        """The name of a value."""
        if isinstance(value, Previous):
            name = self._named(value.output)
            if all(x["name"] != name for x in self._previous):
                shape = list(value.output.shape[self._step.leading :])
                kind = "spikes" if name.endswith(".spikes") else "numbers"
                self._previous.append({"name": name, "shape": shape, "kind": kind})
                self._kinds[f"prev:{name}"] = kind
            return f"prev:{name}"
        if isinstance(value, Value) and value in self._names:
            return self._names[value]
        line = node.line if node is not None else ""
        raise GraphError("a tensor is neither the input nor made by a step", line)

    def _call(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Adds the ops of a call."""
        module = node.module
        if isinstance(module, SpikingNeuron):
            return self._neuron(node, module, self._named(args[0], node))
        out = node.outputs[0]
        values = [x for x in leaves((args, kwargs)) if isinstance(x, Value | Previous)]
        makes = _MODULES.get(type(module)) if module is not None else None
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
        name = self._fresh(node.name)
        kind = self._kinds[op["in"]] if op["op"] == "delay" else "numbers"
        self._add({**op, "out": name}, "spikes" if op["op"] == "orpool" else kind)
        self._names[out] = name
        return None

    def _fresh(self, name: str) -> str:
        """A name that is not taken."""
        taken, count, found = {x["out"] for x in self._ops} | {"x"}, 1, name
        while found in taken:
            count += 1
            found = f"{name}_{count}"
        return found

    def _add(self, op: dict[str, Any], kind: str) -> None:
        self._ops.append(op)
        self._kinds[op["out"]] = kind

    def _tensor(self, name: str, value: Tensor) -> str:
        self.tensors[name] = value.detach().float().cpu().contiguous()
        return name

    def _number(self, name: str, value: float | Tensor) -> float | str:
        """A number, or the name of a tensor."""
        if not isinstance(value, Tensor):
            return float(value)
        if value.numel() == 1 and math.isfinite(value.item()):
            return value.float().item()
        return self._tensor(name, value)

    def _function(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: list[Any]
    ) -> dict[str, Any] | None:
        """The op of a torch function; None for one that changes nothing."""
        name, out = node.name, node.outputs[0]
        lead = self._step.leading
        if name in PASSES or (name in DROPOUTS and not node.draws):
            return None
        if name in POOLS and len(values) == 1:
            module = POOLS[name](*args[1:], **kwargs)
            return self._pool(node, module, self._named(values[0], node))
        if name in RESHAPES and len(values) == 1 and len(out.shape) == lead + 1:
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
                number = self._number(f"{self._fresh(name)}.factor", factor)
                return {"op": "scale", "in": self._named(x, node), "factor": number}
        raise GraphError(f"a network file has no op for {name}", node.line)

    def _linear(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        return {"op": "linear", "in": x, **self._weights(node.name, module)}

    def _weights(self, path: str, module: Any) -> dict[str, Any]:
        bias = module.bias
        return {
            "weight": self._tensor(f"{path}.weight", module.weight),
            "bias": None if bias is None else self._tensor(f"{path}.bias", bias),
        }

    def _conv(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise GraphError(
                f"{node.name} has padding that a network file has no word for", node.line
            )
        return {
            "op": f"conv{len(module.kernel_size)}d",
            "in": x,
            **self._weights(node.name, module),
            "stride": list(module.stride),
            "padding": list(module.padding),
            "dilation": list(module.dilation),
            "groups": module.groups,
        }

    def _pool(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        axes = len(node.outputs[0].shape) - self._step.leading - 1
        kernel, stride, padding = (
            list(size) if isinstance(size, tuple) else [size] * axes
            for size in (module.kernel_size, module.stride, module.padding)
        )
        plain = not module.ceil_mode and getattr(module, "divisor_override", None) is None
        largest = isinstance(module, nn.MaxPool1d | nn.MaxPool2d)
        spikes = self._kinds[x] == "spikes"
        if largest:
            plain = plain and not module.return_indices and module.dilation in (1, (1,) * axes)
        if any(padding) or not plain:
            raise GraphError(f"{node.name}, {module}, has no op in a network file", node.line)
        op = ("orpool" if spikes else "maxpool") if largest else "avgpool"
        return {"op": op, "in": x, "kernel": kernel, "stride": stride}

    def _delay(self, node: Node, module: Any, x: str) -> dict[str, Any] | None:
        steps = float(module.delay.reshape(-1)[0])
        if module.kernel != "linear" or not bool((module.delay == steps).all()) or steps % 1:
            raise GraphError(f"{node.name} delays by no whole number of steps", node.line)
        return {"op": "delay", "in": x, "steps": int(steps)} if steps else None

    def _scale(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        if module.current is not None:
            raise GraphError(f"{node.name} adds a constant, which has no op", node.line)
        return {"op": "scale", "in": x, "factor": self._number(f"{node.name}.scale", module.scale)}

    def _flatten(self, node: Node, module: Any, x: str) -> dict[str, Any]:
        if len(node.outputs[0].shape) != self._step.leading + 1:
            raise GraphError(f"{node.name} does not flatten all axes of a sample", node.line)
        return {"op": "flatten", "in": x}

    def _pass(self, node: Node, module: Any, x: str) -> None:
        if isinstance(module, nn.Dropout | nn.Dropout1d | nn.Dropout2d) and module.training:
            raise GraphError(f"{node.name} drops at random; call eval() first", node.line)

    def _neuron(self, node: Node, neuron: SpikingNeuron, current: str) -> None:
        """The op of a neuron, and those of its connection to itself."""
        path = node.name
        if neuron in self._neurons:
            raise GraphError(f"{path} is called more than once in a step", node.line)
        self._neurons.add(neuron)
        shape = node.outputs[0].shape[self._step.leading :]
        reason = neuron._refusal(torch.empty(1), [])
        if reason is None and bool((neuron.graded_spikes_factor != 1).any()):
            reason = "graded_spikes_factor is not 1"
        if reason is None and neuron.order != "integrate_first":
            reason = f"order is {neuron.order!r}"
        if reason is not None:
            raise GraphError(f"{path} cannot run without torch: {reason}", node.line)
        states = [name for name in neuron.STATES if name != "spk"]
        rest = dict(zip(neuron.STATES, neuron.rest(), strict=True))
        initial = [self._number(f"{path}.{name}.initial", rest[name]) for name in states]
        numbers = neuron.coefficients()
        keys = {
            name: self._number(f"{path}.{name}", number)
            for name, number in zip(neuron.PARAMETERS, numbers, strict=True)
        }
        names = [f"{path}.{name}" for name in states]
        op: dict[str, Any]
        if isinstance(neuron, LI):
            op = {"op": "li", "in": current, "out": self._fresh(f"{path}.out"), **keys}
            return self._add({**op, "state": names, "initial": initial}, "numbers")
        recurrent = None
        if isinstance(neuron, Recurrent):
            recurrent = self._feedback(node, neuron, list(shape))
        op = {
            "op": neuron.NAME,
            "in": current,
            "out": f"{path}.spikes",
            **keys,
            "threshold": self._number(f"{path}.threshold", neuron.firing_threshold()),
            "reset": neuron.reset_mechanism,
            "reset_delay": neuron.reset_delay,
            "fire_at": "gt",
            "order": "integrate_first",
            "recurrent": recurrent,
        }
        for name in names:
            self._kinds[name] = "numbers"
        return self._add({**op, "state": names, "initial": initial}, "spikes")

    def _feedback(self, node: Node, neuron: Recurrent, shape: list[int]) -> str:
        """The current that a layer sends to itself."""
        path, connection = node.name, neuron.recurrent
        spikes = f"{path}.spikes"
        self._previous.append({"name": spikes, "shape": shape, "kind": "spikes"})
        x, out = f"prev:{spikes}", f"{path}.recurrent"
        op: dict[str, Any]
        if isinstance(connection, OneToOne):
            op = {"op": "scale", "in": x, "factor": self._number(f"{path}.V", connection.V)}
        elif type(connection) is nn.Linear and len(shape) == 1:
            op = {"op": "linear", "in": x, **self._weights(out, connection)}
        else:
            kind = type(connection).__name__
            raise GraphError(f"{out} is a {kind}, which a network file has no op for", node.line)
        self._add({**op, "out": out}, "numbers")
        return out


_MODULES: dict[type, Any] = {
    nn.Linear: Description._linear,
    nn.Conv1d: Description._conv,
    nn.Conv2d: Description._conv,
    nn.AvgPool1d: Description._pool,
    nn.AvgPool2d: Description._pool,
    nn.MaxPool1d: Description._pool,
    nn.MaxPool2d: Description._pool,
    nn.Flatten: Description._flatten,
    SynapticDelay: Description._delay,
    Scale: Description._scale,
    nn.Identity: Description._pass,
    nn.Dropout: Description._pass,
    nn.Dropout1d: Description._pass,
    nn.Dropout2d: Description._pass,
}
"""The ops of modules."""
