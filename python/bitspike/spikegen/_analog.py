"""Codes whose values are not spikes: currents, and activities of a population."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.one_call import one_call

from ._data import floating


@one_call
def constant(data: Tensor, num_steps: int) -> Tensor:
    """Direct coding: the data itself is the input current of every step.

    The first layer of the network makes the spikes (Rueckauer et al., 2017, Front. Neurosci. 11).
    The result is a view that takes no memory, and `unroll` computes what stands in front of the
    first neuron once.

    Args:
        data: ``[B, *]``, of any real dtype, which stays.
        num_steps: ``T``.

    Returns:
        ``[T, B, *]``, the data at every step.

    Raises:
        ValueError: if ``num_steps`` is not positive.

    Example:
        >>> snn.spikegen.constant(torch.tensor([0.25, 0.5]), num_steps=2)
        tensor([[0.2500, 0.5000],
                [0.2500, 0.5000]])
    """
    if num_steps <= 0:
        raise ValueError(f"num_steps must be positive, but is {num_steps}")
    data = as_tensor(data, "data")
    return data.expand(num_steps, *data.shape)


@one_call
def population(
    data: Tensor, num_neurons: int, low: float = 0, high: float = 1, width: float = 1.5
) -> Tensor:
    """Population coding: neurons with Gaussian receptive fields that overlap, for each value.

    Neuron ``i = 1 ... m`` responds by ``exp(-(x - c)² / (2σ²))`` with the centre
    ``c = low + (2i - 3)/2 · (high - low)/(m - 2)`` and ``σ = (high - low)/(width·(m - 2))`` (Bohte,
    La Poutré & Kok, 2002, IEEE Trans. Neural Networks 13). The responses lie between 0 and 1; make
    spikes of them by `rate`, or by `latency` as the paper does.

    Args:
        data: Values ``[*]``, any real dtype.
        num_neurons: ``m``, at least 3.
        low: Smallest value of the data.
        high: Largest value of the data.
        width: The larger, the narrower the fields; in the paper 1 to 2.

    Returns:
        Responses ``[*, m]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if there are fewer than 3 neurons, ``high`` is not above ``low``, or ``width``
            is not positive.

    Example:
        >>> responses = snn.spikegen.population(torch.tensor([0.5]), num_neurons=4)
        >>> responses
        tensor([[0.0796, 0.7548, 0.7548, 0.0796]])
        >>> spikes = snn.spikegen.latency(responses, num_steps=10, normalize=True, linear=True)
        >>> spikes.argmax(0)
        tensor([[8, 2, 2, 8]])
    """
    if num_neurons < 3:
        raise ValueError(f"num_neurons must be at least 3, but is {num_neurons}")
    if not high > low:
        raise ValueError(f"high must be above low, but high is {high} and low {low}")
    if not width > 0:
        raise ValueError(f"width must be positive, but is {width}")
    data = floating(data)
    spacing = (high - low) / (num_neurons - 2)
    index = torch.arange(num_neurons, dtype=data.dtype, device=data.device)
    centres = low + (index - 0.5) * spacing
    distance = (data.unsqueeze(-1) - centres) / (spacing / width)
    return torch.exp(-(distance * distance) / 2)
