"""The rules of the literature with signals of their own, as points in the table of `Rule`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from bitspike.arguments import expect_choice

from .rule import Rule


def EProp(
    kappa: float = 0.0,
    feedback: str | dict[str, Tensor] = "symmetric",
    c_reg: float = 0.0,
    rate: float = 0.1,
    seed: int = 0,
) -> Rule:
    r"""Eligibility propagation (Bellec et al. 2020).

    ``ē[t] = κē[t-1] + e[t]`` and ``∂W = Σ_t L[t]·ē[t]``: trace ``synapse``, recurrence ``leak``.
    Spikes that come back to a layer count as given. With symmetric feedback, and ``kappa`` the
    decay of a readout ``LI`` whose weights do not change meanwhile, it is exact for one hidden
    layer without recurrent connection.

    Memory for each sample: ``n`` for leaky neurons and ``kappa=0``, else ``m·n``, for ALIF neurons
    ``2m·n``.

    Args:
        kappa: Decay of the filter.
        feedback: ``"symmetric"``: errors through the weights of the layers above, at the same step;
            ``"random"``: the error of the output through a fixed matrix for each hidden layer;
            ``"adaptive"``: a matrix that learns as the readout does, see `Learner.feedback`; or the
            matrices ``[outputs, neurons]`` by the names of neurons.
        c_reg: Weight of a cost on each neuron's distance from a mean rate.
        rate: That rate.
        seed: Of random feedback.

    Raises:
        ValueError: for another word, and if ``kappa`` is no decay.

    Example:
        >>> from bitspike.learning import online
        >>> online.EProp(kappa=0.9, feedback="random").signal
        'random'
    """
    symmetric = isinstance(feedback, str) and feedback == "symmetric"
    if isinstance(feedback, str):
        expect_choice("feedback", feedback, ("symmetric", "random", "adaptive"))
    return Rule(
        name="EProp",
        trace="synapse",
        recurrence="leak",
        signal="backprop" if symmetric else "random",
        kappa=kappa,
        feedback="random" if symmetric else feedback,
        rate_cost=(c_reg, rate) if c_reg else None,
        seed=seed,
    )


def DECOLLE(
    outputs: int,
    criterion: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> Rule:
    r"""Deep continuous local learning (Kaiser et al. 2020).

    Each layer of spiking neurons has a fixed random readout, and its own loss; no error leaves the
    layer: trace ``synapse``, signal ``local``. ``learner(x, target=y)`` fills ``learner.losses``;
    call ``learner.loss.backward()``. Exact on the sum of these losses, for each layer.

    Args:
        outputs: What a readout has.
        criterion: A loss of outputs ``[B, outputs]`` and the target; by default cross entropy.
        seed: Of the readouts.

    Example:
        >>> from bitspike.learning import online
        >>> online.DECOLLE(outputs=10).signal
        'local'
    """
    return Rule(
        name="DECOLLE",
        trace="synapse",
        recurrence="leak",
        signal="local",
        outputs=outputs,
        criterion=criterion,
        seed=seed,
    )


def ETLP(rate: float = 0.1, feedback: str | dict[str, Tensor] = "random", seed: int = 0) -> Rule:
    r"""Event-based three-factor local plasticity (Quintana et al. 2024).

    At events alone hidden layers get minus the target through a fixed matrix, and the output its
    distance to the target: trace ``synapse``, recurrence ``leak``, signal ``target``.
    ``learner(x, target=y)`` draws whether a step is an event; or call ``learner.event(y)``.

    Args:
        rate: The probability of an event.
        feedback: ``"random"``, or matrices ``[outputs, neurons]`` by the names of neurons.
        seed: Of all that is drawn.

    Raises:
        ValueError: if ``rate`` is no probability.

    Example:
        >>> from bitspike.learning import online
        >>> online.ETLP(rate=0.25).rate
        0.25
    """
    return Rule(
        name="ETLP",
        trace="synapse",
        recurrence="leak",
        signal="target",
        rate=rate,
        feedback=feedback,
        seed=seed,
    )


def OSTTP(feedback: str | dict[str, Tensor] = "random", seed: int = 0) -> Rule:
    r"""Online spatio-temporal learning with target projection (Ortner et al. 2023).

    As `OSTL`, but hidden layers get minus the target through a fixed matrix, and the last one the
    gradient of the loss: signal ``target``. Call ``learner(x, target=y)``.

    Args:
        feedback: ``"random"``, or matrices ``[outputs, neurons]`` by the names of neurons.
        seed: Of random ones.

    Example:
        >>> from bitspike.learning import online
        >>> online.OSTTP().signal
        'target'
    """
    return Rule(
        name="OSTTP",
        trace="synapse",
        recurrence="full",
        signal="target",
        feedback=feedback,
        seed=seed,
    )
