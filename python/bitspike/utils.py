"""Helpers around networks of neurons and the data that they learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from torch import nn

from bitspike.state import HiddenState

Dataset = TypeVar("Dataset")
"""Anything with ``data`` and ``targets``: tensors, arrays or lists, one entry per sample."""


def reset(net: nn.Module) -> None:
    """Zeroes the hidden states of all neurons of ``net``, however deep, and of no other network.

    Delays are emptied and masks of `TimeDropout` drawn anew. Call it before each new batch of
    sequences when modules keep their state (neurons with ``init_hidden``).

    Args:
        net: The network.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> _ = lif(torch.ones(2))
        >>> snn.utils.reset(lif)
        >>> lif.mem
        tensor([0., 0.])
    """
    for module in _with_state(net):
        module.reset_mem()


def detach(net: nn.Module) -> None:
    """Cuts the hidden states of ``net`` off their graph, and those of no other network.

    The numbers stay. Gradients no longer flow to steps before the call: this is the truncation of
    truncated backpropagation through time (Williams and Peng, 1990).

    Args:
        net: The network. Its neurons are found however deep they are.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> _ = lif(torch.full((2,), 0.5, requires_grad=True))
        >>> snn.utils.detach(lif)
        >>> lif.mem
        tensor([0.5000, 0.5000])
    """
    for module in _with_state(net):
        module.detach_mem()


def _with_state(net: nn.Module) -> Iterator[HiddenState]:
    return (module for module in net.modules() if isinstance(module, HiddenState))


def data_subset(dataset: Dataset, subset: int, idx: int = 0) -> Dataset:
    """Keeps one of ``subset`` equal parts of a dataset, in place.

    Of ``n`` samples, part ``idx`` holds those from ``idx·s`` up to ``(idx + 1)·s``, where
    ``s = n // subset``. What is left over at the end is in no part.

    Args:
        dataset: Has ``data`` and ``targets``, with one entry per sample, as those of torchvision.
        subset: How many parts there are. One part, or fewer, is the dataset itself.
        idx: Which part to keep.

    Returns:
        The same dataset.

    Raises:
        ValueError: if there are fewer samples than parts, or there is no such part.

    Example:
        >>> from types import SimpleNamespace
        >>> digits = SimpleNamespace(data=torch.arange(10), targets=torch.arange(10))
        >>> snn.utils.data_subset(digits, 3, idx=1).data
        tensor([3, 4, 5])
    """
    if subset > 1:
        whole: Any = dataset
        samples = len(whole.data)
        if samples < subset:
            raise ValueError(f"subset is {subset}, but the dataset has {samples} samples")
        if not 0 <= idx < subset:
            raise ValueError(f"idx must be between 0 and {subset - 1}, not {idx}")
        size = samples // subset
        part = slice(size * idx, size * (idx + 1))
        whole.data, whole.targets = whole.data[part], whole.targets[part]
    return dataset


def valid_split(
    ds_train: Dataset, ds_val: Dataset, split: float, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Moves a random share of the training set into the validation set, in place.

    The same seed picks the same samples as snnTorch; the order of the training samples is random
    as well, that of the validation samples is theirs. NumPy draws them.

    Args:
        ds_train: Has ``data`` and ``targets``, with one entry per sample, as those of torchvision.
        ds_val: Another such dataset, whose own data are replaced.
        split: The share that goes to validation; ``int(n·split)`` of ``n`` samples.
        seed: Of the random choice.

    Returns:
        Both datasets.

    Raises:
        ValueError: if ``split`` is no share, or both datasets are the same object.

    Example:
        >>> from types import SimpleNamespace
        >>> train, val = (
        ...     SimpleNamespace(data=torch.arange(10), targets=torch.arange(10)) for _ in range(2)
        ... )
        >>> train, val = snn.utils.valid_split(train, val, 0.3)
        >>> len(train.data), len(val.data)
        (7, 3)
    """
    import numpy as np  # torch does without it, and so does all else here

    if not 0 <= split <= 1:
        raise ValueError(f"split must be a share between 0 and 1, not {split}")
    if ds_train is ds_val:
        raise ValueError("ds_train and ds_val must be two datasets, but are the same object")
    whole: Any = ds_train
    part: Any = ds_val
    samples = len(whole.data)
    kept = np.random.default_rng(seed).choice(
        samples, size=samples - int(samples * split), replace=False
    )
    moved = np.setdiff1d(np.arange(samples), kept)
    part.data, part.targets = _take(whole.data, moved), _take(whole.targets, moved)
    whole.data, whole.targets = _take(whole.data, kept), _take(whole.targets, kept)
    return ds_train, ds_val


def _take(values: Any, indices: Any) -> Any:
    """The values at these indices; lists, which some datasets hold, included."""
    return [values[i] for i in indices] if isinstance(values, list) else values[indices]
