"""Texts in files of HDF5, looked at before its library does, which trusts them.

One whose place in its heap has no length sends the library into a loop without end, and one that
claims to be long takes as much memory.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from .errors import NIRError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
"""What begins a global heap: its name and its version. HDF5 does not look at three bytes behind."""
_HEADER = 16
"""Bytes in front of the objects of a heap, and of the content of an object."""
_REFERENCE = 16
"""Bytes of a reference to a text: its length first."""


def expect_sound(path: str | Path) -> None:
    """Checks a file before HDF5's library opens it.

    Raises:
        NIRError: for a file of another kind, and a heap with an object that does not lie in it.
        OSError: if it cannot be opened.
    """
    with open(path, "rb") as file:
        start = file.read(16)
        if not start.startswith(_SIGNATURE) or len(start) < 16:
            raise NIRError(f"{path} is no file of HDF5")
        version = start[8]
        sizes = start[13:15] if version < 2 else start[9:11]
        if version > 3 or sizes != b"\x08\x08":
            raise NIRError(f"{path} has addresses of other sizes than 8 bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = data.find(_HEAP)
            while at >= 0:
                _expect_objects(path, data, at)
                at = data.find(_HEAP, at + 1)


def expect_lengths(path: str | Path, offset: int | None, count: int) -> None:
    """Checks that texts claim no more bytes than a file has.

    Args:
        path: The file.
        offset: Where in it the references to the texts lie, one behind the other.
        count: How many there are.

    Raises:
        NIRError: if they claim more, or lie in another way.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if offset is None or offset + count * _REFERENCE > size:
            raise NIRError(f"{path} has texts that do not lie one behind the other in the file")
        file.seek(offset)
        data = file.read(count * _REFERENCE)
    starts = range(0, len(data), _REFERENCE)
    if sum(int.from_bytes(data[at : at + 4], "little") for at in starts) > size:
        raise NIRError(f"{path} has texts that claim more bytes than the file has")


def _expect_objects(path: str | Path, data: mmap.mmap, heap: int) -> None:
    """Checks that each object of a heap ends behind its beginning, and inside the heap."""
    size = int.from_bytes(data[heap + 8 : heap + _HEADER], "little")
    end, at = heap + size, heap + _HEADER
    while at + _HEADER <= end:
        index = int.from_bytes(data[at : at + 2], "little")
        length = int.from_bytes(data[at + 8 : at + _HEADER], "little")
        step = -(-(_HEADER + length) // 8) * 8 if index else length  # 0 is what is left
        if not 0 < step <= end - at or end > len(data):
            raise NIRError(f"{path} has a heap of texts at byte {heap} that is damaged")
        at += step
