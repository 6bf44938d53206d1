"""Losses of when output neurons fire."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.arguments import as_tensor, as_tensor_like, expect_choice, with_values
from bitspike.decode.lengths import checked_lengths, step_count
from bitspike.decode.recordings import by_label, checked, labels, spike_times

from ._loss import LossFunctions

Times = float | Sequence[float] | Tensor


class SpikeTime(nn.Module):
    r"""Spike times of a recording, and those that are wanted.

    .. math::
        f = \min\{t : S[t] > 0\}, \qquad \frac{\partial f}{\partial S[f]} := -1

    A neuron that is silent counts as firing at the last step, ``T-1``, where it has this gradient
    too. A wanted time below zero counts from the end: -1 is the last step.

    Source: snnTorch 1.0 (Eshraghian et al. 2023), without its mistakes: wanted times are not
    clamped at those of the correct class, ``targets`` are left as they are, amplitudes other than
    one are spikes, and the n-th spike of a neuron does not hide those of others.

    Args:
        target_is_time: Whether ``targets`` are times. If not, they are labels.
        on_target: The time wanted of the correct class; with ``multi_spike`` a sequence of them.
        off_target: The time wanted of the others, likewise.
        tolerance: A spike nearer than this to its wanted time is taken to be on time; its
            gradient still reaches the spikes.
        multi_spike: Whether to take the first ``F`` spikes of a neuron.

    Shapes:
        Spikes ``[T, B, C]``; labels ``[B]`` or times ``[B, C]``, with ``multi_spike``
        ``[F, B, C]`` (or what broadcasts to it). Returned are the times and the wanted times, of
        that shape, in float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or ``on_target`` and ``off_target`` of different lengths.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]]).unsqueeze(1)
        >>> SF.SpikeTime()(spikes, torch.tensor([0]))
        (tensor([[2., 1., 3.]]), tensor([[0., 3., 3.]]))
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
    ) -> None:
        super().__init__()
        self.target_is_time = target_is_time
        self.tolerance = tolerance
        self.multi_spike = multi_spike
        self._pairs = [] if target_is_time else _pairs(on_target, off_target, multi_spike)

    def forward(
        self, spk_out: Tensor, targets: Tensor, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The times, and the wanted times.

        Args:
            spk_out: Spikes.
            targets: Labels or times.
            lengths: How many steps each sample has, ``[B]``, in a padded batch, of 1 to ``T``: a
                spike behind is none, and the last step is that of the sample.
        """
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes)
        wanted = self._wanted(spikes, targets, step_count(spikes, lengths))
        times = spike_times(spikes, len(wanted), lengths)
        # What is on time is moved by a constant, which leaves its gradient.
        on_time = (times - wanted).abs() < self.tolerance
        times = torch.where(on_time, wanted + (times - times.detach()), times)
        return (times, wanted) if self.multi_spike else (times[0], wanted[0])

    def _wanted(self, spikes: Tensor, targets: Tensor, steps: int | Tensor) -> Tensor:
        """Wanted times ``[F, B, C]``."""
        _, *shape = spikes.shape
        if self.target_is_time:
            wanted = self._given(as_tensor_like(targets, "targets", spikes).detach(), shape)
        else:
            wanted = self._of(spikes, targets)
        return torch.where(wanted < 0, wanted + steps, wanted)

    def _given(self, targets: Tensor, shape: list[int]) -> Tensor:
        wanted = targets if self.multi_spike else targets.unsqueeze(0)
        whole = (wanted.shape[0] if wanted.dim() else 0, *shape)
        fits = wanted.dim() == 3 or (wanted.dim() < 3 and not self.multi_spike)
        sizes = zip(reversed(wanted.shape), reversed(whole), strict=False)
        if not fits or not whole[0] or any(size not in (1, full) for size, full in sizes):
            first = "F, " if self.multi_spike else ""
            raise ValueError(
                f"targets must be times [{first}{shape[0]}, {shape[1]}], "
                f"not of shape {tuple(targets.shape)}"
            )
        return wanted.expand(whole)

    def _of(self, spikes: Tensor, targets: Tensor) -> Tensor:
        index = labels(targets, spikes.shape[1], spikes.device)
        return torch.stack([by_label(index, on, off, spikes) for on, off in self._pairs])


def _pairs(on_target: Times, off_target: Times, several: bool) -> list[tuple[float, float]]:
    """The wanted times of each spike, for the correct class and for the others."""
    on, off = (
        with_values(as_tensor(times, name, torch.device("cpu"), torch.float64), name)
        .reshape(-1)
        .tolist()
        for name, times in (("on_target", on_target), ("off_target", off_target))
    )
    if len(on) != len(off) or not on or (len(on) > 1 and not several):
        number = "equally many times" if several else "one time each"
        raise ValueError(
            f"on_target and off_target must hold {number} with multi_spike={several}, "
            f"not {on_target} and {off_target}"
        )
    return list(zip(on, off, strict=True))


class mse_temporal_loss(LossFunctions):
    r"""Mean squared error of spike times, as shares of the recording.

    .. math::
        L = \mathrm{MSE}(f/T,\ \hat f/T)

    with the times :math:`f` and the wanted times :math:`\hat f` of :class:`SpikeTime`. Spikes
    after the last one that has a wanted time cost nothing.

    Source: snnTorch 1.0 (Eshraghian et al. 2023). There the default targets are all step 0.

    Args:
        target_is_time: Whether ``targets`` are times. If not, they are labels.
        on_target: The time wanted of the correct class; with ``multi_spike`` a sequence of them.
        off_target: The time wanted of the others, likewise; below zero it counts from the end.
        tolerance: A spike nearer than this to its wanted time costs nothing.
        multi_spike: Whether to take the first ``F`` spikes of a neuron.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over all times.
        weight: One factor per class; it scales the errors of the samples with that label.

    Shapes:
        Those of :class:`SpikeTime`; the loss is a number, or ``[B, C]`` (``[F, B, C]``) for
        ``"none"``.

    Raises:
        ValueError: for other shapes, or for ``weight`` without labels.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0], [1, 0], [0, 0], [0, 1]]).unsqueeze(1)
        >>> SF.mse_temporal_loss()(spikes, torch.tensor([0]))
        tensor(0.0312)
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        if target_is_time and weight is not None:
            raise ValueError("weight needs labels, and target_is_time=True has none")
        super().__init__(reduction, weight)
        self.spk_time_fn = SpikeTime(target_is_time, on_target, off_target, tolerance, multi_spike)

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        targets = as_tensor(targets, "targets", spikes.device)
        times, wanted = self.spk_time_fn(spikes, targets, lengths=lengths)
        steps = step_count(spikes, checked_lengths(lengths, spikes))
        return self._squared_error(times / steps, wanted / steps, targets.long())


