"""Layers without firing as nodes of NIR, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike.layers import GradedSpikes, SynapticDelay

from .clock import Clock
from .errors import NIRError
from .records import Record


class Scale(nn.Module):
    r"""Multiplies each value of a step by a number of its own, and adds a constant current.

    .. math::
        y = s ⊙ x + c

    Args:
        scale: ``s``, which broadcasts against one step without the batch.
        current: ``c``, likewise, or None.

    Shapes:
        Input ``[*, *step]``, output the same.
    """

    scale: Tensor
    current: Tensor | None

    def __init__(self, scale: Tensor, current: Tensor | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)
        self.register_parameter("current", None if current is None else nn.Parameter(current))

    def forward(self, x: Tensor) -> Tensor:
        """Scales."""
        y = x * self.scale
        return y if self.current is None else y + self.current


# From our layers


def record_of(module: nn.Module, shape: Size, clock: Clock) -> Record | None:
    """The node that computes a layer, or None if it changes nothing.

    Args:
        module: A layer in eval mode.
        shape: That of a step of its input, without the batch.
        clock: Time.

    Raises:
        NIRError: if NIR cannot say it, with what to do instead.
    """
    for kind, make in _RECORDS.items():
        if type(module) is kind:
            with torch.no_grad():
                return make(module, shape, clock)
    raise NIRError(
        f"NIR has no node that computes {type(module).__name__}, or none that this version writes; "
        "there are nodes for Linear, Conv1d, Conv2d, AvgPool2d, Flatten, GradedSpikes and "
        "SynapticDelay, and a quantised or another layer can be replaced by one with its weights"
    )


def _kept(x: Tensor) -> Tensor:
    return x.detach().cpu().contiguous().clone()


def _of_linear(module: Any, shape: Size, clock: Clock) -> Record:
    if module.bias is None:
        return Record("Linear", {"weight": _kept(module.weight)})
    return Record("Affine", {"weight": _kept(module.weight), "bias": _kept(module.bias)})


def _of_conv(module: Any, shape: Size, clock: Clock) -> Record:
    axes = len(module.kernel_size)
    if module.padding_mode != "zeros":
        raise NIRError(f"NIR pads with zeros, not as {module.padding_mode!r}; pad in front of it")
    if module.padding == "same" and any((size - 1) % 2 for size in module.kernel_size):
        raise NIRError("NIR pads both sides alike; padding='same' does so for odd kernels alone")

    def sizes(value: Any) -> Any:
        return value if isinstance(value, str) else value[0] if axes == 1 else tuple(value)

    bias = module.bias
    return Record(
        f"Conv{axes}d",
        {
            "input_shape": shape[-1] if axes == 1 else tuple(shape[-2:]),
            "weight": _kept(module.weight),
            "stride": sizes(module.stride),
            "padding": sizes(module.padding),
            "dilation": sizes(module.dilation),
            "groups": module.groups,
            "bias": torch.zeros(module.out_channels) if bias is None else _kept(bias),
        },
    )


def _of_pool(module: Any, shape: Size, clock: Clock) -> Record:
    divisor = module.divisor_override
    padded = _pair(module.padding) != (0, 0)
    if module.ceil_mode or divisor not in (None, 1):
        raise NIRError("NIR's pools have no ceil_mode and no divisor but 1; export without them")
    if padded and divisor is None and not module.count_include_pad:
        raise NIRError("NIR's averages count what is padded; export with count_include_pad=True")
    return Record(
        "AvgPool2d" if divisor is None else "SumPool2d",
        {
            "kernel_size": torch.tensor(_pair(module.kernel_size)),
            "stride": torch.tensor(_pair(module.stride)),
            "padding": torch.tensor(_pair(module.padding)),
        },
    )


def _of_flatten(module: Any, shape: Size, clock: Clock) -> Record:
    axes = len(shape) + 1
    start, end = module.start_dim % axes, module.end_dim % axes
    if not start:
        raise NIRError("NIR has no batch axis, and this flattens it; export with start_dim=1")
    return flattened(shape, start - 1, end - 1)


def flattened(shape: Size, start: int = 0, end: int = -1) -> Record:
    """The node that flattens axes of a step."""
    return Record("Flatten", {"input_type": tuple(shape), "start_dim": start, "end_dim": end})


def _of_delay(module: Any, shape: Size, clock: Clock) -> Record | None:
    steps = module.delay.detach().clamp(0, module.max_delay)
    if module.kernel != "linear" or bool((steps % 1 != 0).any()):
        raise NIRError("NIR delays spikes as a whole; round the delays, with kernel='linear'")
    if steps.dim():
        steps = steps.view(-1, *(1,) * (len(shape) - 1))
    delay = steps.double().cpu() * clock.dt
    return Record("Delay", {"delay": delay.expand(shape).contiguous()})


def _of_graded(module: Any, shape: Size, clock: Clock) -> Record:
    weights = module.weights.view(()) if module.size == 1 else module.weights
    last = bool(shape) and shape[-1] == module.size
    return scaled(weights.view(-1) if last else weights, shape)


def _of_scale(module: Any, shape: Size, clock: Clock) -> Record:
    if module.current is not None:
        raise NIRError("NIR has no node that adds a constant; give the layer in front a bias")
    return scaled(module.scale, shape)


def scaled(factor: Tensor, shape: Size) -> Record:
    """The node that multiplies."""
    return Record("Scale", {"scale": _kept(factor).expand(shape).contiguous()})


def _of_nothing(module: Any, shape: Size, clock: Clock) -> None:
    if module.training and not isinstance(module, nn.Identity):
        raise NIRError("it drops at random, which NIR cannot say; call eval() first")


_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
_RECORDS: dict[type[nn.Module], Callable[[Any, Size, Clock], Record | None]] = {
    nn.Linear: _of_linear,
    nn.Conv1d: _of_conv,
    nn.Conv2d: _of_conv,
    nn.AvgPool2d: _of_pool,
    nn.Flatten: _of_flatten,
    SynapticDelay: _of_delay,
    GradedSpikes: _of_graded,
    Scale: _of_scale,
    nn.Identity: _of_nothing,
    **dict.fromkeys(_DROPOUTS, _of_nothing),
}


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


# To our layers


def layer_of(record: Record) -> nn.Module:
    """The layer that computes a node, whose shapes have been checked."""
    fields = record.fields
    kind = record.kind
    if kind in ("Linear", "Affine"):
        weight = fields["weight"]
        outputs, inputs = weight.shape
        layer: nn.Module = nn.Linear(inputs, outputs, bias=kind == "Affine")
        return _with(layer, weight, fields.get("bias"))
    if kind in ("Conv1d", "Conv2d"):
        weight = fields["weight"]
        make: Any = getattr(nn, kind)
        axes = weight.dim() - 2
        groups = whole(fields["groups"], 1)[0]
        conv = make(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            stride=whole(fields["stride"], axes),
            padding=padding_of(record, axes),
            dilation=whole(fields["dilation"], axes),
            groups=groups,
        )
        return _with(conv, weight, fields["bias"])
    if kind in ("AvgPool2d", "SumPool2d"):
        sizes: Any = {name: whole(fields[name], 2) for name in ("kernel_size", "stride", "padding")}
        return nn.AvgPool2d(**sizes, divisor_override=1 if kind == "SumPool2d" else None)
    if kind == "Flatten":
        start, end = (whole(fields[name], 1)[0] for name in ("start_dim", "end_dim"))
        return nn.Flatten(start + 1 if start >= 0 else start, end + 1 if end >= 0 else end)
    if kind == "Scale":
        return Scale(fields["scale"].float(), fields.get("current"))
    steps = fields["steps"]
    longest = int(steps.max()) if steps.numel() else 0
    if bool((steps == longest).all()):
        return SynapticDelay(longest, longest)
    return SynapticDelay(longest, steps.flatten(1)[:, 0] if steps.dim() > 1 else steps, len(steps))


def _with(layer: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.float())
    if bias is not None:
        layer.bias = nn.Parameter(bias.float())
    found: nn.Module = layer
    return found


def whole(value: Any, count: int) -> tuple[int, ...]:
    """A field as so many whole numbers.

    Raises:
        NIRError: if it is something else.
    """
    try:
        found = torch.as_tensor(value).flatten().tolist()
    except (TypeError, ValueError, RuntimeError):
        found = []
    found = found * count if len(found) == 1 else found
    if len(found) != count or not all(type(x) is int for x in found):
        raise NIRError(f"{count} whole numbers are needed, not {value!r}")
    return tuple(found)


def padding_of(record: Record, axes: int) -> Any:
    """How a convolution pads: a word, or a number for each axis."""
    padding = record.fields["padding"]
    return padding if isinstance(padding, str) else whole(padding, axes)
