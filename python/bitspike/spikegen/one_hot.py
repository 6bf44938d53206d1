"""Classes as rows with a single one."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.one_call import one_call


@one_call
def to_one_hot(targets: Tensor, num_classes: int) -> Tensor:
    """One row per target: 1 at the index of its class, 0 elsewhere.

    Args:
        targets: Classes ``[B]``, or of any other shape; floats must be whole numbers.
        num_classes: ``C``.

    Returns:
        float32 ``[B, C]``.

    Raises:
        ValueError: if a target is not an integer from 0 to ``num_classes - 1``.

    Example:
        >>> snn.spikegen.to_one_hot(torch.tensor([2, 0]), 3)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    targets = as_tensor(targets, "targets")
    with_values(targets, "targets")
    classes = targets.to(torch.int64)
    outside = (classes < 0) | (classes >= num_classes) | (classes != targets)
    if outside.any():
        raise ValueError(
            f"targets must be integers from 0 to num_classes - 1 = {num_classes - 1}, "
            f"but one is {targets[outside][0].item()}"
        )
    return by_label(classes, 1, 0, num_classes, torch.float32)


def by_label(
    classes: Tensor, on: float, off: float, num_classes: int, dtype: torch.dtype
) -> Tensor:
    """``on`` for the class of each target and ``off`` for the others, ``[*, C]``.

    The classes are int64; torch raises for one that does not exist.
    """
    shape = (*classes.shape, num_classes)
    # Made of `classes`, so that torch.func.vmap batches it and allows writing into it.
    others = classes.new_full(shape, off, dtype=dtype)
    return others.scatter_(-1, classes.unsqueeze(-1), on)


@one_call
def to_one_hot_inverse(one_hot_targets: Tensor) -> Tensor:
    """Exchanges zeros and ones: ``1 - one_hot``.

    Args:
        one_hot_targets: Any shape; whatever is not 0 counts as 1.

    Returns:
        Zeros and ones in the same shape and dtype.

    Example:
        >>> snn.spikegen.to_one_hot_inverse(torch.tensor([[0.0, 0.0, 1.0]]))
        tensor([[1., 1., 0.]])
    """
    one_hot_targets = as_tensor(one_hot_targets, "one_hot_targets")
    return (one_hot_targets == 0).to(one_hot_targets.dtype)


@one_call
def from_one_hot(one_hot_label: Tensor) -> Tensor:
    """The class of each row: the inverse of `to_one_hot`.

    snnTorch 1.0.0 returns the number of the row instead.

    Args:
        one_hot_label: ``[*, C]``, a single 1 in each row.

    Returns:
        int64 ``[*]``.

    Raises:
        ValueError: if a row does not consist of zeros and a single 1.

    Example:
        >>> snn.spikegen.from_one_hot(torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
        tensor([2, 0])
    """
    one_hot_label = as_tensor(one_hot_label, "one_hot_label")
    with_values(one_hot_label, "one_hot_label")
    if one_hot_label.dim() == 0:
        raise ValueError("one_hot_label must have an axis of classes, but is a single value")
    single = ((one_hot_label == 1).sum(-1) == 1) & ((one_hot_label != 0).sum(-1) == 1)
    if not single.all():
        raise ValueError(
            f"each row of one_hot_label {tuple(one_hot_label.shape)} must hold a single 1 and zeros"
        )
    # torch takes no argmax of booleans.
    return one_hot_label.to(torch.uint8).argmax(-1)
