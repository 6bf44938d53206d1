"""Weights to start from, with which neurons fire, and not at every step.

Functions end with ``_``, as those of ``torch.nn.init``: they write into weights.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.analysis.observe import SYNAPSES, Run, Seen, observed, run_once, sequence
from bitspike.arguments import as_tensor, with_values
from bitspike.spikes.tensor import SpikeTensor

_HALVINGS = 40
_WIDEST = 16.0


@torch.no_grad()
def fluctuation_driven_(
    weight: Tensor,
    rate: float,
    beta: float,
    *,
    alpha: float | None = None,
    threshold: float = 1.0,
    mean: float = 0.0,
    distance: float = 2.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Draws weights with which membranes fluctuate up to the threshold.

    Of ``n`` inputs that fire independently with rate ``ν``, membranes without resets have the mean
    :math:`μ_U = nν\bar ε μ_W` and the variance :math:`σ_U^2 = nν(1-ν)\hat ε(σ_W^2 + μ_W^2)`, where
    :math:`\bar ε` and :math:`\hat ε` are the sums over time of what one spike leaves in a membrane,
    and of its square. Weights are normal with

    .. math::
        μ_W = \frac{μ_U}{nν\bar ε}, \qquad
        σ_W^2 = \frac{1}{nν(1-ν)\hat ε}\Big(\frac{θ-μ_U}{ξ}\Big)^2 - μ_W^2

    so that the threshold lies ``ξ`` standard deviations of the membrane above its mean: neurons
    fire by fluctuations in time, and not by drift. Biases are best zero.

    Source: Rossbroich, Gygax & Zenke 2022 (Neuromorph. Comput. Eng. 2), here for steps, at each of
    which an input fires or does not.

    Args:
        weight: ``[outputs, inputs, *]``, of ``nn.Linear`` or a convolution; ``n`` is the number of
            weights of one output.
        rate: ``ν``, spikes per step of an input.
        beta: Decay of the membrane.
        alpha: Decay of the synaptic current of `Synaptic`; by default there is none.
        threshold: ``θ``.
        mean: ``μ_U``.
        distance: ``ξ``; from 1 to 3 is usual.
        generator: Of the draw.

    Returns:
        The weight, written in place.

    Raises:
        ValueError: for a rate outside ``(0, 1)``, decays outside ``[0, 1)``, a mean that is not
            below the threshold, a ``distance`` that is not positive, a weight of less than two
            axes or that cannot be written to, and a mean that takes more fluctuation than it
            leaves.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> layer = nn.Linear(200, 500, bias=False)
        >>> _ = snn.init.fluctuation_driven_(layer.weight, rate=0.1, beta=0.9)
        >>> x = (torch.rand(400, 1, 200) < 0.1).float()
        >>> membrane = snn.LI(beta=0.9, init_hidden=True, multi_step=True)(layer(x))
        >>> round(membrane[50:].var(0).mean().sqrt().item(), 1)
        0.5
    """
    given = with_values(as_tensor(weight, "weight"), "weight")
    writable = given is weight and not isinstance(weight, SpikeTensor) and weight.numel()
    if not writable or weight.dim() < 2 or not weight.is_floating_point():
        raise ValueError("weight must be a floating-point tensor [outputs, inputs, *] to write to")
    if not 0 < rate < 1:
        raise ValueError(f"rate must be in (0, 1), not {rate}")
    for name, decay in (("beta", beta), ("alpha", alpha or 0.0)):
        if not 0 <= decay < 1:
            raise ValueError(f"{name} must be in [0, 1), not {decay}")
    if not mean < threshold or not distance > 0:
        raise ValueError(
            f"mean must be below the threshold and distance positive: mean={mean}, "
            f"threshold={threshold}, distance={distance}"
        )
    total, squares = _kernel_sums(beta, alpha or 0.0)
    inputs = weight[0].numel()
    mean_weight = mean / (inputs * rate * total)
    fluctuation = ((threshold - mean) / distance) ** 2
    variance = fluctuation / (inputs * rate * (1 - rate) * squares) - mean_weight**2
    if not variance > 0:
        raise ValueError(
            f"mean={mean} alone makes membranes fluctuate more than distance={distance} allows: "
            "take a lower mean or distance"
        )
    drawn = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device)
    drawn.normal_(mean_weight, math.sqrt(variance), generator=generator)
    try:
        return weight.copy_(drawn)
    except RuntimeError as error:
        raise ValueError(f"weight cannot be written to: {error}") from error


