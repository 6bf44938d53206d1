"""Waking neurons that never fire."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.neurons import SpikingNeuron

from .observe import SYNAPSES, Run, Seen, observed, run_once, sequence


def rescue(net: nn.Module, x: Tensor, strength: float = 1.0, *, run: Run | None = None) -> int:
    r"""Raises the weights that lead to neurons which never fire, in place.

    To all ``K`` weights of each neuron (or channel of a convolution) that is silent for all samples
    and steps, the same amount is added:

    .. math::
        W_{nk} \leftarrow W_{nk} + s\,\frac{\theta_n - U_\mathrm{rest}}{K}

    so that with ``s = 1`` a step at which all inputs fire lifts the membrane by as much as lies
    between rest and threshold, and spikes of density ``d`` by that times ``d/(1-β)`` in the long
    run. As long as inputs are not negative, this cannot silence anybody. One call wakes those that
    were near the threshold; call again until the number that it returns is small enough::

        while snn.rescue(net, x) > 10:
            pass

    Silent neurons learn slowly or, with exact gradients, not at all (Bohte, Kok & La Poutré 2002,
    Neurocomputing 48). Neurons without a linear or convolutional layer directly in front, such as
    those behind a normalisation, are left alone: an increase would be normalised away.

    Args:
        net: A network, as `diagnose` takes it; nothing but weights changes.
        x: The input ``[T, B, *]``, spikes packed or not.
        strength: ``s``.
        run: As in `diagnose`.

    Returns:
        How many neurons, or channels, got other weights.

    Raises:
        ValueError: for a ``strength`` that is not positive, and as `diagnose`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> synapses = nn.Linear(20, 50, bias=False)
        >>> _ = nn.init.constant_(synapses.weight, -0.1)
        >>> net = nn.Sequential(synapses, snn.Leaky(beta=0.9, init_hidden=True))
        >>> x = torch.ones(25, 8, 20)
        >>> [snn.rescue(net, x) for _ in range(4)]
        [50, 50, 50, 0]
    """
    if not strength > 0:
        raise ValueError(f"strength must be positive, not {strength}")
    x = sequence(x)
    with torch.no_grad():
        with observed(net, x) as seen:
            run_once(net, x, run, seen)
        # All at once: whatever raises leaves the weights of all layers as they are.
        increases = [
            (source.module.weight, *_silent_and_increase(neurons, source, strength))
            for source, neurons in zip(seen, seen[1:], strict=False)
            if neurons.fires
            and isinstance(source.module, SYNAPSES)
            and isinstance(source.module.weight, nn.Parameter)
        ]
        for weight, silent, increase in increases:
            weight[silent] += increase
        return sum(int(silent.sum()) for _, silent, _ in increases)


def _silent_and_increase(neurons: Seen, source: Seen, strength: float) -> tuple[Tensor, Tensor]:
    """Which neurons are silent, and what to add to their weights."""
    weight: Tensor = source.module.weight
    counts = neurons.fired().sum((0, 1)).to(weight.device)
    axis = -1 if isinstance(source.module, nn.Linear) else 0
    if not counts.dim() or counts.shape[axis] != len(weight):
        return torch.zeros(len(weight), dtype=torch.bool, device=weight.device), weight[:0]
    silent = counts.movedim(axis, 0).flatten(1).sum(1) == 0 if counts.dim() > 1 else counts == 0
    distance = _rest_to_threshold(neurons.module).to(weight) + torch.zeros_like(counts)
    distance = distance.movedim(axis, 0).reshape(len(weight), -1)
    increase = strength * distance.mean(1) / weight[0].numel()
    return silent, increase[silent].view(-1, *(1,) * (weight.dim() - 1)).to(weight.dtype)


def _rest_to_threshold(module: Any) -> Tensor:
    """How far the threshold lies above the membrane at rest."""
    if isinstance(module, SpikingNeuron) and module.STATES:
        rest = [
            x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float32, device="cpu")
            for x in module.rest()
        ]
        return module.firing_threshold() - module.level(*rest)
    threshold: Tensor = module.threshold
    return threshold
