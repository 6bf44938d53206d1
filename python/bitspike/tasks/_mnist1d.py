"""Digits as signals."""

from __future__ import annotations

import random

import torch

from ._arguments import at_least
from ._task import Task, split


def mnist1d(samples: int = 5000, seed: int = 42) -> Task:
    """MNIST-1D (Greydanus and Kobak 2024): ten shapes of a signal, moved, scaled, sheared, noisy.

    The package mnist1d makes them; the defaults are those of the published data. The authors report
    an accuracy of 32 % for a linear classifier and of 94 % for a convolutional network.

    Args:
        samples: Signals, 4/5 of them to train on; a multiple of 10.
        seed: Decides all of them.

    Returns:
        A task of 10 classes, ``x [N, 40, 1]`` of mean 0 and standard deviation 1.

    Raises:
        ImportError: without mnist1d: ``pip install mnist1d``.
        ValueError: for ``samples`` that are no positive multiple of 10.

    Example:
        >>> task = snn.tasks.mnist1d(samples=50)
        >>> task.train[0][0].shape, len(task.train), len(task.test)
        (torch.Size([40, 1]), 40, 10)
    """
    at_least(10, samples=samples)
    if samples % 10:
        raise ValueError(f"samples must be a multiple of 10, not {samples}")
    try:
        import numpy as np
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as missing:
        raise ImportError("The package mnist1d makes the signals: pip install mnist1d") from missing
    arguments = get_dataset_args()
    arguments.num_samples, arguments.seed = samples, seed
    # It draws from the global generators.
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(arguments)
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)
    x, y = (torch.from_numpy(np.concatenate([made[k], made[f"{k}_test"]])) for k in "xy")
    source = (
        f"MNIST-1D (Greydanus and Kobak, Apache 2.0), {samples} signals made by the package "
        f"mnist1d with seed {seed}."
    )
    return split(x.float().unsqueeze(2), y.long(), 10, source)
