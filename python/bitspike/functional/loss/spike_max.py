"""The loss of which neuron fires most, in a window of time."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from bitspike.arguments import expect_choice
from bitspike.decode.lengths import checked_lengths, silenced, step_count
from bitspike.decode.recordings import checked, counts, labels

from ._loss import LossFunctions, reduced


class spike_max_loss(LossFunctions):
    r"""Negative log-likelihood of the label, whose probability is its share of the spikes.

    .. math::
        L = -\frac1T \sum_t \ln p_y[t], \qquad
        p_c[t] = \frac{\max(1, n_c[t])}{\sum_k \max(1, n_k[t])}, \qquad
        n_c[t] = \sum_{s=0}^{W-1} S_c[t-s]

    A silent neuron counts as one that fired once, and its gradient is that of its count as if
    there were no bound, :math:`(p_c - [c = y])/\max(1, n_c)`, so that it can learn. With
    ``mode="softmax"`` the probabilities are the softmax of the rates :math:`n_c / W`. Without
    ``window`` there is one window, the whole recording, and packed spikes are counted as bits.

    Source: Spikemax (Shrestha, Zhu & Sun 2022, IJCNN), with the bound and the gradient of its
    authors' program; the mode is that of lava-dl.

    Args:
        window: How many steps ``W`` are counted, up to and with each one.
        mode: ``"probability"`` or ``"softmax"``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class. The weighted mean is divided by the batch size, and not by
            the sum of the weights as in torch.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B]`` for ``"none"``. It
        is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, another ``mode``, or a ``window`` of less than one step.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[1.0, 0], [1, 0], [1, 1], [0, 0]]).unsqueeze(1)
        >>> SF.spike_max_loss()(spikes, torch.tensor([0])).exp()
        tensor(1.3333)
    """

    def __init__(
        self,
        window: int | None = None,
        mode: str = "probability",
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        if window is not None and window < 1:
            raise ValueError(f"window must be one step or more, not {window}")
        expect_choice("mode", mode, ("probability", "softmax"))
        super().__init__(reduction, weight)
        self.window = window
        self.mode = mode

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        index = labels(targets, spikes.shape[1], spikes.device)
        lengths = checked_lengths(lengths, spikes)
        windows, steps = lengths, step_count(spikes, lengths)
        if self.window is None:
            # One window, of the steps of each sample: no mean is left to be taken.
            windows, fired = None, counts(spikes, lengths).unsqueeze(0)
        else:
            steps, fired = self.window, _counts_in_windows(silenced(spikes, lengths), self.window)
        # The softmax of the logarithms of counts is their share.
        scores = _at_least_one(fired).log() if self.mode == "probability" else fired / steps
        per_sample = self._cross_entropy_of_steps(scores, index, windows)
        return per_sample if self.weight is not None else reduced(per_sample, self.reduction)


def _at_least_one(fired: Tensor) -> Tensor:
    """``max(1, counts)``, with the gradient of the counts as if there were no bound."""
    return fired + (fired.clamp(min=1) - fired).detach()


def _counts_in_windows(spikes: Tensor, window: int) -> Tensor:
    """How often neurons fired in the last steps up to each one, ``[T, B, C]``."""
    so_far = spikes.cumsum(0)
    return so_far - F.pad(so_far, (0, 0, 0, 0, window, 0))[: len(so_far)]
