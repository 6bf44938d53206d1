"""What encoders ask of their data."""

from __future__ import annotations

import torch
from torch import Size, Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.spikes.tensor import SpikeTensor

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
"""The dtypes that encoders compute in."""


def floating(data: Tensor, name: str = "data", packed: bool = False) -> Tensor:
    """The data of an encoder as floats; integers become float32.

    Args:
        data: The argument: a tensor, or what ``torch.as_tensor`` takes.
        name: Its name, for the errors.
        packed: Whether the spikes will be bits, which must be known here: an encoder that raises
            has drawn no random numbers.

    Raises:
        TypeError: if it is no dense tensor of real numbers, or cannot become packed spikes, as
            it is float64 or has no values.
    """
    data = as_tensor(data, name)
    data = data.dense() if isinstance(data, SpikeTensor) else data
    data = data if data.dtype in FLOATS else data.to(torch.float32)
    if packed:
        if torch.jit.is_tracing():  # type: ignore[attr-defined]
            raise TypeError(f"{name} is traced by torch.jit, which cannot record packed spikes")
        with_values(data, name)
        if data.dtype == torch.float64:
            raise TypeError(f"{name} is float64, and packed spikes are not: pass .float()")
    return data


def recorded(data: Tensor, name: str = "data", packed: bool = False) -> Tensor:
    """A recording ``[T, *]`` as floats; see `floating`.

    Raises:
        ValueError: if it has no axis of time, or no step.
    """
    data = floating(data, name, packed)
    if data.dim() == 0 or not data.shape[0]:
        raise ValueError(f"{name} must be [T, *] with one step or more, not {tuple(data.shape)}")
    return data


def expect_between(data: Tensor, low: float, high: float) -> None:
    """Checks that all values lie in a range, in which NaN does not.

    Raises:
        TypeError: if there are no values to look at.
        ValueError: if one lies outside.
    """
    with_values(data, "data")
    if data.numel() and not (data.min() >= low and data.max() <= high):
        raise ValueError(
            f"data must lie between {low} and {high}, but reaches from {data.min()} to {data.max()}"
        )


def thresholds(threshold: float | Tensor, step: Tensor) -> Tensor:
    """One threshold, or those of channels, for data like ``step``.

    Raises:
        TypeError: if they are no dense tensor of real numbers.
        ValueError: if one is not positive, or they do not fit the data of a step.
    """
    values = as_tensor(threshold, "threshold", torch.device("cpu"), step.dtype)
    fits = values.dim() <= step.dim() and all(
        own in (1, size) for own, size in zip(values.shape[::-1], step.shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"threshold {tuple(values.shape)} does not fit the data of a step {tuple(step.shape)}"
        )
    if isinstance(threshold, Tensor):
        with_values(values, "threshold")
    if not (values > 0).all():
        raise ValueError(f"threshold must be positive, but is {values.min()}")
    return values.to(step.device)


def rows_and_features(shape: Size, has_time: bool) -> tuple[Size, Size]:
    """Splits a shape into the axes of time and samples, and those of neurons.

    There is an axis of samples unless one axis is all that is left behind time.
    """
    split = has_time + (len(shape) > has_time + 1)
    return shape[:split], shape[split:]
