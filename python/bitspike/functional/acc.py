"""Accuracies: what a recording says, compared with labels. `bitspike.decode` has what it says."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_array, as_tensor, with_values
from bitspike.decode.decisions import first_spike, most_spikes
from bitspike.decode.lengths import checked_lengths
from bitspike.decode.recordings import checked, labels


def accuracy_rate(
    spk_out: Tensor,
    targets: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
    *,
    lengths: Tensor | None = None,
) -> float:
    r"""How often the class that fires most is the right one.

    .. math::
        \frac1B \sum_b \big[\arg\max_c \sum_t S[t,b,c] = y_b\big]

    Of equal counts the lowest class wins. Packed spikes are counted as bits.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        spk_out: Spikes ``[T, B, C]``.
        targets: Labels ``[B]``.
        population_code: Whether several output neurons stand for each class; their spikes add up.
        num_classes: How many classes, then; class ``c`` owns the ``c``-th block of neurons.
        lengths: How many steps each sample has, ``[B]``, in a padded batch; what stands behind
            does not count.

    Returns:
        The share, a ``numpy.float64``.

    Raises:
        ValueError: for other shapes, lengths beyond 0 to ``T``, or a ``num_classes`` that does not
            divide the outputs.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> float(SF.accuracy_rate(torch.eye(2).expand(3, 2, 2), torch.tensor([0, 0])))
        0.5
    """
    spikes = checked(spk_out).detach()
    lengths = checked_lengths(lengths, spikes, least=0)
    return _share(most_spikes(spikes, population_code, num_classes, lengths), targets)


def accuracy_temporal(spk_out: Tensor, targets: Tensor, *, lengths: Tensor | None = None) -> float:
    r"""How often the class that fires first is the right one.

    .. math::
        \frac1B \sum_b \big[\arg\min_c f_{b,c} = y_b\big]

    with the first spike times :math:`f` of :class:`SpikeTime`: silent neurons count as firing at
    the last step. Of equal times the lowest class wins.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        spk_out: Spikes ``[T, B, C]``.
        targets: Labels ``[B]``.
        lengths: How many steps each sample has, ``[B]``, in a padded batch; a spike behind is none.

    Returns:
        The share, a ``numpy.float64``.

    Raises:
        ValueError: for other shapes, or lengths beyond 1 to ``T``.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0], [0, 1], [1, 1]]).unsqueeze(1)
        >>> float(SF.accuracy_temporal(spikes, torch.tensor([1])))
        1.0
    """
    spikes = checked(spk_out).detach()
    lengths = checked_lengths(lengths, spikes)
    return _share(first_spike(spikes, lengths=lengths), targets)


def confusion(predicted: Tensor, targets: Tensor, num_classes: int) -> Tensor:
    r"""How often samples of each class were taken for each class.

    .. math::
        M[i,j] = \big|\{b : y_b = i,\ \hat y_b = j\}\big|

    Rows are labels, columns predictions: the diagonal is what was right, its share of all the
    accuracy.

    Args:
        predicted: Predictions ``[B]``, of a decoder of :mod:`bitspike.decode`.
        targets: Labels ``[B]``.
        num_classes: ``C``.

    Returns:
        Counts, int64 ``[C, C]``.

    Raises:
        ValueError: for other shapes, or a class outside 0 to ``C-1``.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[[0.0, 1], [1, 0], [0, 1]]])
        >>> SF.confusion(snn.decode.rate(spikes), torch.tensor([1, 1, 1]), num_classes=2)
        tensor([[0, 0],
                [1, 2]])
    """
    predicted = as_tensor(predicted, "predicted")
    if predicted.dim() != 1:
        raise ValueError(f"predicted must be [B], not {tuple(predicted.shape)}")
    index = labels(targets, predicted.shape[0], predicted.device)
    predicted, index = with_values(predicted, "predicted"), with_values(index, "targets")
    for name, classes in (("predicted", predicted), ("targets", index)):
        if classes.numel() and not (classes.min() >= 0 and classes.max() < num_classes):
            raise ValueError(
                f"{name} must hold classes from 0 to {num_classes - 1}, but reaches from "
                f"{classes.min()} to {classes.max()}"
            )
    cells = index * num_classes + predicted.long()
    return torch.bincount(cells, minlength=num_classes**2).view(num_classes, num_classes)


def _share(decided: Tensor, targets: Tensor) -> float:
    index = labels(targets, decided.shape[0], decided.device)
    with_values(index, "targets")
    share: float = as_array(decided == index, "spk_out").mean()
    return share
