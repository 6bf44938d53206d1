"""Files of NIR, read without trust: what is not as it must be is an error, and bounded memory."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from .errors import NIRError
from .package import package
from .records import MAX_DEPTH, GraphRecord, Record, value_of

_MOST = 1 << 18
"""More data sets than this has no network; a file whose groups lie in each other has."""
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
    h5py = package("h5py")
    with open(path, "rb"):
        pass
    try:
        with h5py.File(path, "r") as file:
            return _Reader(h5py).graph(file)
    except NIRError:
        raise
    except Exception as error:  # h5py raises whatever it meets in a file that is damaged.
        raise NIRError(f"{path} is no NIR file that can be read: {error}") from error


class _Reader:
    def __init__(self, h5py: Any) -> None:
        self.h5py = h5py
        self.seen = 0

    def graph(self, file: Any) -> GraphRecord:
        """The graph of a file."""
        found = self.node(self.entries(file, "").get("node"), "", 0)
        if not isinstance(found, GraphRecord):
            raise NIRError(f"the file holds a {found.kind}, and no graph")
        version = self.text(file, "version")
        numbers = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version)
        if numbers is None:
            raise NIRError(f"version {version!r} is none of nir")
        old = tuple(int(x or 0) for x in numbers.groups()) < (1, 0, 6)
        _mark(found, old)
        return found

    def entries(self, group: Any, path: str) -> dict[str, Any]:
        """What lies in a group, and not behind a link to somewhere else."""
        if not isinstance(group, self.h5py.Group):
            raise NIRError(f"{path or 'node'} is no group")
        found = {}
        for name in group:
            self.seen += 1
            if self.seen > _MOST:
                raise NIRError(f"the file has more than {_MOST} entries")
            if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                raise NIRError(f"{path}{name} is a link to somewhere else")
            found[name] = group[name]
        return found

    def node(self, group: Any, path: str, depth: int) -> GraphRecord | Record:
        """A node, or a graph."""
        if depth > MAX_DEPTH:
            raise NIRError(f"graphs lie in graphs more than {MAX_DEPTH} deep")
        entries = self.entries(group, path)
        kind = self.text(group, "type")
        metadata = entries.pop("metadata", {})
        if metadata:
            items = self.entries(metadata, f"{path}metadata.").items()
            metadata = {
                name: self.value(f"{path}metadata.{name}", x)
                for name, x in items
                if isinstance(x, self.h5py.Dataset)
            }
        if kind == "NIRGraph":
            return self.inner(entries, metadata, path, depth)
        fields = {
            name: self.value(f"{path}{name}", entry)
            for name, entry in entries.items()
            if name != "type"
        }
        return Record(kind, fields, metadata)

    def inner(
        self, entries: dict[str, Any], metadata: dict[str, Any], path: str, depth: int
    ) -> GraphRecord:
        """The nodes and the edges of a graph."""
        nodes = {
            name: self.node(group, f"{path}{name}.", depth + 1)
            for name, group in self.entries(entries.get("nodes"), f"{path}nodes.").items()
        }
        edges = entries.get("edges")
        if not isinstance(edges, self.h5py.Dataset):
            raise NIRError(f"{path}edges are missing")
        pairs = self.numbers(f"{path}edges", edges)
        if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2):
            raise NIRError(f"{path}edges have shape {pairs.shape}, not [E, 2]")
        found = GraphRecord(nodes, metadata=metadata)
        names = [x.decode() if isinstance(x, bytes) else str(x) for x in pairs.ravel().tolist()]
        found.edges = list(zip(names[::2], names[1::2], strict=True))
        found.expect_edges(path)
        return found

    def text(self, group: Any, name: str) -> str:
        """A data set that is a text."""
        found = self.value(name, group[name]) if name in group else None
        if not isinstance(found, str):
            raise NIRError(f"{group.name} has no {name}")
        return found

    def value(self, path: str, entry: Any) -> Any:
        """The numbers or the text of a data set."""
        if not isinstance(entry, self.h5py.Dataset):
            raise NIRError(f"{path} is no array and no text")
        found = self.numbers(path, entry)
        if getattr(found, "dtype", None) is not None and found.dtype.kind in "OSU":
            raise NIRError(f"{path} is an array of texts")
        return value_of(path, found)

    def numbers(self, path: str, entry: Any) -> Any:
        """What a data set holds, after a look at how much that is."""
        stored = entry.id.get_storage_size()
        limit = stored * _INFLATED + _SMALL
        chunk = math.prod(entry.chunks or ()) * entry.dtype.itemsize
        if entry.is_virtual or entry.external or entry.compression not in _FILTERS:
            raise NIRError(f"{path} lies in another file, or is compressed in an unknown way")
        if entry.nbytes > limit or chunk > limit:
            raise NIRError(f"{path} claims {entry.nbytes} bytes, and {stored} are stored")
        return entry[()]


def _mark(graph: GraphRecord, old: bool) -> None:
    """Notes in all graphs whether spikes subtract the threshold, as they did in old versions."""
    graph.subtracts = old
    for node in graph.nodes.values():
        if isinstance(node, GraphRecord):
            _mark(node, old)