class ce_temporal_loss(LossFunctions):
    r"""Cross-entropy of first spike times, where an earlier spike is a higher score.

    .. math::
        L = \mathrm{CE}(-f,\ y) \quad\text{or}\quad \mathrm{CE}\big(1/(f+1),\ y\big)

    with the times :math:`f` of :class:`SpikeTime`. Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        inverse: ``"negate"`` or ``"reciprocal"``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class. Here, unlike in the other losses, the weighted mean is
            divided by the sum of the weights, as in torch.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B]`` for ``"none"``. It
        is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or another ``inverse``.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0], [1, 0], [0, 0], [0, 1]]).unsqueeze(1)
        >>> SF.ce_temporal_loss()(spikes, torch.tensor([0]))
        tensor(0.1269)
    """

    def __init__(
        self, inverse: str = "negate", reduction: str = "mean", weight: Tensor | None = None
    ) -> None:
        expect_choice("inverse", inverse, ("negate", "reciprocal"))
        super().__init__(reduction, weight)
        self.inverse = inverse

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        times = spike_times(spikes, 1, checked_lengths(lengths, spikes))[0]
        scores = -times if self.inverse == "negate" else 1 / (times + 1)
        index = labels(targets, scores.shape[0], scores.device)
        return F.cross_entropy(scores, index, self._weights(scores), reduction=self.reduction)


class mse_relative_temporal_loss(LossFunctions):
    r"""Mean squared error of spike times relative to that of the correct neuron.

    .. math::
        \hat f_i = \begin{cases} f_y + m & i \ne y,\ f_i < f_y + m \\ f_i & \text{else}
        \end{cases}, \qquad L = \mathrm{MSE}(f/T,\ \hat f/T)

    Neurons of other classes that fire before the margin are pushed later, and all others are left
    alone. With ``detach_target`` the correct neuron has no gradient: combine it with another loss.

    Source: Eshraghian et al. 2023, Proc. IEEE 111(9), mean-square relative spike time.

    Args:
        margin: How many steps later than the correct neuron the others shall fire.
        detach_target: Whether wanted times are constants to autograd.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over batch and classes.
        weight: One factor per class; it scales the errors of the samples with that label.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B, C]`` for ``"none"``.
        It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]]).unsqueeze(1)
        >>> SF.mse_relative_temporal_loss(margin=3)(spikes, torch.tensor([0]))
        tensor(0.1250)
    """

    def __init__(
        self,
        margin: float,
        detach_target: bool = True,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.margin = margin
        self.detach_target = detach_target

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes)
        times = spike_times(spikes, 1, lengths)[0]
        index = labels(targets, times.shape[0], times.device)
        correct = index.unsqueeze(1) == torch.arange(times.shape[1], device=index.device)
        earliest = times.gather(1, index.unsqueeze(1)) + self.margin
        wanted = torch.where(~correct & (times < earliest), earliest, times)
        wanted = wanted.detach() if self.detach_target else wanted
        steps = step_count(spikes, lengths)
        return self._squared_error(times / steps, wanted / steps, index)