def _kernel_sums(beta: float, alpha: float) -> tuple[float, float]:
    """The sums of ``ε_k = Σ_j α^j β^(k-j)`` and of its square; without synapse, of ``β^k``."""
    total = 1 / ((1 - alpha) * (1 - beta))
    squares = (1 + alpha * beta) / ((1 - alpha * beta) * (1 - alpha**2) * (1 - beta**2))
    return total, squares


@torch.no_grad()
def threshold_aware_(
    net: nn.Module, x: Tensor, rate: float = 0.1, *, run: Run | None = None
) -> dict[str, float]:
    r"""Scales weights so that each layer crosses its thresholds at a wanted rate, on data.

    From the first layer to the last one the currents of its neurons are measured, and weight and
    bias are multiplied by the number ``s`` with which the neurons fire ``rate`` times per step, in
    the mean over all of them:

    .. math::
        W ← sW, \quad b ← sb \qquad\text{with}\qquad \overline{S(sI)} = \mathtt{rate}

    Whatever the threshold, the decay, the reset and the input are, no layer begins silent or
    saturated. It is to spikes what layer-sequential unit variance (Mishkin & Matas 2016) is to
    rectified units. Layers without weights directly in front of their neurons (behind a
    normalisation, say) are left alone, and so are readouts that do not fire.

    Args:
        net: A network, as `bitspike.diagnose` takes it; nothing but weights and biases changes.
        x: The input ``[T, B, *]``, spikes packed or not.
        rate: Spikes per neuron and step.
        run: As in `bitspike.diagnose`.

    Returns:
        The factors, by the name of the layer of weights.

    Raises:
        ValueError: for a rate outside ``(0, 1)``, if no factor gives a layer this rate, and as
            `bitspike.diagnose`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(30, 100), snn.Leaky(beta=0.9, init_hidden=True))
        >>> x = (torch.rand(25, 8, 30) < 0.2).float()
        >>> factors = snn.init.threshold_aware_(net, x, rate=0.15)
        >>> list(factors), round(snn.unroll(net, x).mean().item(), 2)
        (['0'], 0.15)
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must be in (0, 1), not {rate}")
    x = sequence(x)
    before = {p: p.clone() for p in net.parameters()}
    factors: dict[str, float] = {}
    try:
        while (pair := _next_pair(net, x, run, factors)) is not None:
            source, neurons = pair
            factor = _factor(source.name, neurons, rate)
            for parameter in source.module.parameters(recurse=False):
                parameter.mul_(factor)
            factors[source.name] = factor
    except BaseException:
        for parameter, value in before.items():
            parameter.copy_(value)
        raise
    return factors


def _next_pair(
    net: nn.Module, x: Tensor, run: Run | None, done: dict[str, float]
) -> tuple[Seen, Seen] | None:
    """The first layer of weights that is not done, and its neurons, after a run."""
    with observed(net, x) as seen:
        run_once(net, x, run, seen)
    for source, neurons in zip(seen, seen[1:], strict=False):
        fires = neurons.fires and hasattr(neurons.module, "run_sequence")
        if fires and isinstance(source.module, SYNAPSES) and source.name not in done:
            return source, neurons
    return None


def _factor(name: str, neurons: Seen, rate: float) -> float:
    """By what to multiply the currents of neurons, so that they fire at this rate."""
    joined = torch.cat if neurons.takes_sequences else torch.stack
    current = joined(neurons.inputs)
    low, high = -_WIDEST, _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fired = _rate(neurons.module, current * 2**middle)
        if abs(fired - rate) < 1e-3 * rate:
            break
        low, high = (middle, high) if fired < rate else (low, middle)
    if abs(fired - rate) > 0.25 * rate:
        raise ValueError(
            f"no factor makes the neurons behind {name} fire {rate} times a step: with "
            f"2^{middle:g} they fire {fired:.3g} times; look at their input with diagnose"
        )
    return float(2**middle)


def _rate(neuron: Any, current: Tensor) -> float:
    """How often neurons fire per step, from rest."""
    alone = copy.deepcopy(neuron)  # without the states
    spikes = alone.run_sequence(current)
    spikes = spikes[0] if isinstance(spikes, tuple) else spikes
    fired = spikes if isinstance(spikes, SpikeTensor) else (spikes != 0).float()
    return float(fired.mean())
