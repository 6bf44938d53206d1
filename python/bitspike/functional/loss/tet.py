"""The loss of each step: temporal efficient training."""

from __future__ import annotations

from torch import Tensor

from bitspike.decode.lengths import checked_lengths, mean_over_steps, silenced
from bitspike.decode.recordings import checked, labels

from ._loss import LossFunctions, reduced


class tet_loss(LossFunctions):
    r"""Cross-entropy of each step, with a pull of all outputs to one value.

    .. math::
        L = \frac1T \sum_t \Big[(1-\lambda)\,\mathrm{CE}(O[t],\ y)
        + \lambda\,\mathrm{MSE}(O[t],\ \varphi)\Big]

    The outputs ``O`` are as a rule the currents of the last layer, which does not fire. According
    to the source a loss per step finds flatter minima than one of the average over time, and the
    pull keeps single outputs from dominating.

    Source: temporal efficient training (Deng, Li, Zhang & Gu 2022, ICLR).

    Args:
        lam: The share ``λ`` of the pull.
        phi: The value ``φ`` that outputs are pulled to, as a rule the threshold.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class; it scales both terms of the samples with that label.

    Shapes:
        Outputs ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B]`` for ``"none"``. It
        is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or a ``lam`` outside ``[0, 1]``.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.tet_loss(lam=0.5, phi=1.0)(torch.zeros(5, 2, 10), torch.tensor([3, 7]))
        tensor(1.6513)
    """

    def __init__(
        self,
        lam: float = 0.05,
        phi: float = 1.0,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        if not 0 <= lam <= 1:
            raise ValueError(f"lam must be in [0, 1], not {lam}")
        super().__init__(reduction, weight)
        self.lam = lam
        self.phi = phi

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        outputs = checked(spk_out)
        index = labels(targets, outputs.shape[1], outputs.device)
        lengths = checked_lengths(lengths, outputs)
        outputs = silenced(outputs, lengths)
        entropy = self._cross_entropy_of_steps(outputs, index, lengths)
        pull = (outputs - self.phi) ** 2
        pull = pull.mean((0, 2)) if lengths is None else mean_over_steps(pull.mean(2), lengths)
        weights = self._weights(outputs)
        pull = pull if weights is None else pull * weights[index]
        loss = (1 - self.lam) * entropy + self.lam * pull
        return loss if weights is not None else reduced(loss, self.reduction)
