"""Accuracies: what a recording says, compared with labels."""

from __future__ import annotations

from torch import Tensor

from ._recordings import checked, class_counts, labels, spike_times


def accuracy_rate(
    spk_out: Tensor,
    targets: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
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

    Returns:
        The share, a ``numpy.float64``.

    Raises:
        ValueError: for other shapes, or a ``num_classes`` that does not divide the outputs.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> float(SF.accuracy_rate(torch.eye(2).expand(3, 2, 2), torch.tensor([0, 0])))
        0.5
    """
    counts = class_counts(checked(spk_out).detach(), population_code, num_classes)
    return _share(counts.argmax(1), targets)


def accuracy_temporal(spk_out: Tensor, targets: Tensor) -> float:
    r"""How often the class that fires first is the right one.

    .. math::
        \frac1B \sum_b \big[\arg\min_c f_{b,c} = y_b\big]

    with the first spike times :math:`f` of :class:`SpikeTime`: silent neurons count as firing at
    the last step. Of equal times the lowest class wins.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        spk_out: Spikes ``[T, B, C]``.
        targets: Labels ``[B]``.

    Returns:
        The share, a ``numpy.float64``.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([[0.0, 0], [0, 1], [1, 1]]).unsqueeze(1)
        >>> float(SF.accuracy_temporal(spikes, torch.tensor([1])))
        1.0
    """
    times = spike_times(checked(spk_out).detach(), 1)[0]
    return _share(times.argmin(1), targets)


def _share(decided: Tensor, targets: Tensor) -> float:
    right = decided == labels(targets, decided.shape[0])
    share: float = right.cpu().numpy().mean()
    return share
