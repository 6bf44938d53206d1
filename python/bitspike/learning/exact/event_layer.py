"""Layers of leaky neurons in continuous time, with exact gradients."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bitspike.ops import spike_times as ops

from .event_tensor import EventTensor


class EventLIF(nn.Module):
    r"""Weights and leaky integrate-and-fire neurons, from spike to spike.

    .. math::

        τ_{mem} \dot V = -V + I \qquad τ_{syn} \dot I = -I

    A spike of input ``j`` adds ``weight[i, j]`` to the current of neuron ``i``, after the delay of
    this synapse. At ``V = threshold`` the neuron fires and goes on from ``V = 0``. Without a leak,
    ``tau_mem=inf``, it is :math:`τ_{syn} \dot V = I`.

    Gradients with respect to weights, delays and times of input spikes are those of EventProp
    (Wunderlich and Pehle, Scientific Reports 11, 2021; with delays Mészáros et al., 2025): exact as
    long as no spike appears or vanishes, which neither they nor any gradient of times can see. What
    is kept between forward and backward are the spikes.

    Shapes:
        * input: an `EventTensor` of ``in_features`` neurons
        * output: an `EventTensor` of ``out_features`` neurons, with times in float64

    Args:
        in_features: How many inputs there are.
        out_features: How many neurons there are.
        tau_mem: Time constant of the membrane, in the unit of the times.
        tau_syn: Time constant of the current.
        threshold: Above 0.
        delays: ``None`` for none; "fixed" or "learn" for one per synapse, in ``delay``, which must
            not be negative: `clamp_delays` sees to that after a step of the optimiser.
        recurrent: Whether spikes come back to all neurons of the layer, by ``recurrent_weight`` and
            with ``delays`` also ``recurrent_delay``.
        until: When to stop.
        max_spikes: How often a neuron fires in a sample; it is silent afterwards.

    Raises:
        ValueError: for a constant that is not positive, or an unknown word for ``delays``.

    Example:
        >>> import torch
        >>> from bitspike.learning.exact import EventLIF, EventTensor
        >>> layer = EventLIF(2, 1, tau_mem=20.0, tau_syn=5.0)
        >>> layer.weight.data = torch.tensor([[3.2, 4.1]])
        >>> fired = layer(EventTensor.from_times(torch.tensor([[1.0, 6.0]])))
        >>> fired.times.tolist()
        [9.8758...]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tau_mem: float,
        tau_syn: float,
        threshold: float = 1.0,
        delays: Literal["fixed", "learn"] | None = None,
        recurrent: bool = False,
        until: float = math.inf,
        max_spikes: int = 1000,
    ) -> None:
        super().__init__()
        constants = {"tau_mem": tau_mem, "tau_syn": tau_syn, "threshold": threshold}
        for name, value in constants.items():
            if not value > 0 or (value == math.inf and name != "tau_mem"):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        if max_spikes < 1:
            raise ValueError(f"max_spikes must be at least 1, got {max_spikes}")
        if delays not in (None, "fixed", "learn"):
            raise ValueError(f'delays must be None, "fixed" or "learn", got {delays!r}')
        self.in_features, self.out_features = in_features, out_features
        self.tau_mem, self.tau_syn, self.threshold = float(tau_mem), float(tau_syn), threshold
        self.until, self.max_spikes = until, max_spikes
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.recurrent_weight = _optional(recurrent, out_features, out_features)
        learned = delays == "learn"
        self.delay = _optional(delays is not None, out_features, in_features, learned)
        back = recurrent and delays is not None
        self.recurrent_delay = _optional(back, out_features, out_features, learned)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights with which neurons fire once a good part of the inputs have, and delays.

        The membrane reaches the threshold after about as many spikes as the square root of the
        number of inputs: weights that need all inputs leave neurons silent as soon as they learn.
        Recurrent weights are 0 at first; delays lie between 0 and ``tau_syn``.
        """
        nn.init.normal_(self.weight, self._scale(), 1.3 * self._scale())
        for delay in (self.delay, self.recurrent_delay):
            if delay is not None:
                nn.init.uniform_(delay, 0, self.tau_syn)
        if self.recurrent_weight is not None:
            nn.init.zeros_(self.recurrent_weight)

    def _scale(self) -> float:
        """The mean of the weights that are drawn."""
        return 1.5 * self.threshold / (self._peak() * math.sqrt(max(1, self.in_features)))

    def _peak(self) -> float:
        """The highest membrane after a single spike of weight 1."""
        if self.tau_mem == math.inf:
            return 1.0
        ratio = self.tau_syn / self.tau_mem
        return math.exp(-1) if ratio == 1 else math.exp(math.log(ratio) / (1 - ratio))

    @torch.no_grad()
    def clamp_delays(self) -> None:
        """Makes delays 0 that an optimiser has made negative."""
        for delay in (self.delay, self.recurrent_delay):
            if delay is not None:
                delay.clamp_(min=0)

    def forward(self, events: EventTensor) -> EventTensor:
        """The spikes of the layer.

        Raises:
            ValueError: if the events are of another number of neurons, their times do not ascend,
                or a delay is negative.
        """
        if events.size != self.in_features:
            raise ValueError(
                f"the events are of {events.size} neurons, the layer has {self.in_features} inputs"
            )
        for name in ("delay", "recurrent_delay"):
            delay = getattr(self, name)
            if delay is not None and bool((delay < 0).any()):
                raise ValueError(f"{name} must not be negative; call clamp_delays() after a step")
        parts = (self.weight, self.delay, self.recurrent_weight, self.recurrent_delay)
        exact = [None if part is None else part.double() for part in parts]
        starts, neurons, _, times = _EventLayer.apply(self, events, events.times, *exact)
        return EventTensor(times, neurons, starts, self.out_features)

    def extra_repr(self) -> str:
        """Shown by ``repr``."""
        sizes = f"{self.in_features}, {self.out_features}"
        return (
            f"{sizes}, tau_mem={self.tau_mem}, tau_syn={self.tau_syn}, threshold={self.threshold}"
        )


def _optional(wanted: bool, rows: int, columns: int, learned: bool = True) -> nn.Parameter | None:
    return nn.Parameter(torch.empty(rows, columns), requires_grad=learned) if wanted else None


class _EventLayer(torch.autograd.Function):
    """A layer that has run; it saves spikes and parameters."""

    @staticmethod
    def forward(
        layer: EventLIF, events: EventTensor, times: Tensor, *parts: Tensor | None
    ) -> tuple[Tensor, ...]:
        inputs = events.trains._replace(times=times)
        (starts, fired, neurons), slopes = ops.forward(_arguments(layer, parts), inputs)
        return starts, neurons, slopes, fired

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: tuple[Tensor, ...]) -> None:
        layer, events, times, *parts = inputs
        starts, neurons, slopes, fired = output
        ctx.layer = layer
        trains = (starts, fired, neurons)
        ctx.save_for_backward(*events.trains._replace(times=times), *trains, slopes, *parts)
        ctx.mark_non_differentiable(starts, neurons, slopes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        inputs, trains = ops.Trains(*saved[:3]), ops.Trains(*saved[3:6])
        fired, parts = ops.Fired(trains, saved[6]), saved[7:]
        need = ctx.needs_input_grad[2:]
        # The order of parts is weight, delay, recurrent weight, recurrent delay.
        arguments = _arguments(ctx.layer, parts)
        found = ops.backward(arguments, inputs, fired, grads[3].contiguous(), need)
        return None, None, *found


def _arguments(layer: EventLIF, parts: tuple[Tensor | None, ...]) -> ops.Layer:
    weights, delays, recurrent_weights, recurrent_delays = parts
    assert weights is not None
    return ops.Layer(
        constants=(layer.tau_mem, layer.tau_syn, layer.threshold),
        sizes=[layer.out_features, layer.in_features],
        weights=weights,
        delays=delays,
        recurrent_weights=recurrent_weights,
        recurrent_delays=recurrent_delays,
        until=layer.until,
        limit=layer.max_spikes,
    )
