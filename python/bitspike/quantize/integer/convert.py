"""Networks that run in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, expect_choice, with_values
from bitspike.exchange.network_file import Kind, NetworkFile, describe, with_selftest
from bitspike.quantize.format import Scaled
from bitspike.quantize.formats import Integer
from bitspike.run.stream import Stream
from bitspike.spikes.tensor import SpikeTensor

from .graph import ROUNDINGS, IntegerGraph, Options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class IntegerNetwork(NetworkFile):
    """A network in integers, which the native runtime runs; see `to_integer`.

    `bitspike.stream` runs it step by step; a call runs a sequence.

    Attributes:
        scales: What a unit of each value of integers is worth, in the shape of a sample, float64.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike import quantize
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.5, init_hidden=True))
        >>> small = quantize.to_integer(net, torch.zeros(1, 3))
        >>> small(torch.ones(4, 1, 3)).shape
        torch.Size([4, 1, 2])
        >>> small.scales["1.mem"].shape
        torch.Size([2])
    """

    def __init__(self, data: bytes, scales: Mapping[str, Tensor]) -> None:
        super().__init__(data)
        self.scales = dict(scales)

    def __call__(self, x: Tensor) -> Any:
        """Runs all steps of ``[T, B, *]``, floats or a `SpikeTensor`, from rest.

        Returns:
            The outputs of all steps, float32 ``[T, B, *]``: a tensor, or a tuple of several.

        Raises:
            ValueError: if the input does not fit the network.
        """
        x = with_values(as_tensor(x, "x"), "x").detach()
        if x.dim() < 2 or tuple(x.shape[2:]) != self.input.shape or not x.shape[:2].numel():
            raise ValueError(
                f"x must be [T, B, {', '.join(map(str, self.input.shape))}], not {tuple(x.shape)}"
            )
        if not isinstance(x, SpikeTensor):
            x = x.float().contiguous()
        stream = Stream(self, x.shape[1], None)
        steps = [stream(x_t) for x_t in x]
        if isinstance(steps[0], Tensor):
            return torch.stack(steps)
        return tuple(torch.stack(values) for values in zip(*steps, strict=True))

    def save(self, path: str | Path) -> None:
        """Writes the network file, with steps for `bitspike.verify`.

        `bitspike.load_network`, Rust and C read it.
        """
        Path(path).write_bytes(with_selftest(self._data))


class IntegerOptions(TypedDict, total=False):
    """How a network goes to integers."""

    weight_quant: Scaled | int
    """The format of layers of floats, or the bits of an `Integer`; 8 by default."""
    decay: Literal["multiply", "shift"]
    """How states decay; ``"multiply"`` by default."""
    shift_round: Literal["nearest", "floor", "toward_zero"]
    """How the shift of a decay rounds; ``"nearest"`` by default."""
    input_scale: float | None
    """What a unit of a number that comes in is worth; None leaves such layers in floats."""
    input_range: tuple[int, int]
    """The lowest and highest integer that comes in; ``(-127, 127)`` by default."""
    kind: Kind | None
    """As for `bitspike.save_network`."""
    dt: float
    """Seconds per step, 1e-3 by default."""


def to_integer(
    net: Callable[..., Any], sample: Tensor, **options: Unpack[IntegerOptions]
) -> IntegerNetwork:
    r"""A network whose weights, sums, states and thresholds are integers.

    Weights have 8 bits or fewer, sums and states 32. With the scale :math:`s_i` of an output,

    .. math::
        a_i = \sum_j q_{ij} x_j + \mathrm{round}(b_i / s_i), \qquad
        u_i ← \mathrm{decay}(u_i) + a_i, \qquad S_i = [u_i > \mathrm{round}(θ_i / s_i)],

    so that :math:`s_i u_i` is the membrane. Thresholds and decays are rounded, as weights are;
    beyond that a spike differs from that of floats only where rounding of the state moves it across
    the threshold. Decays are

    * ``decay="multiply"``: :math:`(u M) / 2^{15}` with :math:`M = \mathrm{round}(2^{15} β)`;
    * ``decay="shift"``: :math:`u - u / 2^k` with the :math:`k` for which :math:`1 - 2^{-k}` is
      nearest to :math:`β`, for hardware without multipliers: choose such a ``beta`` in training.

    ``shift_round`` says how these divisions round: to the nearest integer, upwards from the middle;
    ``"floor"``, downwards, which costs least and pulls all states down a little; ``"toward_zero"``.
    Neurons without decay (`IF`) are clamped at :math:`±2^{30}`. No sum and no state exceeds 32
    bits: that is proven for each neuron, and the bound stands in the file.

    A layer is in integers if spikes or integers come in. One that sees numbers, and the neurons
    behind it, stay in floats, unless ``input_scale`` says how numbers become integers:
    :math:`\mathrm{clamp}(\mathrm{round}(x / s), low, high)`. Linear layers, convolutions, pools,
    additions, delays, `Leaky`, `RLeaky`, `IF`, `Synaptic`, `RSynaptic` and `LI` have a form in
    integers. Where an output of the network is integers, it is multiplied by its scale.

    Args:
        net: What `bitspike.save_network` takes. Layers of `quantize` keep their integers; others
            are rounded here.
        sample: As for `bitspike.save_network`.
        options: How it is done:

            * ``weight_quant=8``: the format of layers of floats, or the bits of an `Integer`.
            * ``decay="multiply"``, or ``"shift"``.
            * ``shift_round="nearest"``, ``"floor"`` or ``"toward_zero"``.
            * ``input_scale=None``: what a unit of the input is worth.
            * ``input_range=(-127, 127)``: the lowest and highest integer of the input.
            * ``kind=None``: whether steps take spikes or numbers, as for `bitspike.save_network`.
            * ``dt=1e-3``: seconds per step.

    Raises:
        GraphError: as `bitspike.save_network`, and for what integers have no form for, with the
            name of the module and the way out.
        ValueError: for unknown options, and if a sum or a state could exceed 32 bits, with the name
            of the op and the neuron.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike import quantize
        >>> net = nn.Sequential(nn.Linear(64, 10), snn.Leaky(beta=0.9, init_hidden=True))
        >>> small = quantize.to_integer(net, torch.zeros(1, 64))
        >>> spikes = (torch.rand(25, 1, 64) < 0.2).float()
        >>> small(spikes).shape
        torch.Size([25, 1, 10])
        >>> stream = snn.stream(small)
        >>> stream(spikes[0]).shape, stream.read("1.mem").dtype
        (torch.Size([1, 10]), torch.int32)
    """
    unknown = options.keys() - IntegerOptions.__annotations__.keys()
    if unknown:
        raise ValueError(f"there is no option {', '.join(map(repr, sorted(unknown)))}")
    form = options.get("weight_quant", 8)
    decay, rounding = options.get("decay", "multiply"), options.get("shift_round", "nearest")
    expect_choice("decay", decay, ("multiply", "shift"))
    expect_choice("shift_round", rounding, ROUNDINGS)
    chosen = Options(
        form if isinstance(form, Scaled) else Integer(form),
        decay,
        rounding,
        options.get("input_scale"),
        options.get("input_range", (-127, 127)),
    )
    described = describe(net, sample, options.get("kind"), options.get("dt", 1e-3))
    with torch.no_grad():
        graph = IntegerGraph(described, chosen)
    return IntegerNetwork(graph.file(), graph.scales())
