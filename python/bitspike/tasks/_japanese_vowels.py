"""Who speaks: short recordings of different lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from ._packaged import packaged_file
from ._task import Task

FILES = "datasets/data/JapaneseVowels/JapaneseVowels"
STEPS, CHANNELS = 29, 12


def japanese_vowels() -> Task:
    """Nine men say "ae": which one (Kudo et al. 1999)? From the package aeon.

    12 coefficients of linear prediction for each of 7 to 29 frames of 25.6 ms, one every 6.4 ms.
    After its end a recording is padded with zeros; what a network says there means nothing.

    The split is that of the authors: 270 recordings, 30 of each speaker, to train on, and 370, 24
    to 88 of each, to test on. Both are sorted by speaker: shuffle while training.

    Returns:
        A task of 9 classes, ``x [N, 29, 12]``, with int64 lengths ``[N]`` as third tensor.

    Raises:
        ImportError: without aeon: ``pip install --no-deps aeon``.

    Example:
        >>> x, y, length = snn.tasks.japanese_vowels().train[0]
        >>> x.shape, y, length
        (torch.Size([29, 12]), tensor(0), tensor(20))
    """
    files = (packaged_file("aeon", "aeon", f"{FILES}_{part}.ts") for part in ("TRAIN", "TEST"))
    train, test = (TensorDataset(*_recordings(file)) for file in files)
    source = (
        "UCI's Japanese Vowels (Kudo, Toyama and Shimbo, CC BY 4.0) as the package aeon has them, "
        "split as published, padded with zeros at the end."
    )
    return Task(train, test, 9, source)


def _recordings(file: Path) -> tuple[Tensor, Tensor, Tensor]:
    # After the header a line is a recording: channels and the speaker, from 1 on, between colons.
    _, body = file.read_text(encoding="utf-8").split("@data\n")
    lines = body.splitlines()
    floats: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    x = torch.zeros(len(lines), STEPS, CHANNELS, **floats)
    speakers, lengths = [], []
    for recording, line in zip(x, lines, strict=True):
        *channels, speaker = line.split(":")
        values = torch.tensor(
            [list(map(float, channel.split(","))) for channel in channels], **floats
        )
        recording[: values.shape[1]] = values.t()
        speakers.append(int(speaker) - 1)
        lengths.append(values.shape[1])
    return x, torch.tensor(speakers, device="cpu"), torch.tensor(lengths, device="cpu")
