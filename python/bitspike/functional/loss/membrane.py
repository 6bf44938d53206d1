"""Losses of membrane potentials."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from bitspike.arguments import as_tensor, as_tensor_like
from bitspike.decode.lengths import checked_lengths, mean_over_steps, silenced
from bitspike.decode.recordings import by_label, checked, labels, wide

from ._loss import LossFunctions, reduced


class ce_max_membrane_loss(LossFunctions):
    r"""Cross-entropy of the highest membrane potentials.

    .. math::
        L = \mathrm{CE}\big(\max_t U[t],\ y\big)

    Source: SpyTorch (Neftci, Mostafa & Zenke 2019), as in snnTorch 1.0.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class. The weighted mean is divided by the batch size, and not by
            the sum of the weights as in torch.

    Shapes:
        Membranes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B]`` for ``"none"``.
        It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.ce_max_membrane_loss()(torch.ones(5, 2, 10), torch.tensor([3, 7]))
        tensor(2.3026)
    """

    def __init__(self, reduction: str = "mean", weight: Tensor | None = None) -> None:
        super().__init__(reduction, weight)

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        mem = checked(spk_out, "mem_out")
        highest = silenced(mem, checked_lengths(lengths, mem), -math.inf).max(0).values
        return self._cross_entropy(highest, labels(targets, mem.shape[1], mem.device))


class mse_membrane_loss(LossFunctions):
    r"""Mean squared error of membrane potentials, averaged over time.

    .. math::
        L = \frac1T \sum_t \mathrm{MSE}(U[t],\ \hat U[t])

    Source: snnTorch 1.0 (Eshraghian et al. 2023). There ``time_var_targets`` raises.

    Args:
        time_var_targets: Whether the targets are membrane potentials, one for each step. If not,
            they are labels.
        on_target: The potential wanted of the correct class.
        off_target: The potential wanted of the others.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over batch and classes.
        weight: One factor per class; it scales the errors of the samples with that label.

    Shapes:
        Membranes ``[T, B, C]``, labels ``[B]`` or potentials like the membranes, which may then
        have any shape. The loss is ``[1]``, a number with ``weight``, or ``[B, C]`` for
        ``"none"``. It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or for ``weight`` without labels.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.mse_membrane_loss(on_target=2)(torch.zeros(5, 1, 4), torch.tensor([3]))
        tensor([1.])
    """

    def __init__(
        self,
        time_var_targets: bool = False,
        on_target: float = 1,
        off_target: float = 0,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        if time_var_targets and weight is not None:
            raise ValueError("weight needs labels, and time_var_targets=True has none")
        super().__init__(reduction, weight)
        self.time_var_targets = time_var_targets
        self.on_target = on_target
        self.off_target = off_target

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        if self.time_var_targets:
            mem, index = wide(as_tensor(spk_out, "mem_out")), None
            wanted = as_tensor_like(targets, "targets", mem)
            if wanted.shape != mem.shape or not mem.dim() or not mem.shape[0]:
                raise ValueError(
                    f"targets must be [T, B, C] like mem_out {tuple(mem.shape)}, "
                    f"not {tuple(wanted.shape)}"
                )
        else:
            mem = checked(spk_out, "mem_out")
            index = labels(targets, mem.shape[1], mem.device)
            wanted = by_label(index, self.on_target, self.off_target, mem)
        lengths = checked_lengths(lengths, mem)
        # A number behind the end that is not finite has no gradient, and would give it NaN.
        mem, wanted = silenced(mem, lengths), silenced(wanted.expand_as(mem), lengths)
        errors = mean_over_steps(F.mse_loss(mem, wanted, reduction="none"), lengths)
        weights = self._weights(mem)
        if weights is not None:
            return errors * weights[index].unsqueeze(-1)
        return errors if self.reduction == "none" else reduced(errors, self.reduction).reshape(1)
