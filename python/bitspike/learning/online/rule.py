"""What an online rule consists of: trace, recurrence, signal, and filter or schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from bitspike.arguments import expect_choice

RECURRENCES: dict[str, tuple[str, ...]] = {
    "none": ("none",),
    "input": ("leak",),
    "synapse": ("leak", "self", "full"),
    "pair": ("leak",),
    "rank1": ("full",),
}
"""The recurrences that go with each trace."""

SIGNALS = ("backprop", "random", "target", "local", "reward")


@dataclass(frozen=True, kw_only=True)
class Rule:
    r"""A point in the table of online rules; presets are functions that return one.

    The gradient of a weight is a sum over steps of a learning signal times an eligibility,
    ``∂W_ij = Σ_t L_i[t]·e_ij[t]``. The rule says what of the past ``e`` holds and what ``L`` is.

    Args:
        name: What errors and warnings call it.
        trace: What is kept between steps: ``"none"``; ``"input"``, a filtered input per synapse's
            source; ``"synapse"``, the influence of each weight on the states behind it (kept as a
            filtered input where that is the same); ``"pair"``, a trace on either side; ``"rank1"``,
            one random direction.
        recurrence: What of a step's derivative by the states before it the trace goes through:
            ``"none"``; ``"leak"``, without what comes back from the layer's own spikes; ``"self"``,
            with what each neuron sends to itself; ``"full"``, with all that the layer sends.
        signal: ``"backprop"``, the gradient of the loss through this step; ``"random"``, the
            error of the output through a fixed matrix; ``"target"``, minus the target through one;
            ``"local"``, that of a readout of each layer; ``"reward"``, a number that comes later.
        kappa: Decay of a filter on ``e``, or 0 for none.
        leak: Decay of the input's trace; by default that of the neuron behind, ``beta``.
        gain: What ``e`` is multiplied with.
        post: For ``"pair"``: decay and weight of the trace of the surrogate's derivative, which
            multiplies the present input.
        mean: For ``"pair"``: instead of the surrogate's derivative, its mean with decay ``leak``.
        feedback: For ``"random"`` and ``"target"``: ``"random"``, ``"adaptive"``, or the matrices
            ``[outputs, neurons]`` by the name of the neuron.
        steps: Learn in ``(k, of)`` steps only, ``k`` random ones of each ``of``.
        rate: The probability that a step with a target is an event, at which alone is learned.
        rate_cost: Weight and target of a cost on each neuron's mean rate.
        reach: For ``recurrence="full"``: the steps within which an influence must arrive at a
            neuron to be followed; by default any number.
        reset: Whether neurons must have resets with (``"live"``) or without (``"detached"``) a
            gradient.
        outputs: For ``"local"``: what the readouts of the layers have.
        criterion: For ``"local"``: a loss of their output ``[B, outputs]`` and the target.
        seed: Of all that is random.

    Raises:
        ValueError: for an unknown word, and for what does not go together.

    Example:
        >>> from bitspike.learning import online
        >>> online.Rule(trace="input", recurrence="leak").signal
        'backprop'
    """

    name: str = "Rule"
    trace: str = "synapse"
    recurrence: str = "self"
    signal: str = "backprop"
    kappa: float = 0.0
    leak: float | None = None
    gain: float = 1.0
    post: tuple[float, float] | None = None
    mean: bool = False
    feedback: str | dict[str, Tensor] = "random"
    steps: tuple[int, int] | None = None
    rate: float | None = None
    rate_cost: tuple[float, float] | None = None
    reach: int | None = None
    reset: str | None = None
    outputs: int | None = None
    criterion: Callable[[Tensor, Tensor], Tensor] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("trace", self.trace, tuple(RECURRENCES))
        expect_choice("signal", self.signal, SIGNALS)
        if self.recurrence not in RECURRENCES[self.trace]:
            self._refuse(
                f"trace={self.trace!r} goes with recurrence in {RECURRENCES[self.trace]}, not with "
                f"{self.recurrence!r}"
            )
        for name in ("kappa", "leak"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                self._refuse(f"{name} must be a decay from 0 to 1, not {value}")
        if self.rate is not None and not 0 <= self.rate <= 1:
            self._refuse(f"rate must be a probability, not {self.rate}")
        if self.steps is not None and not 1 <= self.steps[0] <= self.steps[1]:
            self._refuse(f"steps must be (k, of) with 1 <= k <= of, not {self.steps}")
        if self.reach is not None and (self.recurrence != "full" or self.trace != "synapse"):
            self._refuse("reach is that of trace='synapse' with recurrence='full'")
        if self.reach is not None and self.reach < 1:
            self._refuse(f"reach must be a number of steps from 1 on, not {self.reach}")
        if self.leak is not None and self.trace not in ("input", "pair"):
            self._refuse("leak is the decay of trace='input' or 'pair'; trace='synapse' follows it")
        if self.gain != 1 and self.trace == "synapse":
            self._refuse("gain is for other traces than 'synapse'; scale the loss instead")
        if (self.post is not None or self.mean) != (self.trace == "pair"):
            self._refuse("trace='pair', and no other, needs post or mean")
        if self.kappa and self.trace in ("pair", "rank1", "input"):
            self._refuse(
                f"kappa filters the eligibility of each synapse, which trace={self.trace!r} does "
                "not hold; take trace='synapse' or 'none'"
            )
        if self.signal == "reward" and self.trace not in ("none", "synapse"):
            self._refuse("signal='reward' is paid to trace='synapse' or 'none'")
        if (self.outputs is None) != (self.signal != "local"):
            self._refuse("outputs, the size of the readouts, goes with signal='local' alone")
        if self.rate is not None and self.signal != "target":
            self._refuse("rate is that of events with a target: it needs signal='target'")

    def _refuse(self, why: str) -> None:
        raise ValueError(f"{self.name}: {why}")

    @property
    def carries(self) -> bool:
        """Whether the influence of parameters on the states is carried along."""
        return self.trace in ("synapse", "rank1")
