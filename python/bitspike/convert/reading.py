"""What the calls of a captured program compute, and which of them spikes cannot stand for."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Size, Tensor, nn

from bitspike.graph import Attribute, Constant, Node, Output, Value
from bitspike.graph.values import leaves
from bitspike.layers.folding import folded

from . import parts
from .errors import ConversionError
from .parts import Affine, Concatenation, Model, Part, Rectifier, Reshape, Sum
from .qcfs import QCFS

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
_PASSES = ("contiguous", "detach", "clone", "float", "dropout", "dropout1d", "dropout2d", "to")
_RESHAPES = ("flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze", "ravel")
_POOLS: dict[str, Any] = {
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
}
_ADVICE = {
    "LeakyReLU": "it is negative at times, and a rate is not; train with nn.ReLU or convert.QCFS",
    "GELU": "it is negative at times, and a rate is not; train with nn.ReLU or convert.QCFS",
    "SiLU": "it is negative at times, and a rate is not; train with nn.ReLU or convert.QCFS",
    "Softmax": "leave it out of the model, and apply it to what the converted network returns",
    "LogSoftmax": "leave it out of the model, and apply it to what the converted network returns",
}
_ELSE = (
    "spikes can stand for ReLU, ReLU6 and convert.QCFS behind linear layers, convolutions, pools, "
    "batch normalisations, sums and concatenations alone; replace it and train again"
)


class Reader:
    """Reads the calls of a graph, in their order."""

    def __init__(self, batch: int, nodes: list[Node], output: Output) -> None:
        self.batch, self.nodes, self.output = batch, nodes, output
        self.parts: list[Part] = []
        self.known: dict[Value, Part] = {}
        read = [output, *(x for node in nodes for x in leaves((node.args, node.kwargs)))]
        self.reads = Counter(x for x in read if isinstance(x, Value))

    def read(self, given: Value) -> Model:
        """All calls, behind the input."""
        self.known[given] = self.add("input", None, [], given.shape[1:])
        for node in self.nodes:
            self.call(node)
        if self.output not in self.known:
            raise ConversionError("the result", "it does not depend on the input")
        return Model(self.parts, self.known[self.output])

    def add(self, name: str, module: nn.Module | None, sources: list[Part], shape: Size) -> Part:
        """A call, under a name of its own."""
        taken, count, own = {part.name for part in self.parts}, 0, name
        while own in taken:
            count += 1
            own = f"{name}_{count}"
        self.parts.append(Part(own, module, sources, shape))
        return self.parts[-1]

    def call(self, node: Node) -> None:
        """Reads one call, unless it does not depend on the input."""
        values = [x for x in leaves((node.args, node.kwargs)) if isinstance(x, Value)]
        sources = [self.known[x] for x in values if x in self.known]
        if not sources:
            return
        out = node.outputs[0]
        if node.stateful is not None:
            self.refuse(node, "it is a neuron already; convert what is in front of it and behind")
        if len(node.outputs) > 1:
            self.refuse(node, "it returns several tensors")
        if out.shape[:1] != (self.batch,) or out.dtype.is_complex:
            self.refuse(node, "it does not keep the batch apart, as its first axis")
        modules = self.modules_of(node, sources, values)
        for module in modules:
            if isinstance(module, _NORMS):
                sources = [self.normalise(node, module, sources[0], out)]
            else:
                last = module is modules[-1]
                shape = out.shape if last else module(torch.zeros(1, *sources[0].shape)).shape
                sources = [self.add(node.name, module, sources, shape[1:])]
        self.known[out] = sources[0]

    def modules_of(self, node: Node, sources: list[Part], values: list[Value]) -> list[nn.Module]:
        """What computes a call, one after another; nothing if it changes nothing.

        Raises:
            ConversionError: if spikes cannot stand for it.
        """
        module = node.module
        if module is None:
            return self.function(node, sources, values)
        if isinstance(module, _NOTHING):
            return []
        if isinstance(module, nn.ReLU):
            return [Rectifier()]
        if isinstance(module, nn.ReLU6):
            return [Rectifier(6.0)]
        if isinstance(module, nn.Flatten | nn.Unflatten):
            return [Reshape(node.outputs[0].shape[1:])]
        if isinstance(module, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
            return [self.adaptive(node, sources[0], node.outputs[0])]
        known = (*parts.LINEAR, *parts.MAX_POOLS, *parts.AVERAGE_POOLS, *_NORMS)
        if type(module) in known or isinstance(module, QCFS):
            return [copy.deepcopy(module).requires_grad_(False)]
        self.refuse(node, "")

    def function(self, node: Node, sources: list[Part], values: list[Value]) -> list[nn.Module]:
        """The same for a function or a method of tensors."""
        name, args, kwargs = node.name, node.args, node.kwargs
        alone = len(sources) == len(values) == 1
        if name in _RECTIFIERS and alone:
            found = _RECTIFIERS[name](*args[1:], **kwargs)
            if found is not None:
                return [found]
        if name in _PASSES and alone:
            return []
        if name in _RESHAPES and alone:
            return [Reshape(node.outputs[0].shape[1:])]
        if name in _POOLS and alone:
            return [_POOLS[name](*args[1:], **kwargs)]
        if name.startswith("adaptive_avg_pool") and alone:
            return [self.adaptive(node, sources[0], node.outputs[0])]
        if name == "mean" and alone:
            return self.mean(node, sources[0])
        if name in ("linear", "conv1d", "conv2d"):
            return [self.product(node, *args, **kwargs)]
        if name in ("add", "iadd", "radd") and len(sources) == len(args) == 2 and not kwargs:
            return [Sum()]
        if name in ("cat", "concat", "concatenate"):
            axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
            if axis % len(node.outputs[0].shape) == 1 and len(sources) == len(values):
                return [Concatenation(len(node.outputs[0].shape) - 1)]
        if name in _ARITHMETIC and len(args) == 2 and len(sources) == 1 and not kwargs:
            return [self.arithmetic(node, sources[0])]
        self.refuse(node, "")

    def arithmetic(self, node: Node, source: Part) -> nn.Module:
        """A sum, a product or the like with numbers that do not depend on the input."""
        first = isinstance(node.args[0], Value) and self.known.get(node.args[0]) is source
        other = _number(node.args[1] if first else node.args[0])
        if other is None or (other.dim() == len(source.shape) + 1 and len(other) > 1):
            self.refuse(node, "")
        other = other.reshape(other.shape[1:]) if other.dim() > len(source.shape) else other
        scale, shift = _ARITHMETIC[node.name](other, first)
        return Affine(scale, shift).requires_grad_(False)

    def product(
        self, node: Node, x: Any, weight: Any, bias: Any = None, *options: Any, **named: Any
    ) -> nn.Module:
        """``F.linear`` or a convolution of ``F``, as a layer."""
        weight, bias = _number(weight), _number(bias)
        if weight is None:
            self.refuse(node, "its weight is computed")
        if node.name == "linear":
            return _with(
                nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight, bias
            )
        keys = ("stride", "padding", "dilation", "groups")
        named |= dict(zip(keys, options, strict=False))
        make: Any = nn.Conv1d if node.name == "conv1d" else nn.Conv2d
        channels = weight.shape[1] * named.get("groups", 1), weight.shape[0]
        size = tuple(weight.shape[2:])
        return _with(make(*channels, size, bias=bias is not None, **named), weight, bias)

    def adaptive(self, node: Node, source: Part, made: Value) -> nn.Module:
        """An average to a given size, as one of windows."""
        axes = len(made.shape) - 2
        before, after = source.shape[-axes:], made.shape[-axes:]
        if any(a % b for a, b in zip(before, after, strict=True)):
            self.refuse(node, f"its windows differ in size, {list(before)} to {list(after)}; pad")
        window = tuple(a // b for a, b in zip(before, after, strict=True))
        return _average(window)

    def mean(self, node: Node, source: Part) -> list[nn.Module]:
        """The mean over all places of maps."""
        axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", ())
        axes = {axes} if isinstance(axes, int) else set(axes)
        count = len(source.shape) + 1
        if {x % count for x in axes} != set(range(2, count)) or count not in (3, 4):
            self.refuse(node, "only means over all places of maps [B, C, *] are pools")
        return [_average(source.shape[1:]), Reshape(node.outputs[0].shape[1:])]

    def normalise(self, node: Node, norm: Any, source: Part, made: Value) -> Part:
        """A batch normalisation: part of the layer in front of it, or a product by itself."""
        if norm.running_var is None:
            self.refuse(
                node, "it has no running statistics; train it with track_running_stats=True"
            )
        module: Any = source.module
        read = [self.reads[x] for x, part in self.known.items() if part is source]
        if isinstance(module, parts.LINEAR) and read == [1]:
            weight, bias = folded(module.weight, module.bias, norm)
            _with(module, weight, bias)
            return source
        scale, shift = folded(torch.ones_like(norm.running_var), None, norm)
        shape = (-1, *[1] * (len(source.shape) - 1))
        affine = Affine(scale.view(shape), shift.view(shape)).requires_grad_(False)
        return self.add(node.name, affine, [source], made.shape[1:])

    def refuse(self, node: Node, reason: str) -> NoReturn:
        """Raises with the path of a call."""
        kind = type(node.module).__name__ if node.module is not None else "a function"
        place = f"{node.name}, {kind}" if node.module is not None else f"{node.name} in {node.line}"
        raise ConversionError(place, reason or _ADVICE.get(kind, _ELSE))


def _average(window: Sequence[int]) -> nn.Module:
    """The averages of windows side by side."""
    if len(window) == 1:
        return nn.AvgPool1d(window[0])
    return nn.AvgPool2d((window[0], window[1]))


def _number(x: Any) -> Tensor | None:
    """A tensor of numbers that do not depend on the input, or None."""
    if isinstance(x, Attribute):
        x = x.read()
    if isinstance(x, Constant):
        x = x.tensor
    if isinstance(x, int | float) and math.isfinite(x):
        x = torch.tensor(float(x))
    return x.detach() if isinstance(x, Tensor) else None


def _with(layer: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    made: nn.Module = layer
    return made


def _clamp(min: Any = None, max: Any = None) -> nn.Module | None:
    if min != 0 or not (max is None or (isinstance(max, int | float) and max > 0)):
        return None
    return Rectifier(float("inf") if max is None else float(max))


_RECTIFIERS: dict[str, Callable[..., nn.Module | None]] = {
    "relu": lambda inplace=False: Rectifier(),
    "relu6": lambda inplace=False: Rectifier(6.0),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "hardtanh": lambda min_val=-1.0, max_val=1.0, inplace=False: _clamp(min_val, max_val),
}
_ARITHMETIC: dict[str, Callable[[Tensor, bool], tuple[Tensor, Tensor | None]]] = {
    "add": lambda x, first: (torch.ones(()), x),
    "radd": lambda x, first: (torch.ones(()), x),
    "iadd": lambda x, first: (torch.ones(()), x),
    "sub": lambda x, first: (torch.tensor(1.0 if first else -1.0), -x if first else x),
    "isub": lambda x, first: (torch.ones(()), -x),
    "rsub": lambda x, first: (torch.tensor(-1.0), x),
    "mul": lambda x, first: (x, None),
    "rmul": lambda x, first: (x, None),
    "imul": lambda x, first: (x, None),
    "truediv": lambda x, first: (1 / x, None),
    "div": lambda x, first: (1 / x, None),
    "itruediv": lambda x, first: (1 / x, None),
}
"""Scale and shift of an operation with a number, and whether the number is its second operand."""
