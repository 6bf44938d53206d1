"""Recordings from files, and to files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitspike.ops import events as ops

from .columns import Recording, columns_of

Source = str | os.PathLike[str] | bytes | bytearray | memoryview
"""A path, or what a file holds."""
PIECE = 1 << 20
"""Bytes that are read at a time."""
_DATA = (bytes, bytearray, memoryview)


def pieces(source: Source) -> Iterator[bytes | None]:
    """What a source holds, piece by piece, and None at its end."""
    if isinstance(source, _DATA):
        view = memoryview(source).cast("B")
        for start in range(0, len(view), PIECE):
            yield bytes(view[start : start + PIECE])
    else:
        with open(source, "rb") as file:
            while piece := file.read(PIECE):
                yield piece
    yield None


@contextmanager
def naming(source: Source) -> Iterator[None]:
    """Puts the path of a file in front of what is wrong with it."""
    try:
        yield
    except ValueError as error:
        if isinstance(source, _DATA):
            raise
        raise ValueError(f"{os.fspath(source)}: {error}") from error


def reader_of(source: Source, options: ops.Options) -> ops.Reader:
    """A reader of a source; files ``.bin`` without a known header are those of N-MNIST."""
    is_bin = not isinstance(source, _DATA) and Path(source).suffix.lower() == ".bin"
    if options.format is None and is_bin:
        try:
            found = ops.format_of(next(pieces(source)) or b"")
        except ValueError:
            found = None
        options = options._replace(format=found or "nmnist")
    return ops.Reader(options)


def chunks(
    source: Source,
    format: str | None = None,
    *,
    chip: str | None = None,
    convention: str = "address",
    high_first: bool | None = None,
) -> Iterator[Recording]:
    """Reads a recording piece by piece, a mebibyte of the file at a time.

    Args:
        source: As for `read`.
        format: As for `read`.
        chip: As for `read`.
        convention: As for `read`.
        high_first: As for `read`.

    Yields:
        The events of each piece, with what the file has said so far.

    Raises:
        ValueError: as `read`, once the piece is reached.

    Example:
        >>> from bitspike import events
        >>> data = events.write((range(9), range(9), range(9)), "evt3")
        >>> [len(chunk) for chunk in events.chunks(data)]
        [9, 0]
    """
    options = ops.Options(format, chip, convention, high_first)
    with naming(source):
        reader = reader_of(source, options)
        for piece in pieces(source):
            columns = reader.push(piece)
            meta = reader.meta
            if meta is not None:
                yield Recording(*columns, *meta, reader.report)


def read(
    source: Source,
    format: str | None = None,
    *,
    chip: str | None = None,
    convention: str = "address",
    high_first: bool | None = None,
) -> Recording:
    """Reads the recording of an event camera.

    Formats are ``"nmnist"`` (N-MNIST and N-Caltech101), ``"aedat2"``, ``"aedat3.1"``, ``"aedat4"``,
    ``"dat"``, ``"evt2"``, ``"evt2.1"`` and ``"evt3"``. Times that wrap in a file go on here.

    Args:
        source: A path, or the bytes of a file.
        format: The format; by default the one that the file begins as. Files of N-MNIST have no
            header: they are known by their suffix ``.bin``.
        chip: Of AEDAT 2, ``"dvs128"``, ``"davis240"``, ``"davis346"`` or ``"davis640"``; by default
            that of the header, or ``"dvs128"``.
        convention: Of AEDAT 2, what the bits of an address say: ``"address"`` takes them as they
            are, ``"jaer"`` counts ``x`` from the other side and inverts the polarity of DVS128, as
            jAER shows it, ``"tonic"`` exchanges the axes of DVS128, as tonic does.
        high_first: Of EVT 2.1, whether the high half of a word comes first; by default as the
            header says.

    Returns:
        All events, in the order of the file, with what the file says of itself, and a report of
        what was left out.

    Raises:
        ValueError: for anything in the file that is not as its format has it.
        OSError: if it cannot be opened.

    Example:
        >>> from bitspike import events
        >>> data = events.write(([5, 9], [1, 2], [3, 4]), "dat")
        >>> recording = events.read(data)
        >>> recording.t, recording.x, recording.format
        (tensor([5, 9]), tensor([1, 2], dtype=torch.int16), 'dat')
        >>> recording.report
        Report(events=2, dropped=0, ignored=0, tail=0)
    """
    parts = chunks(source, format, chip=chip, convention=convention, high_first=high_first)
    return Recording.joined(list(parts))


def write(
    events: Any,
    format: str,
    path: str | os.PathLike[str] | None = None,
    *,
    sensor_size: tuple[int, ...] | None = None,
    chip: str | None = None,
    convention: str = "address",
    high_first: bool | None = None,
    compression: str = "none",
) -> bytes | None:
    """Writes a recording, which `read` reads.

    Args:
        events: A `Recording`, a structured array, or a tuple ``(t, x, y, p)`` or less of it: see
            `from_events`. Times must not descend, nor be negative.
        format: As for `read`.
        path: Where the file goes; None to return its bytes.
        sensor_size: Width and height, which most headers hold; by default those of the recording.
        chip: As for `read`; by default that of the size.
        convention: As for `read`.
        high_first: As for `read`.
        compression: Of AEDAT 4, ``"none"``, ``"lz4"`` or ``"zstd"``.

    Returns:
        The bytes, or None if they went to a file.

    Raises:
        ValueError: for events that have no place in the format: a pixel, or a silence, that is too
            large, and times that descend.

    Example:
        >>> from bitspike import events
        >>> len(events.write(([0, 7], [3, 3], [4, 4]), "nmnist"))
        10
    """
    size = events.size if isinstance(events, Recording) else None
    if sensor_size is not None:
        size = (sensor_size[0], sensor_size[1])
    parts = tuple(events) if isinstance(events, tuple | list) else (events,)
    columns = columns_of(*parts)
    options = ops.Options(None, chip, convention, high_first, compression)
    writer = ops.Writer(format, size, options)
    written = (part for part in (writer.write(columns), writer.finish()))
    if path is None:
        return b"".join(written)
    _save(path, written)
    return None


def _save(path: str | os.PathLike[str], parts: Iterable[bytes]) -> None:
    data = list(parts)  # what cannot be written leaves no file
    with open(path, "wb") as file:
        file.writelines(data)
