"""Rate coding: values are probabilities of spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import outside_of_transforms, with_values
from bitspike.one_call import one_call
from bitspike.ops import spikes as ops
from bitspike.spikes.dense import as_dense_spikes
from bitspike.spikes.tensor import SpikeTensor, of_words

from ._data import floating, rows_and_features

NAN = "data must not hold NaN, which is no probability"


@one_call
def rate(
    data: Tensor,
    num_steps: int | bool = False,
    gain: float = 1,
    offset: float = 0,
    first_spike_time: int = 0,
    time_var_input: bool = False,
    *,
    packed: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Rate coding: at every step, each value is the probability of a spike (Adrian, 1926).

    A static value ``x`` fires with probability ``clamp(x·gain + offset, 0, 1)`` at each of
    ``num_steps`` steps. With ``time_var_input`` the first axis of ``data`` is time already, and
    ``gain`` and ``offset`` are ignored.

    Args:
        data: ``[B, *]``, or ``[T, B, *]`` with ``time_var_input``; any real dtype.
        num_steps: How many steps to draw.
        gain: Scales the data.
        offset: Added to the scaled data.
        first_spike_time: Steps before it are silent; with ``time_var_input`` as many silent steps
            are put in front.
        time_var_input: Whether ``data`` has a time axis.
        packed: Return a `SpikeTensor`, drawn without ever making floats of the spikes. Its spikes
            depend on the seed alone, not on the number of threads.
        generator: Where randomness comes from; by default torch's own.

    Returns:
        Spikes ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: for a negative ``first_spike_time``, one beyond ``num_steps``, or ``num_steps``
            missing or given where the data has a time axis.

    Example:
        >>> import torch, bitspike as snn
        >>> spikes = snn.spikegen.rate(torch.tensor([[0.0, 0.5, 1.0]]), num_steps=100, packed=True)
        >>> spikes.shape
        torch.Size([100, 1, 3])
        >>> spikes.sum((0, 1))[[0, 2]]
        tensor([  0., 100.])
    """
    data = floating(data, packed=packed)
    if first_spike_time < 0:
        raise ValueError(f"first_spike_time must not be negative, but is {first_spike_time}")
    if time_var_input and not data.dim():
        raise ValueError("data must be [T, *] with time_var_input, but is a single value")
    if time_var_input and num_steps:
        raise ValueError("num_steps must not be given with time_var_input: data has a time axis")
    if not time_var_input:
        if not num_steps or num_steps < 0:
            raise ValueError(f"num_steps must be positive for static data, but is {num_steps}")
        if first_spike_time > num_steps - 1:
            raise ValueError(
                f"first_spike_time is {first_spike_time}, but there are {num_steps} steps"
            )
        data = data * gain + offset
    probabilities = data.clamp(0, 1)
    silent = first_spike_time
    if packed:
        steps = None if time_var_input else int(num_steps)
        bits: Tensor = _rate_packed(probabilities, steps, silent, generator)
        return bits
    if not time_var_input:
        probabilities = probabilities.expand(int(num_steps), *data.shape)
    spikes = _drawn(probabilities, generator)
    if not time_var_input:
        spikes[:silent] = 0
        return as_dense_spikes(spikes)
    return as_dense_spikes(torch.cat([spikes.new_zeros(silent, *spikes.shape[1:]), spikes]))


@one_call
def rate_conv(
    data: Tensor, *, packed: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    """One draw for each value: a spike with probability ``clamp(data, 0, 1)``.

    Args:
        data: ``[T, B, *]`` or any other shape; any real dtype.
        packed: Return a `SpikeTensor`, drawn as in `rate`.
        generator: Where randomness comes from; by default torch's own.

    Returns:
        Spikes of the same shape, in the dtype of the data (float32 for integers).

    Example:
        >>> snn.spikegen.rate_conv(torch.tensor([-0.5, 0.0, 1.0, 1.5]))
        tensor([0., 0., 1., 1.])
    """
    probabilities = floating(data, packed=packed).clamp(0, 1)
    if packed:
        bits: Tensor = _rate_packed(probabilities, None, 0, generator)
        return bits
    return as_dense_spikes(_drawn(probabilities, generator))


def _drawn(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """A spike or none for each probability."""
    try:
        return torch.bernoulli(probabilities, generator=generator)
    except RuntimeError as error:
        if "p_in" not in str(error):
            raise
        raise ValueError(NAN) from error


# Compiled code calls it: Dynamo cannot make a SpikeTensor.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _rate_packed(
    probabilities: Tensor, steps: int | None, silent: int, generator: torch.Generator | None
) -> SpikeTensor:
    rows, features = rows_and_features(probabilities.shape, has_time=steps is None)
    probabilities = with_values(probabilities, "data")
    if probabilities.isnan().any():
        raise ValueError(NAN)
    with outside_of_transforms():
        flat = probabilities.detach().float().cpu().reshape(*rows, features.numel())
        words = ops.bernoulli(flat, steps, generator)
        if steps is None:
            words = torch.cat([words.new_zeros(silent, *words.shape[1:]), words])
        else:
            words[:silent] = 0
        return of_words(words, features, probabilities.dtype)
