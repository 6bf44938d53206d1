"""Tasks of remembering: what was seen must outlast silence or distraction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ._arguments import at_least, probabilities
from ._task import Task, balanced_labels, split


def store_recall(
    samples: int = 1000,
    *,
    frames: int = 8,
    frame_steps: int = 10,
    values: int = 2,
    store_probability: float = 1 / 6,
    width: int = 10,
    rate: float = 0.3,
    noise: float = 0.0,
    seed: int = 0,
) -> Task:
    r"""Store and recall (Bellec et al. 2018): return the value that was shown with the last cue.

    Time is cut into frames ``f``. In each but the last a random value ``v[f]`` is shown. In some of
    them a store cue accompanies it; the last frame holds the recall cue alone, and there the answer
    is wanted:

    .. math::
        y = v[s], \qquad s = \max \{f : \text{store cue in } f\}

    The last store ``s`` is drawn uniformly from all frames but the last, so that the value must be
    kept for 1 to ``frames - 1`` frames while others are shown; earlier frames have a store cue with
    ``store_probability``. All values are answers equally often.

    There are ``values + 2`` groups of channels, ``width`` each: one per value, the store cue, the
    recall cue. A channel of an active group fires with probability ``rate`` in each step, another
    with probability ``noise``.

    Args:
        samples: Sequences, 4/5 of them to train on.
        frames: Frames of a sequence, at least 2.
        frame_steps: Steps of a frame.
        values: Different values.
        store_probability: Of a store cue before the last one.
        width: Channels of a group.
        rate: Spikes per step of an active channel.
        noise: Spikes per step of another channel.
        seed: Decides everything random.

    Returns:
        A task of ``values`` classes, spikes ``x [N, frames·frame_steps, (values + 2)·width]``.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        >>> task = snn.tasks.store_recall(samples=10, frames=5, rate=1.0, width=1)
        >>> x, y = task.train[0]
        >>> x[::10].int()  # columns: value 0, value 1, store, recall
        tensor([[0, 1, 0, 0],
                [0, 1, 0, 0],
                [1, 0, 0, 0],
                [1, 0, 1, 0],
                [0, 0, 0, 1]], dtype=torch.int32)
        >>> y
        tensor(0)
    """
    at_least(2, samples=samples, frames=frames, values=values)
    at_least(1, frame_steps=frame_steps, width=width)
    probabilities(store_probability=store_probability, rate=rate, noise=noise)
    generator = torch.Generator().manual_seed(seed)
    y = balanced_labels(samples, values, generator)
    floats: dict[str, Any] = {"dtype": torch.float32, "device": y.device}
    shown = torch.randint(values, (samples, frames - 1), generator=generator, device=y.device)
    last = torch.randint(frames - 1, (samples, 1), generator=generator, device=y.device)
    shown.scatter_(1, last, y.unsqueeze(1))
    earlier = torch.rand(samples, frames - 1, generator=generator, **floats) < store_probability
    frame = torch.arange(frames - 1, device=y.device)
    active = torch.zeros(samples, frames, values + 2, **floats)
    active[:, :-1, :values] = F.one_hot(shown, values).float()
    active[:, :-1, -2] = (earlier & (frame < last) | (frame == last)).float()
    active[:, -1, -1] = 1
    source = "Store and recall (Bellec et al. 2018), computed; there are no rights to it."
    x = _cue_spikes(active.repeat_interleave(frame_steps, 1), width, rate, noise, generator)
    return split(x, y, values, source)


def delayed_xor(
    samples: int = 1000,
    *,
    delay: int = 20,
    cue_steps: int = 10,
    width: int = 10,
    rate: float = 0.3,
    noise: float = 0.0,
    seed: int = 0,
) -> Task:
    r"""Delayed XOR (Kim et al. 2019): are two cues, shown one after the other, different?

    .. math::
        y = a \oplus b, \qquad a, b \in \{0, 1\}

    Cue ``a`` lasts for ``cue_steps`` steps, silence for ``delay`` steps, cue ``b`` for
    ``cue_steps``, and so does a third cue, the same in all samples, during which the answer is
    wanted. Neither cue alone tells anything about it, nor does any weighted sum of the input. The
    four pairs occur equally often.

    There are three groups of channels, ``width`` each: cue 0, cue 1, answer. A channel of an active
    group fires with probability ``rate`` in each step, another with probability ``noise``.

    Args:
        samples: Sequences, 4/5 of them to train on.
        delay: Silent steps between the cues.
        cue_steps: Steps of each cue.
        width: Channels of a group.
        rate: Spikes per step of an active channel.
        noise: Spikes per step of another channel.
        seed: Decides everything random.

    Returns:
        A task of 2 classes, spikes ``x [N, 3·cue_steps + delay, 3·width]``.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        >>> task = snn.tasks.delayed_xor(samples=10, delay=2, cue_steps=1, rate=1.0, width=1)
        >>> x, y = task.train[0]
        >>> x.int()  # columns: cue 0, cue 1, answer
        tensor([[1, 0, 0],
                [0, 0, 0],
                [0, 0, 0],
                [1, 0, 0],
                [0, 0, 1]], dtype=torch.int32)
        >>> y
        tensor(0)
    """
    at_least(2, samples=samples)
    at_least(1, cue_steps=cue_steps, width=width)
    at_least(0, delay=delay)
    probabilities(rate=rate, noise=noise)
    generator = torch.Generator().manual_seed(seed)
    pairs = balanced_labels(samples, 4, generator)
    a, b = pairs // 2, pairs % 2
    cue = F.one_hot(torch.stack([a, b, torch.full_like(a, 2)], 1), 3).float()
    silence = cue.new_zeros(samples, delay, 3)
    first, rest = (part.repeat_interleave(cue_steps, 1) for part in (cue[:, :1], cue[:, 1:]))
    x = _cue_spikes(torch.cat([first, silence, rest], 1), width, rate, noise, generator)
    source = "Delayed XOR (Kim et al. 2019), computed; there are no rights to it."
    return split(x, a ^ b, 2, source)


def copy_memory(
    samples: int = 1000,
    *,
    length: int = 3,
    values: int = 2,
    delay: int = 20,
    cue_steps: int = 5,
    width: int = 10,
    rate: float = 0.3,
    noise: float = 0.0,
    seed: int = 0,
) -> Task:
    r"""Copying memory (Hochreiter and Schmidhuber 1997): repeat a sequence of values after a delay.

    .. math::
        y_i = v_i, \qquad i = 1, \dots, L

    ``L = length`` random values are shown, each for ``cue_steps`` steps, silence lasts for
    ``delay`` steps, and a cue that is the same in all samples for the last ``L·cue_steps``. In the
    ``i``-th part of it the ``i``-th value is wanted: each must be kept for as long as all others
    and the delay take, and in the right order. All values are equally frequent.

    There are ``values + 1`` groups of channels, ``width`` each: one per value, and the cue. A
    channel of an active group fires with probability ``rate`` in each step, another with
    probability ``noise``.

    Args:
        samples: Sequences, 4/5 of them to train on.
        length: ``L``, values to be repeated.
        values: Different values.
        delay: Silent steps between values and cue.
        cue_steps: Steps of each value, and of each part of the cue.
        width: Channels of a group.
        rate: Spikes per step of an active channel.
        noise: Spikes per step of another channel.
        seed: Decides everything random.

    Returns:
        A task of ``values`` classes, spikes ``x [N, 2·length·cue_steps + delay,
        (values + 1)·width]`` and answers ``y [N, length]``.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        >>> task = snn.tasks.copy_memory(samples=10, delay=1, cue_steps=1, rate=1.0, width=1)
        >>> x, y = task.train[0]
        >>> x.int()  # columns: value 0, value 1, cue
        tensor([[1, 0, 0],
                [0, 1, 0],
                [0, 1, 0],
                [0, 0, 0],
                [0, 0, 1],
                [0, 0, 1],
                [0, 0, 1]], dtype=torch.int32)
        >>> y
        tensor([0, 1, 1])
    """
    at_least(2, samples=samples, values=values)
    at_least(1, length=length, cue_steps=cue_steps, width=width)
    at_least(0, delay=delay)
    probabilities(rate=rate, noise=noise)
    generator = torch.Generator().manual_seed(seed)
    y = balanced_labels(samples * length, values, generator).view(samples, length)
    shown = F.one_hot(y, values + 1).float()
    cue = torch.zeros_like(shown)
    cue[..., -1] = 1
    silence = shown.new_zeros(samples, delay, values + 1)
    first, last = (part.repeat_interleave(cue_steps, 1) for part in (shown, cue))
    x = _cue_spikes(torch.cat([first, silence, last], 1), width, rate, noise, generator)
    source = "Copying memory (Hochreiter, Schmidhuber 1997), computed; there are no rights to it."
    return split(x, y, values, source)


def _cue_spikes(
    active: Tensor, width: int, rate: float, noise: float, generator: torch.Generator
) -> Tensor:
    """Spikes ``[N, T, G·width]`` of groups that are ``active [N, T, G]`` or not."""
    fast, slow = active.new_tensor(rate), active.new_tensor(noise)
    chances = torch.where(active.repeat_interleave(width, 2) > 0, fast, slow)
    return torch.bernoulli(chances, generator=generator)
