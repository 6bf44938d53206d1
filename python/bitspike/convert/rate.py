"""Conversion of trained networks into networks whose rates are activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from bitspike.arguments import expect_choice

from .build import Builder
from .errors import ConversionError
from .layerwise import Report, compare
from .loader import batches, first_batch
from .lowering import lower
from .network import RateNetwork
from .normalise import limits

_STARTS = {"half": 0.5, "zero": 0.0}


def ann_to_snn(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    normalise: str = "error",
    per_channel: bool = False,
    num_steps: int = 32,
    init: str = "half",
    max_pool: str = "rate",
) -> tuple[RateNetwork, Report]:
    r"""Converts a trained network of rectifiers into one of integrate-and-fire neurons.

    A neuron that sums up its input, and subtracts ``θ`` when it fires, fires at a rate in
    proportion to its input, if that is positive and not above ``θ``: it is a ReLU. So each ReLU
    becomes a layer of `RateIF`, whose threshold is as large as its activations become, and weights
    are multiplied by what the spikes that they meet stand for:

    .. math::
        θ_l = λ_l, \qquad W_l ← W_l·λ_{l-1}

    The model's biases, and the units of its activations, remain. Batch normalisations are folded,
    dropouts vanish, and average pools stay. Max pools pass on the spikes of whoever has fired most
    (`RateMaxPool`); those of the first layer stand in front of its neurons, where they run once.
    In a sum, spikes are multiplied by what they stand for, so that a residual is added in the units
    of its branch. The input is a current, the same at all steps, with which the first layer
    multiplies once. All spikes are bits.

    With ``T`` steps rates are multiples of ``1/T``: errors fall about as ``1/T``. `report` says
    where they come from. Train with `QCFS` for few steps, or call `fine_tune` afterwards.

    Args:
        model: Any program of linear layers, convolutions, ReLU, ReLU6 or `QCFS` (as modules or
            functions), pools, batch normalisations, sums and concatenations, that `graph.capture`
            takes. It remains as it is.
        loader: Batches of inputs ``[B, *]``, or of tuples that begin with them, from whose
            activations thresholds are chosen. Some hundred samples are enough.
        normalise: How: ``"error"``, where clipping and rounding to ``num_steps`` change the
            activations of a layer least; ``"max"``, the largest of them, which is best for many
            steps; a percentage such as ``"99.9%"``, the value that so many of the positive ones are
            below; ``"robust"``, which is ``"99.9%"``; or ``"balance"``, see
            `local_threshold_balancing`. `QCFS` has its own.
        per_channel: Choose one for each channel, and not for each layer.
        num_steps: How many steps a call runs, and the report is about.
        init: Membranes begin at ``"half"`` of their thresholds, so that rates are rounded to the
            nearest, or at ``"zero"``, so that they are rounded down.
        max_pool: ``"rate"``, the maximum of rates, or ``"average"``, with average pools instead of
            those of rates.

    Returns:
        The network, and a `Report` on the first batch of the loader.

    Raises:
        ConversionError: for a part of the model that spikes cannot stand for, with its path and
            what to do instead; for activations that are not finite, or never positive.
        GraphError: if the model cannot be captured, with the line of its program.
        ValueError: for a loader without batches, or with numbers that are not finite, and for
            unknown words.
        TypeError: for a loader that is none.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 3))
        >>> x = torch.rand(20, 4)
        >>> net, report = snn.convert.ann_to_snn(ann, [x], num_steps=64)
        >>> [type(layer).__name__ for layer in net.net]
        ['Linear', 'RateIF', 'Linear', 'LI']
        >>> bool((net(x) - ann.eval()(x)).abs().max() < 0.05)
        True
    """
    expect_choice("init", init, _STARTS)
    expect_choice("max_pool", max_pool, ("rate", "average"))
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, not {num_steps}")
    x = first_batch(loader)
    lowered = lower(model, x)
    if not lowered.rectifiers():
        raise ConversionError(type(model).__name__, "it has no ReLU, for which neurons would stand")
    found = limits(lowered, batches(loader), normalise, steps=num_steps, per_channel=per_channel)
    net = RateNetwork(Builder(found, _STARTS[init], max_pool).build(lowered), num_steps)
    net.train(model.training).requires_grad_()
    return net, compare(lowered, net, x)
