"""Distances of spike trains, as measures: they have no gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.decode.lengths import checked_lengths, silenced
from bitspike.decode.recordings import checked, counts, spike_times
from bitspike.spikes.tensor import SpikeTensor


def victor_purpura(
    spk_out: Tensor, targets: Tensor, cost: float, *, lengths: Tensor | None = None
) -> Tensor:
    r"""The lowest cost of turning each spike train into the wanted one.

    To insert or delete a spike costs 1, to shift one costs ``cost`` per step. So at no cost of
    shifts it is the difference of counts, and from 2 on the number of spikes that do not coincide.
    With the times :math:`t_1 < t_2 < …` of one train and :math:`u_1 < u_2 < …` of the other it is
    the last of

    .. math::
        G_{i,j} = \min\big(G_{i-1,j} + 1,\ G_{i,j-1} + 1,\ G_{i-1,j-1} + q\,|t_i - u_j|\big),
        \qquad G_{i,0} = i,\ G_{0,j} = j

    Packed spikes are read as bits. Source: Victor & Purpura 1996, J. Neurophysiology 76(2).

    Args:
        spk_out: Spikes ``[T, B, C]``; a number above zero is one spike.
        targets: Wanted spikes of the same shape.
        cost: The price ``q`` of a shift by one step.
        lengths: How many steps each sample has, ``[B]``, in a padded batch; spikes behind, also
            wanted ones, do not count.

    Returns:
        One distance for each neuron of each sample, float64 ``[B, C]``.

    Raises:
        ValueError: for other shapes, lengths beyond 0 to ``T``, or a negative ``cost``.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.tensor([1.0, 0, 0, 1, 0]).view(5, 1, 1)
        >>> wanted = torch.tensor([0.0, 1, 0, 0, 0]).view(5, 1, 1)
        >>> SF.victor_purpura(spikes, wanted, cost=0.25)
        tensor([[1.2500]], dtype=torch.float64)
    """
    if not cost >= 0:
        raise ValueError(f"cost must not be negative, but is {cost}")
    spk_out = as_tensor(spk_out, "spk_out")
    targets = as_tensor(targets, "targets", spk_out.device)
    if targets.shape != spk_out.shape:
        raise ValueError(
            f"targets must be spikes [T, B, C] like spk_out {tuple(spk_out.shape)}, "
            f"not of shape {tuple(targets.shape)}"
        )
    count, times = _times(spk_out, "spk_out", lengths)
    wanted_count, wanted_times = _times(targets, "targets", lengths)
    position = torch.arange(len(wanted_times) + 1, dtype=torch.float64, device=times.device)
    position = position.view(-1, 1, 1)
    row = position.expand(len(position), *count.shape[1:])
    distance = row.gather(0, wanted_count)
    for i, time in enumerate(times, start=1):
        best = row + 1
        best[1:] = torch.minimum(best[1:], row[:-1] + cost * (time - wanted_times).abs())
        # Insertions: row[j] = min over k <= j of best[k] + (j - k), by a cumulative minimum.
        row = (best - position).cummin(0).values + position
        distance = torch.where(count == i, row.gather(0, wanted_count), distance)
    return distance[0]


def _times(spikes: Tensor, name: str, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """How many spikes there are, int64 ``[1, B, C]``, and when, float64 ``[most, B, C]``."""
    spikes = checked(spikes, name).detach()
    with_values(spikes, name)
    spikes = silenced(spikes, checked_lengths(lengths, spikes, least=0))
    count = counts(spikes if isinstance(spikes, SpikeTensor) else (spikes > 0).to(spikes.dtype))
    most = int(count.max()) if count.numel() else 0
    times = spike_times(spikes, most) if most else count.new_empty(0, *count.shape)
    return count.to(torch.int64).unsqueeze(0), times.double()
