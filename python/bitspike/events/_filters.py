"""Which events count, and where and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops.buffer import CPU


@dataclass(frozen=True, eq=False)
class Filters:
    """What is done with each event in front of its frame, in this order, in one pass.

    Random numbers come from a counter: the same seed drops the same events, however the recording
    is cut into pieces.

    Args:
        drop: The probability to drop an event.
        jitter: Moves times by up to so many microseconds, either way, all whole numbers being
            equally likely.
        crop: ``(x, y, width, height)`` of the pixels to keep; ``(x, y)`` becomes pixel ``(0, 0)``.
        mask: Pixels whose events are dropped, bool ``[height, width]``, behind the crop;
            `hot_pixels` finds some.
        refractory: Drops events of a pixel that come less than so many microseconds after the last
            one that was kept.
        background: Drops events without another one, of the eight pixels around, in the last so
            many microseconds (Delbruck, "Frame-free dynamic digital vision", 2008).
        downsample: Makes squares of so many pixels one pixel.
        seed: Of ``drop`` and ``jitter``; by default another one in each use, from torch's
            generator.

    Raises:
        ValueError: where they are used, for numbers that make no sense for the sensor.

    Example:
        >>> from bitspike import events
        >>> spikes = events.from_events([0, 0], [8, 9], [4, 4], sensor_size=(16, 16), n_time_bins=1,
        ...                             filters=events.Filters(downsample=4))
        >>> spikes.shape
        torch.Size([1, 2, 4, 4])
    """

    drop: float = 0.0
    jitter: int = 0
    crop: tuple[int, int, int, int] | None = None
    mask: Tensor | None = None
    refractory: int | None = None
    background: int | None = None
    downsample: int = 1
    seed: int | None = None

    def stages(self) -> list[tuple[str, Any]]:
        """The filters that do something, as the native module takes them."""
        stages: list[tuple[str, Any]] = []
        if self.drop or self.jitter:
            seed = self._seed()
            # Streams of their own: what one filter drops must not tell how another one moves.
            stages += [("drop", (self.drop, seed))] if self.drop else []
            stages += [("jitter", (self.jitter, ~seed % 2**64))] if self.jitter else []
        if self.crop is not None:
            stages.append(("crop", tuple(self.crop)))
        if self.mask is not None:
            mask = with_values(as_tensor(self.mask, "mask"), "mask")
            mask = with_values(mask.detach().to(CPU), "mask")
            stages.append(("mask", (mask != 0).contiguous()))
        if self.refractory is not None:
            stages.append(("refractory", self.refractory))
        if self.background is not None:
            stages.append(("background", self.background))
        if self.downsample != 1:
            stages.append(("downsample", self.downsample))
        return stages

    def _seed(self) -> int:
        if self.seed is not None:
            return self.seed % 2**64
        return int(torch.randint(2**63 - 1, (), dtype=torch.int64, device=CPU))
