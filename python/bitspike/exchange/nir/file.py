"""Files of NIR, read without trust: what is not as it must be is an error, and bounded memory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import NIRError
from .heaps import expect_lengths, expect_sound
from .package import package
from .records import MAX_DEPTH, GraphRecord, Record, value_of

_MOST = 1 << 18
"""More entries than this has no network; a file whose groups lie in each other has."""
_INFLATED = 1100
"""How many bytes one compressed byte can become, by deflate."""
_SMALL = 1 << 16
_FILTERS = (None, "gzip", "lzf", "szip")


def read(path: str | Path) -> GraphRecord:
    """Reads a file of any version of nir.

    Raises:
        NIRError: for anything in the file that is not as it must be.
        OSError: if there is no such file, or it cannot be opened.
        ImportError: without h5py.
    """
    with opened(path) as (file, entries):
        found = _node(entries.of(file, "").get("node"), entries, "", 0)
        if not isinstance(found, GraphRecord):
            raise NIRError(f"{path} holds a {found.kind}, and no graph")
        version = _text(entries.of(file, ""), entries, "version", "")
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version)
    if numbers is None:
        raise NIRError(f"{path} is of version {version!r}, which is none of nir")
    _mark(found, tuple(int(x or 0) for x in numbers.groups()) < (1, 0, 6))
    return found


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[Any, Entries]]:
    """A file of HDF5, and what reads its entries; whatever h5py raises becomes a `NIRError`."""
    h5py = package("h5py")
    expect_sound(path)
    try:
        with h5py.File(path, "r") as file:
            yield file, Entries(h5py, Path(path))
    except NIRError:
        raise
    except Exception as error:  # h5py raises whatever it meets in a file that is damaged.
        raise NIRError(f"{path} is no file that can be read: {error}") from error


class Entries:
    """Reads groups and data sets, after a look at what they are."""

    max_depth = MAX_DEPTH

    def __init__(self, h5py: Any, path: Path) -> None:
        self._h5py, self._path = h5py, path
        self._size = path.stat().st_size
        self._texts = [
            h5py.h5t.py_create(h5py.string_dtype(encoding), logical=True)
            for encoding in ("utf-8", "ascii")
        ]
        self._seen = 0

    def of(self, group: Any, path: str) -> dict[str, Any]:
        """What lies in a group, and not behind a link to somewhere else."""
        if not isinstance(group, self._h5py.Group):
            raise NIRError(f"{path or 'the file'} is no group, or has no graph")
        found = {}
        for name in group:
            self._seen += 1
            if self._seen > _MOST:
                raise NIRError(f"the file has more than {_MOST} entries")
            if not isinstance(group.get(name, getlink=True), self._h5py.HardLink):
                raise NIRError(f"{path}{name} is a link to somewhere else")
            found[name] = group[name]
        return found

    def is_data(self, entry: Any) -> bool:
        """Whether an entry is a data set."""
        return isinstance(entry, self._h5py.Dataset)

    def value(self, path: str, entry: Any) -> Any:
        """The numbers or the text of a data set."""
        found = self.array(path, entry)
        if getattr(found, "dtype", None) is not None and found.dtype.kind in "OSU":
            raise NIRError(f"{path} is an array of texts")
        return value_of(path, found)

    def array(self, path: str, entry: Any) -> Any:
        """What a data set holds, after a look at how much that is."""
        if not self.is_data(entry):
            raise NIRError(f"{path} is missing, or is no array and no text")
        stored = min(entry.id.get_storage_size(), self._size)
        limit = stored * _INFLATED + _SMALL
        chunk = math.prod(entry.chunks or ()) * entry.dtype.itemsize
        if entry.is_virtual or entry.external or entry.compression not in _FILTERS:
            raise NIRError(f"{path} lies in another file, or is compressed in an unknown way")
        sides = entry.shape if entry.chunks is None else entry.chunks
        if len(sides) != len(entry.shape):
            raise NIRError(f"{path} has {len(entry.shape)} axes, and pieces of {len(sides)}")
        if entry.nbytes > limit or chunk > limit:
            raise NIRError(f"{path} claims {entry.nbytes} bytes, and {stored} are stored")
        pieces = zip(entry.shape, sides, strict=True)
        if math.prod(-(-size // max(side, 1)) for size, side in pieces) > self._size:
            raise NIRError(f"{path} has more pieces than the file has bytes")
        kind, is_text = entry.dtype.kind, any(map(entry.id.get_type().equal, self._texts))
        if not is_text and kind not in "biufS":
            raise NIRError(f"{path} is {entry.dtype}, and neither numbers nor a text")
        if is_text:
            expect_lengths(self._path, entry.id.get_offset(), entry.size)
        return entry[()]


def _node(group: Any, entries: Entries, path: str, depth: int) -> GraphRecord | Record:
    """A node, or a graph."""
    if depth > MAX_DEPTH:
        raise NIRError(f"graphs lie in graphs more than {MAX_DEPTH} deep")
    inside = entries.of(group, path)
    kind = _text(inside, entries, "type", path)
    metadata = {}
    if "metadata" in inside:
        held = entries.of(inside.pop("metadata"), f"{path}metadata.").items()
        metadata = {
            name: entries.value(f"{path}metadata.{name}", x)
            for name, x in held
            if entries.is_data(x)
        }
    if kind == "NIRGraph":
        return _graph(inside, metadata, entries, path, depth)
    del inside["type"]
    fields = {name: entries.value(f"{path}{name}", entry) for name, entry in inside.items()}
    return Record(kind, fields, metadata)


def _graph(
    inside: dict[str, Any], metadata: dict[str, Any], entries: Entries, path: str, depth: int
) -> GraphRecord:
    """The nodes and the edges of a graph."""
    nodes = {
        name: _node(group, entries, f"{path}{name}.", depth + 1)
        for name, group in entries.of(inside.get("nodes"), f"{path}nodes.").items()
    }
    pairs = entries.array(f"{path}edges", inside.get("edges"))
    if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2):
        raise NIRError(f"{path}edges have shape {pairs.shape}, not [E, 2]")
    names = [x.decode() if isinstance(x, bytes) else str(x) for x in pairs.ravel().tolist()]
    edges = list(zip(names[::2], names[1::2], strict=True))
    found = GraphRecord(nodes, edges, metadata)
    found.expect_edges(path)
    return found


def _text(inside: dict[str, Any], entries: Entries, name: str, path: str) -> str:
    """An entry that is a text."""
    found = entries.value(f"{path}{name}", inside.get(name))
    if not isinstance(found, str):
        raise NIRError(f"{path}{name} is no text")
    return found


def _mark(graph: GraphRecord, old: bool) -> None:
    """Notes in all graphs whether spikes subtract the threshold, as they did in old versions."""
    graph.subtracts = old
    for node in graph.nodes.values():
        if isinstance(node, GraphRecord):
            _mark(node, old)
