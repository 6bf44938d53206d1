"""What losses, accuracies and regularisers read off a recording ``[T, B, C]``."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops.route import is_traced
from bitspike.spikegen import one_hot
from bitspike.spikes.readings import Counts, SpikeTimes
from bitspike.spikes.tensor import SpikeTensor

from .lengths import own_steps, silenced


def checked(recording: Tensor, name: str = "spk_out") -> Tensor:
    """A recording in float32 or float64, in which counts and times are exact.

    Raises:
        TypeError: if it is no dense tensor of real numbers, and nothing that becomes one.
        ValueError: if it is not ``[T, B, C]``, or has no step.
    """
    if not isinstance(recording, SpikeTensor):
        recording = as_tensor(recording, name)
    shape = recording.shape
    if len(shape) != 3 or not shape[0]:
        raise ValueError(f"{name} must be [T, B, C] with one step or more, not {tuple(shape)}")
    return wide(recording)


def wide(x: Tensor) -> Tensor:
    """The same numbers in float32, or in float64 if they are."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def labels(targets: Tensor, batch: int, device: torch.device) -> Tensor:
    """One class index per sample, int64 ``[B]``.

    Args:
        targets: The argument.
        batch: ``B``.
        device: Where the recording is, and so what becomes a tensor here.

    Raises:
        TypeError: if they are no dense tensor of real numbers, and nothing that becomes one.
        ValueError: if there is not one label per sample, or one is no whole number.
    """
    targets = as_tensor(targets, "targets", device)
    if targets.shape != (batch,):
        raise ValueError(
            f"targets must hold one label for each of the {batch} samples, "
            f"not have shape {tuple(targets.shape)}"
        )
    index = targets.long()
    if targets.is_floating_point():
        with_values(targets, "targets")
        if (index != targets).any():
            raise ValueError(f"targets must be whole numbers, but are {targets.tolist()}")
    return index


def by_label(index: Tensor, on: float, off: float, like: Tensor) -> Tensor:
    """``on`` for the class of each sample and ``off`` for the others, ``[B, C]``.

    Number of classes and dtype are those of ``like [*, C]``.
    """
    return one_hot.by_label(index, on, off, like.shape[-1], like.dtype)


def pool_size(outputs: int, num_classes: int | bool) -> int:
    """How many of the output neurons vote for each class.

    Raises:
        ValueError: if ``num_classes`` is missing or does not divide them.
    """
    if not num_classes:
        raise ValueError("num_classes must be given with population_code=True")
    if outputs % num_classes:
        raise ValueError(f"num_classes is {num_classes}, which does not divide {outputs} outputs")
    return outputs // num_classes


def pooled(x: Tensor, num_classes: int | bool) -> Tensor:
    """The neurons of each class on an axis of their own: ``[*, C]`` to ``[*, K, C/K]``."""
    size = pool_size(x.shape[-1], num_classes)
    return x.reshape(*x.shape[:-1], int(num_classes), size)


def counts(spikes: Tensor, lengths: Tensor | None = None) -> Tensor:
    """How often each neuron fires, ``[B, *]``; packed spikes are counted as bits.

    They are float32 or float64.
    """
    if _is_read_natively(spikes):
        of_bits: Tensor = Counts.apply(spikes, _own(spikes, lengths))
        return of_bits
    return silenced(spikes, lengths).sum(0)


def class_counts(
    spikes: Tensor,
    population_code: bool,
    num_classes: int | bool,
    lengths: Tensor | None = None,
) -> Tensor:
    """Spikes of each class over all steps, ``[B, K]``."""
    per_neuron = counts(spikes, lengths)
    return pooled(per_neuron, num_classes).sum(-1) if population_code else per_neuron


def spike_times(spikes: Tensor, count: int, lengths: Tensor | None = None) -> Tensor:
    r"""When each neuron fires for the first, second, … time, ``[count, B, C]``.

    A spike that does not come is put at the last step of its sample. The derivative of each time
    with respect to the spike at that time is taken to be -1: what fires more, fires earlier. Spikes
    are float32 or float64.
    """
    if _is_read_natively(spikes):
        of_bits: Tensor = SpikeTimes.apply(spikes, count, _own(spikes, lengths))
        return of_bits
    last = spikes.shape[0] - 1 if lengths is None else (lengths - 1).unsqueeze(1)
    so_far = (spikes.detach() > 0).cumsum(0, dtype=torch.int32)
    # Before the n-th spike there are as many steps as have seen fewer than n spikes.
    earlier = torch.stack([(so_far < n).sum(0) for n in range(1, count + 1)])
    steps_of = earlier.clamp(max=last)
    at = spikes.gather(0, steps_of)
    return steps_of.to(spikes.dtype) - (at - at.detach())


def _own(spikes: Tensor, lengths: Tensor | None) -> Tensor | None:
    return None if lengths is None else own_steps(lengths, spikes.shape[0])


def _is_read_natively(x: Tensor) -> bool:
    """Whether these are packed ``[T, B, *]``, without tracing or a transform of torch.func."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or x.channels_last or x.rows < 2:
        return False
    return not is_traced(x.words) and torch._C._functorch.peek_interpreter_stack() is None
