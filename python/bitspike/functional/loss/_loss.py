"""What all losses share: reduction and class weights."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from bitspike.arguments import as_tensor_like, expect_choice
from bitspike.decode.lengths import mean_over_steps
from bitspike.one_call import one_call

REDUCTIONS = ("mean", "sum", "none")


class LossFunctions:
    r"""Base class of losses: a subclass says in ``_compute_loss`` what a recording costs.

    ``_compute_loss`` reduces as :meth:`_intermediate_reduction` says: at once, or, where weights
    of classes have to be applied first, not at all.

    ``_compute_loss`` gets ``lengths`` as a keyword where a call has them; one without raises.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class, ``[C]``.

    Raises:
        ValueError: for another ``reduction``.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> class silence(SF.LossFunctions):
        ...     def _compute_loss(self, spk_out, targets):
        ...         return spk_out.sum(0).mean()
        >>> silence("mean", None)(torch.ones(5, 2, 3), None)
        tensor(5.)
    """

    def __init__(self, reduction: str = "mean", weight: Tensor | None = None) -> None:
        expect_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction
        self.weight = weight
        self.__name__ = type(self).__name__

    @one_call
    def __call__(
        self, spk_out: Tensor, targets: Tensor, *, lengths: Tensor | None = None
    ) -> Tensor:
        """The loss of a recording ``[T, B, C]``.

        Args:
            spk_out: The recording.
            targets: What is wanted of it.
            lengths: How many steps each sample has, ``[B]``, where a batch is padded, as
                :func:`bitspike.events.collate` returns them: the loss is that of samples cut to
                them, and what stands behind has no gradient.

        Raises:
            TypeError: for lengths that are booleans, or no tensor.
            ValueError: for lengths that are no whole numbers, or more than ``T``, or 0 where the
                loss divides by them or takes times or maxima; and what the loss raises itself.
        """
        options = {} if lengths is None else {"lengths": lengths}
        return self._reduce(self._compute_loss(spk_out, targets, **options))

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _compute_loss")

    def _intermediate_reduction(self) -> str:
        return self.reduction if self.weight is None else "none"

    def _reduce(self, loss: Tensor) -> Tensor:
        return loss if self.weight is None else reduced(loss, self.reduction)

    def _weights(self, like: Tensor) -> Tensor | None:
        """The weights in the dtype and on the device of ``like [*, C]``."""
        if self.weight is None:
            return None
        weight = as_tensor_like(self.weight, "weight", like)
        if weight.shape != like.shape[-1:]:
            raise ValueError(
                f"weight must hold one number for each of the {like.shape[-1]} classes, "
                f"not have shape {tuple(weight.shape)}"
            )
        return weight

    def _cross_entropy(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of ``[B, C]``."""
        reduction = self._intermediate_reduction()
        return F.cross_entropy(scores, labels, self._weights(scores), reduction=reduction)

    def _cross_entropy_of_steps(
        self, scores: Tensor, labels: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        """Cross-entropy of ``[T, B, C]``, averaged over time: ``[B]``."""
        steps, batch, _ = scores.shape
        # One call, with time folded into the batch.
        per_step = F.cross_entropy(
            scores.flatten(0, 1), labels.repeat(steps), self._weights(scores), reduction="none"
        )
        return mean_over_steps(per_step.view(steps, batch), lengths)

    def _squared_error(
        self, actual: Tensor, wanted: Tensor, labels: Tensor, steps: Tensor | None = None
    ) -> Tensor:
        """Squares of differences ``[*, B, C]``, those of a sample times the weight of its class.

        Those of a sample are divided by its steps ``[B, 1]``, where these differ.
        """
        reduction = self._intermediate_reduction()
        if steps is None:
            loss = F.mse_loss(actual, wanted, reduction=reduction)
        else:
            loss = reduced(F.mse_loss(actual, wanted, reduction="none") / steps, reduction)
        weights = self._weights(actual)
        return loss if weights is None else loss * weights[labels].unsqueeze(-1)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum over samples, or the losses of all samples."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()
