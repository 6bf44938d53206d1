"""What is wrong with a network that does not learn, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .advice import advice
from .diagnosis import Diagnosis, LayerDiagnosis
from .observe import SYNAPSES, Run, Seen, observed, run_once, sequence

SATURATED = 0.9
"""The share of all steps from which on a neuron counts as saturated."""


def diagnose(
    net: nn.Module,
    x: Tensor,
    loss: Callable[[Any], Tensor] | None = None,
    *,
    run: Run | None = None,
) -> Diagnosis:
    r"""Looks at how the layers of a network fire and learn, and suggests what to change.

    The network runs over one batch, from rest, and a gradient is taken. For a layer with spikes
    ``S`` of ``N`` neurons, current ``I`` and weights ``W`` in front of it

    .. math::
        \mathrm{rate} = \frac{1}{TBN} \sum_{t,b,n} S[t,b,n], \qquad
        \mathrm{passed} = \frac{\sum |\partial L/\partial I|}{\sum |\partial L/\partial S|}, \qquad
        \mathrm{gradient} = \lVert \partial L/\partial W \rVert_2

    A neuron is dead if it never fires, and saturated if it fires at 90 % of all steps or more.
    Rates are counts of bits; packed spikes are not unpacked. How layers fall silent, and gradients
    vanish behind them: Rossbroich, Gygax & Zenke 2022, Neuromorphic Comput. Eng. 2(4).

    Nothing of the network changes: gradients, hidden states, buffers, mode and the states of random
    number generators are those before. (Hooks of yours run as in any other run.)

    Args:
        net: A network whose neurons take sequences, and then is called; or a neuron or an
            ``nn.Sequential`` for single steps, and then runs by `unroll`; or any module that loops
            over the steps of ``x`` itself.
        x: The input ``[T, B, *]``, spikes packed or not. A batch of training data tells most.
        loss: Makes a number of what the network returns, as
            ``lambda out: SF.ce_count_loss()(out, targets)`` does. By default the sum of the outputs
            (the first, if there are several) per sample, which treats all of them alike.
        run: How to run the network, if none of the above does: ``run(net, x)``.

    Returns:
        A `Diagnosis`. Layers are in order of execution, and the weights of a layer are those that
        ran after the layer before it. Dead or saturated neurons are worth a suggestion if they are
        half of a layer or more; so are gradients if those of the first and the last weights differ
        by a factor of 1000.

    Raises:
        ValueError: if ``x`` is no sequence, the network calls no neuron or takes single steps, or
            the loss is not one number.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(
        ...     nn.Linear(20, 50), snn.Leaky(beta=0.9, init_hidden=True, threshold=100.0),
        ...     nn.Linear(50, 10), snn.Leaky(beta=0.9, init_hidden=True))
        >>> report = snn.diagnose(net, torch.rand(25, 8, 20))
        >>> [layer.dead for layer in report][0]
        1.0
        >>> print(report.suggestions[0])
        layer 1 (Leaky): 100 % of its neurons never fire: lower the threshold, ...
    """
    x = sequence(x)
    with observed(net, x) as seen, torch.enable_grad():
        output = run_once(net, x, run, seen)
        value = _sum_per_sample(output, x.shape[1]) if loss is None else loss(output)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"loss must make one number of the output, not {value!r}")
        layers = _layers(seen)
        gradients = _gradients(value, layers)
    rows = tuple(_diagnosis(layer, gradients) for layer in layers)
    reason = None if value.requires_grad else _reason_for_no_gradient(net)
    words = advice(rows, silent_input=not torch.count_nonzero(x), no_gradient=reason)
    return Diagnosis(rows, tuple(words), x.shape[0], x.shape[1])


@dataclass(frozen=True)
class _Layer:
    """Neurons, or a readout without any, and the weights that lead to them or within them."""

    end: Seen
    weights: list[Tensor]


def _layers(seen: list[Seen]) -> list[_Layer]:
    """The modules of a run as layers: each ends with neurons, the last perhaps with a readout."""
    layers: list[_Layer] = []
    parts: list[Seen] = []
    ends = [one for one in seen if one.is_neuron or isinstance(one.module, SYNAPSES)]
    for one in seen:
        parts.append(one)
        if one.is_neuron or one is ends[-1]:
            weights = {id(p): p for part in parts for p in part.module.parameters() if p.dim() > 1}
            layers.append(_Layer(one, [p for p in weights.values() if p.requires_grad]))
            parts = []
    return layers


def _sum_per_sample(output: Any, samples: int) -> Tensor:
    first = output[0] if isinstance(output, tuple | list) else output
    if not isinstance(first, Tensor):
        raise ValueError(f"net must return a tensor first, or loss be given, not {type(first)}")
    total: Tensor = first.sum() / samples
    return total


def _reason_for_no_gradient(net: nn.Module) -> str:
    """Why there is no gradient at all."""
    if any(p.requires_grad for p in net.parameters()):
        return "the loss carries no gradient: it is computed of detached or rounded values"
    return "no parameter of the network requires a gradient"


def _gradients(value: Tensor, layers: list[_Layer]) -> dict[int, Tensor]:
    """The gradient of each weight, current and spike tensor that can have one, by its ``id``."""
    wanted: dict[int, Tensor] = {}
    for layer in layers:
        calls = (*layer.end.inputs, *layer.end.outputs)
        wanted |= {id(one): one for one in (*layer.weights, *calls) if one.requires_grad}
    if not value.requires_grad or not wanted:
        return {}
    found = torch.autograd.grad(value, list(wanted.values()), allow_unused=True)
    return {
        key: torch.zeros(one.shape, dtype=one.dtype, device=one.device)
        if gradient is None
        else gradient
        for (key, one), gradient in zip(wanted.items(), found, strict=True)
    }


def _diagnosis(layer: _Layer, gradients: dict[int, Tensor]) -> LayerDiagnosis:
    """One row of the report."""
    end = layer.end
    rate = dead = saturated = first_step = None
    if end.fires:
        spikes = end.fired()
        counts, total = spikes.sum((0, 1)), int(spikes.count_nonzero())
        rate = total / spikes.numel()
        dead = (counts == 0).double().mean().item()
        slots = spikes.shape[:2].numel()
        saturated = (counts >= SATURATED * slots).double().mean().item()
        first_step = int(spikes[0].count_nonzero()) / total if total else None
    currents = _all(gradients, end.inputs) if end.is_neuron else None
    after = _all(gradients, end.outputs) if end.fires else None
    return LayerDiagnosis(
        name=end.name,
        kind=end.kind,
        neurons=_neurons(end),
        firing_rate=rate,
        dead=dead,
        saturated=saturated,
        first_step=first_step,
        gradient_norm=_norm([gradients[id(w)] for w in layer.weights if id(w) in gradients]),
        step_gradients=_by_step(currents, end.takes_sequences),
        passed=_ratio(currents, after),
        surrogate=str(getattr(end.module, "spike_grad", "")) if end.fires else None,
    )


def _neurons(end: Seen) -> int:
    """How many neurons a layer has, or outputs or channels a readout."""
    if not end.is_neuron:
        return len(end.module.weight)
    return end.outputs[0].shape[2 if end.takes_sequences else 1 :].numel()


def _all(gradients: dict[int, Tensor], tensors: list[Tensor]) -> list[Tensor] | None:
    """The gradients of these tensors, or None if one of them has none."""
    there = [gradients[id(one)] for one in tensors if id(one) in gradients]
    return there if len(there) == len(tensors) else None


def _norm(gradients: list[Tensor]) -> float | None:
    """The norm of all gradients together, or None if there are none."""
    squares = [g.double().square().sum().item() for g in gradients]
    return math.sqrt(sum(squares)) if squares else None


def _by_step(gradients: list[Tensor] | None, sequences: bool) -> Tensor | None:
    """The norm, at each step, of gradients of sequences or of steps."""
    if gradients is None:
        return None
    steps = torch.cat(gradients) if sequences else torch.stack(gradients)
    norms: Tensor = steps.flatten(1).norm(dim=1)
    return norms


def _ratio(first: list[Tensor] | None, second: list[Tensor] | None) -> float | None:
    """The mean magnitude of gradients over that of others, or None if that is zero."""
    if first is None or second is None:
        return None
    above, below = (
        sum(g.double().abs().mean().item() for g in gradients) for gradients in (first, second)
    )
    return above / below if below else None
