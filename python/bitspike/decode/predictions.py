"""Which class, or which decision, a recording of output spikes stands for."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, expect_choice, with_values

from .decisions import first_spike, most_spikes, most_spikes_earliest
from .lengths import checked_lengths, silenced
from .recordings import checked, wide


def rate(
    spikes: Tensor,
    ties: Literal["lowest", "earliest"] = "lowest",
    *,
    lengths: Tensor | None = None,
) -> Tensor:
    r"""The class that fires most.

    .. math::
        \hat y_b = \arg\max_c \sum_t S[t,b,c]

    Packed spikes are counted as bits. :func:`bitspike.functional.accuracy_rate` is the share of
    samples for which this is the label.

    Source: Eshraghian et al. (2023), Proc. IEEE 111(9).

    Args:
        spikes: ``[T, B, C]``.
        ties: Which of the classes of equal count wins: the one of the ``"lowest"`` index, or the
            one whose first spike is ``"earliest"``, and of these that of the lowest index.
        lengths: How many steps each sample has, ``[B]``, in a padded batch; what stands behind
            does not count.

    Returns:
        Predictions, int64 ``[B]``.

    Raises:
        ValueError: for another shape, no step, lengths beyond 0 to ``T`` (1 to ``T`` with
            ``"earliest"``), or another value of ``ties``.

    Example:
        >>> spikes = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 1, 1]]).unsqueeze(1)
        >>> snn.decode.rate(spikes), snn.decode.rate(spikes, ties="earliest")
        (tensor([1]), tensor([2]))
    """
    expect_choice("ties", ties, ("lowest", "earliest"))
    recording = _checked(spikes)
    if ties == "lowest":
        return most_spikes(recording, lengths=checked_lengths(lengths, recording, least=0))
    return most_spikes_earliest(recording, lengths=checked_lengths(lengths, recording))


def latency(
    spikes: Tensor,
    silent: Literal["last", "never"] = "last",
    *,
    lengths: Tensor | None = None,
) -> Tensor:
    r"""The class that fires first.

    .. math::
        \hat y_b = \arg\min_c f_{b,c}, \qquad f_{b,c} = \min\{t : S[t,b,c] > 0\}

    :func:`bitspike.functional.accuracy_temporal` is the share of samples for which this is the
    label.

    Source: Eshraghian et al. (2023), Proc. IEEE 111(9).

    Args:
        spikes: ``[T, B, C]``.
        silent: What ``f`` is for a neuron that does not fire: ``"last"``, which is ``T-1`` as in
            losses and accuracies, or ``"never"``, which is ``T``: then it does not win against
            one that fires at the last step. Where all are silent the prediction is class 0.
        lengths: How many steps each sample has, ``[B]``, in a padded batch; a spike behind is none.

    Returns:
        Predictions, int64 ``[B]``.

    Raises:
        ValueError: for another shape, no step, lengths beyond 1 to ``T``, or another ``silent``.

    Example:
        >>> spikes = torch.tensor([[0.0, 0], [0, 1]]).unsqueeze(1)
        >>> snn.decode.latency(spikes), snn.decode.latency(spikes, silent="never")
        (tensor([0]), tensor([1]))
    """
    expect_choice("silent", silent, ("last", "never"))
    recording = _checked(spikes)
    lengths = checked_lengths(lengths, recording)
    return first_spike(recording, silent_fires=silent == "last", lengths=lengths)


def population(
    spikes: Tensor,
    num_classes: int,
    code: Literal["rate", "latency"] = "rate",
    *,
    ties: Literal["lowest", "earliest"] = "lowest",
    silent: Literal["last", "never"] = "last",
    lengths: Tensor | None = None,
) -> Tensor:
    r"""The class whose neurons fire most together, or one of whose neurons fires first.

    Class :math:`c` owns the :math:`c`-th of :math:`K` equal blocks of neurons,
    :math:`G_c = \{cC/K, \dots, (c+1)C/K - 1\}`:

    .. math::
        \hat y_b = \arg\max_c \sum_{i \in G_c} \sum_t S[t,b,i]
        \qquad\text{or}\qquad
        \hat y_b = \arg\min_c \min_{i \in G_c} f_{b,i}

    Source: Eshraghian et al. (2023), Proc. IEEE 111(9).

    Args:
        spikes: ``[T, B, C]``.
        num_classes: ``K``, which divides ``C``.
        code: ``"rate"``, the first of the equations, or ``"latency"``, the second.
        ties: As for :func:`rate`; without effect on ``"latency"``.
        silent: As for :func:`latency`; without effect on ``"rate"``.
        lengths: As for :func:`rate` and :func:`latency`.

    Returns:
        Predictions, int64 ``[B]``.

    Raises:
        ValueError: for another shape, no step, lengths that are too short or longer than ``T``, a
            ``num_classes`` that does not divide the outputs, or another value of ``code``,
            ``ties`` or ``silent``.

    Example:
        >>> spikes = torch.tensor([[0.0, 0, 1, 0], [1, 1, 0, 1], [0, 1, 0, 0]]).unsqueeze(1)
        >>> snn.decode.population(spikes, 2), snn.decode.population(spikes, 2, code="latency")
        (tensor([0]), tensor([1]))
    """
    expect_choice("code", code, ("rate", "latency"))
    expect_choice("ties", ties, ("lowest", "earliest"))
    expect_choice("silent", silent, ("last", "never"))
    recording = _checked(spikes)
    only_counts = code == "rate" and ties == "lowest"
    lengths = checked_lengths(lengths, recording, least=0 if only_counts else 1)
    if code == "latency":
        return first_spike(recording, True, num_classes, silent == "last", lengths)
    decide = most_spikes if ties == "lowest" else most_spikes_earliest
    return decide(recording, True, num_classes, lengths)


class Decision(NamedTuple):
    """What was decided for each sample, and when."""

    prediction: Tensor
    """Classes, int64 ``[B]``."""

    step: Tensor
    """The step of each decision, int64 ``[B]``: its mean is the decision latency."""


def early_exit(
    spikes: Tensor, margin: float | None = None, *, lengths: Tensor | None = None
) -> Decision:
    r"""Decides for each sample as soon as its spikes allow: see :class:`EarlyExit`.

    Args:
        spikes: ``[T, B, C]``.
        margin: By how much the largest count must exceed the second; by default the first spike
            decides.
        lengths: As for :func:`latency`.

    Returns:
        Predictions and the steps at which they were made. A sample that remains undecided gets
        the answer of its counts at its last step, ``T-1`` or ``lengths - 1``.

    Raises:
        ValueError: for another shape, no step, lengths beyond 1 to ``T``, a ``margin`` that is not
            positive, or one for a single class.

    Example:
        >>> spikes = torch.tensor([[0.0, 1], [1, 0], [1, 0], [1, 0]]).unsqueeze(1)
        >>> snn.decode.early_exit(spikes)
        Decision(prediction=tensor([1]), step=tensor([0]))
        >>> snn.decode.early_exit(spikes, margin=2)
        Decision(prediction=tensor([0]), step=tensor([3]))
    """
    decision = EarlyExit(margin)
    recording = _checked(spikes)
    with_values(recording, "spikes")
    lengths = checked_lengths(lengths, recording)
    for step in silenced(recording, lengths).unbind(0):
        if decision.update(step).all():
            break
    # Silence decides nothing: what is undecided at the end of the batch was so at its own end.
    step = decision.step if lengths is None else decision.step.minimum(lengths - 1)
    return Decision(decision.prediction, step)


class EarlyExit:
    r"""Decides while the spikes arrive, one step at a time.

    A sample is decided at the first step :math:`t` at which one of its outputs fires, or, with a
    margin :math:`m`, at which the largest of its counts leads by that much:

    .. math::
        \exists c: S[t,b,c] > 0
        \qquad\text{or}\qquad
        n_{(1)} - n_{(2)} \ge m, \quad n_c = \sum_{s \le t} S[s,b,c]

    and its prediction is the class that fires then, or the one that leads. What comes later does
    not change it. Until then the prediction is that of :func:`rate` for the spikes so far.

    Source: for the first spike Mostafa (2018), IEEE Trans. Neural Networks and Learning Systems
    29(7); for the margin the sequential test of Wald (1945), Ann. Math. Statist. 16(2).

    Args:
        margin: :math:`m`; by default the first spike decides.

    Raises:
        ValueError: if ``margin`` is not positive.

    Example:
        >>> decision = snn.decode.EarlyExit(margin=2)
        >>> for step in torch.tensor([[[1.0, 0], [0, 1]], [[1, 0], [1, 0]], [[0, 1], [1, 1]]]):
        ...     print(decision.update(step))
        tensor([False, False])
        tensor([ True, False])
        tensor([ True, False])
        >>> decision.prediction, decision.step
        (tensor([0, 0]), tensor([1, 2]))
    """

    decided: Tensor
    """Whether each sample is decided, bool ``[B]``; like the others, empty before any step."""

    prediction: Tensor
    """The class of each sample, int64 ``[B]``."""

    step: Tensor
    """The step at which each sample was decided, or else the latest one, int64 ``[B]``."""

    def __init__(self, margin: float | None = None) -> None:
        if margin is not None and not margin > 0:
            raise ValueError(f"margin must be positive, but is {margin}")
        self.margin = margin
        self.decided = torch.zeros(0, dtype=torch.bool, device="cpu")
        self.prediction = self.step = self.decided.to(torch.int64)
        self._counts: Tensor | None = None
        self._steps = 0

    def update(self, spikes: Tensor) -> Tensor:
        """Takes one step of output spikes.

        Args:
            spikes: ``[B, C]``, packed or not.

        Returns:
            Which samples are decided by now, bool ``[B]``.

        Raises:
            ValueError: for another shape than that of the steps before, or a margin with a single
                class.
        """
        counts = self._counted(spikes)
        reached = counts.amax(1) > 0
        if self.margin is not None:
            best = counts.topk(2).values
            reached = best[:, 0] - best[:, 1] >= self.margin
        decided, prediction, step = self.decided, self.prediction, self.step
        if self._counts is None:
            decided = torch.zeros_like(reached)
            prediction = step = decided.to(torch.int64)
        prediction = torch.where(decided, prediction, counts.argmax(1))
        step = torch.where(decided, step, self._steps)
        # All at once: a step that raises above has not been taken.
        self.decided, self.prediction, self.step = decided | reached, prediction, step
        self._counts = counts
        self._steps += 1
        return self.decided

    def _counted(self, spikes: Tensor) -> Tensor:
        device = None if self._counts is None else self._counts.device
        spikes = as_tensor(spikes, "spikes", device)
        before = None if self._counts is None else tuple(self._counts.shape)
        if spikes.dim() != 2 or before not in (None, tuple(spikes.shape)):
            wanted = "[B, C]" if before is None else f"{before} like the steps before"
            raise ValueError(f"spikes must be {wanted}, not {tuple(spikes.shape)}")
        if self.margin is not None and spikes.shape[1] < 2:
            raise ValueError(f"a margin needs two classes, but spikes are {tuple(spikes.shape)}")
        # The sum over one step is that step, which packed spikes give without being unpacked.
        votes = wide(spikes.detach().unsqueeze(0).sum(0))
        if self.margin is None:
            votes = (votes > 0).to(votes.dtype)
        return votes if self._counts is None else self._counts + votes


def _checked(spikes: Tensor) -> Tensor:
    return checked(spikes, "spikes").detach()
