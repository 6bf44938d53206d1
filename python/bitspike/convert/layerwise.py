"""Where the errors of a converted network come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.analysis.table import number, percent, table
from bitspike.arguments import as_tensor, expect_one_device, with_values

from .errors import ConversionError
from .lowering import lower
from .network import RateNetwork
from .neuron import RateIF
from .parts import Model
from .qcfs import TIE


@dataclass(frozen=True)
class LayerReport:
    """Errors of one layer, each a root mean square, as shares of the activations' own."""

    name: str
    """The path of the rectifier in the model."""
    threshold: float
    """What a spike stands for; the mean if channels differ."""
    clipping: float
    """Activations above the threshold, which no rate can reach."""
    quantisation: float
    """Rates are multiples of one spike: of what rounding leaves."""
    unevenness: float
    """Spikes that come too early or too late: what the order of inputs changes."""
    inherited: float
    """What the errors of the layers in front change in this one's."""
    total: float
    """The difference between rates and activations."""
    dead: float
    """The share of neurons that never fired."""
    ann_dead: float
    """The share of rectifiers that were never active."""
    rate: float
    """Spikes per neuron and step."""


@dataclass(frozen=True)
class Report:
    """What `report` found: layers, over which it iterates. ``print`` shows them."""

    layers: tuple[LayerReport, ...]
    """In the order in which they ran."""
    num_steps: int
    """Steps of the network."""
    output: float
    """The error of what the network returns, as a share of what the model returns."""

    def __iter__(self) -> Iterator[LayerReport]:
        """The layers."""
        return iter(self.layers)

    def __str__(self) -> str:
        """The errors of all layers."""
        head = "layer,threshold,clipped,rounded,uneven,inherited,total,dead,dead in ANN,rate"
        rows = [
            (
                row.name,
                number(row.threshold),
                *(
                    percent(x)
                    for x in (
                        row.clipping,
                        row.quantisation,
                        row.unevenness,
                        row.inherited,
                        row.total,
                        row.dead,
                        row.ann_dead,
                        row.rate,
                    )
                ),
            )
            for row in self.layers
        ]
        return "\n".join(
            [
                f"{self.num_steps} steps; errors as shares of the activations",
                table(head.split(","), rows, words=1),
                f"what the network returns differs by {percent(self.output)}",
            ]
        )


def report(model: nn.Module, net: RateNetwork, x: Tensor, num_steps: int | None = None) -> Report:
    r"""Compares a converted network with the model that it was made of, layer by layer.

    With activations ``a``, thresholds ``θ``, spike counts ``N`` and the mean input ``z`` that a
    neuron got, which its membrane tells, :math:`zT = θN + U[T] - U[0]`, the error
    :math:`a - θN/T` is the sum of

    .. math::
        \underbrace{a - c}_\text{clipping} + \underbrace{c - h(c)}_\text{quantisation} +
        \underbrace{h(c) - h(z)}_\text{inherited} + \underbrace{h(z) - θN/T}_\text{unevenness},
        \qquad c = \min(a, θ)

    where ``h`` is what a neuron with a constant input fires. Clipping wants larger thresholds,
    quantisation smaller ones or more steps, unevenness more steps.

    Args:
        model: What was converted.
        net: What `ann_to_snn` returned for it.
        x: Inputs ``[B, *]``.
        num_steps: How many steps; by default those of the network.

    Raises:
        ConversionError: if the network was made of another model.
        ValueError: as the network.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> x = torch.rand(20, 4)
        >>> net, _ = snn.convert.ann_to_snn(ann, [x], normalise="max")
        >>> [row.clipping for row in snn.convert.report(ann, net, x)]
        [0.0]
    """
    x = with_values(as_tensor(x, "x"), "x")
    expect_one_device(x, "x", model.named_parameters())
    if x.dim() < 2 or not bool(torch.isfinite(x).all()):
        raise ValueError(f"x must be samples [B, *] of finite numbers, not {x}")
    return compare(lower(model, x), net, x, num_steps)


@torch.no_grad()
def compare(model: Model, net: RateNetwork, x: Tensor, num_steps: int | None = None) -> Report:
    """The same for a model that was lowered."""
    steps = net.num_steps if num_steps is None else num_steps
    counts: dict[str, Any] = {}
    neurons = net.neurons()

    def counting(name: str) -> Callable[..., None]:
        def count(module: nn.Module, inputs: Any, spikes: Tensor) -> None:
            counts[name] = counts.get(name, 0) + spikes.sum(0)

        return count

    hooks = [neuron.register_forward_hook(counting(name)) for name, neuron in neurons.items()]
    try:
        returned = net(x, steps)
    finally:
        for hook in hooks:
            hook.remove()
    values = model.values(x)
    found = {part.name: values[part] for part in model.rectifiers()}
    if not set(neurons) <= set(found) or returned.shape != values[model.output].shape:
        raise ConversionError(
            type(net).__name__,
            f"it has neurons for {sorted(neurons)}, and the model {sorted(found)}; pass the model "
            "that it was made of",
        )
    rows = [_row(name, x, found[name], counts[name], steps) for name, x in neurons.items()]
    output = values[model.output]
    return Report(tuple(rows), steps, _share(returned - output, output))


def _row(name: str, neuron: RateIF, a: Tensor, counts: Tensor, steps: int) -> LayerReport:
    """The errors of a layer with these activations and numbers of spikes."""
    threshold, start = neuron.threshold, neuron.start
    rates = threshold * counts / steps

    def fired(z: Tensor) -> Tensor:
        """What a constant input makes of the activation."""
        whole = (z * steps / threshold + start + TIE).floor().clamp(0, steps)
        return threshold * whole / steps

    # The membrane tells what went in: all of it that spikes did not take is still there.
    z = (rates * steps + neuron.charge() - threshold * (start + TIE)) / steps
    clipped = torch.minimum(a, threshold)
    return LayerReport(
        name,
        threshold=float(threshold.mean()),
        clipping=_share(a - clipped, a),
        quantisation=_share(clipped - fired(clipped), a),
        unevenness=_share(fired(z) - rates, a),
        inherited=_share(fired(clipped) - fired(z), a),
        total=_share(a - rates, a),
        dead=float((counts == 0).all(0).float().mean()),
        ann_dead=float((a <= 0).all(0).float().mean()),
        rate=float(counts.mean()) / steps,
    )


def _share(error: Tensor, of: Tensor) -> float:
    """A root mean square as a share of another one."""
    size = of.square().mean().sqrt()
    return float(error.square().mean().sqrt() / size) if size else 0.0
