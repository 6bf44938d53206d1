"""Nodes and graphs of NIR as plain data, whatever version of nir has written them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .errors import NIRError

Edge = tuple[str, str]


@dataclass
class Record:
    """A node: the name of its class in nir, and its fields."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    """Tensors, numbers, texts and shapes."""
    metadata: dict[str, Any] = field(default_factory=dict)

    def hint(self, key: str) -> Any:
        """What the metadata say under a key, if that is a text or one number; else None."""
        value: Any = self.metadata.get(key)
        try:
            value = value.item() if hasattr(value, "item") else value
        except (ValueError, RuntimeError):
            return None
        return value if isinstance(value, str | bool | int | float) else None


@dataclass
class GraphRecord:
    """A graph, whose nodes may be graphs."""

    nodes: dict[str, Record | GraphRecord] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    subtracts: bool = False
    """Whether spikes of nodes that do not say otherwise subtract the threshold."""

    def expect_edges(self, path: str = "") -> None:
        """Checks that edges join nodes that exist, each pair once.

        Raises:
            NIRError: if they do not.
        """
        seen = set()
        for edge in self.edges:
            for name in edge:
                if name not in self.nodes:
                    raise NIRError(f"edge {path}{edge} joins {name!r}, which is no node")
            if edge in seen:
                raise NIRError(f"edge {path}{edge} is there twice; a Scale of 2 says that")
            seen.add(edge)


def graph_of(graph: Any) -> GraphRecord:
    """A ``nir.NIRGraph`` as plain data.

    Raises:
        NIRError: for what is no graph, and for graphs in graphs without end.
    """
    return _graph_of(graph, 0)


MAX_DEPTH = 32
"""How deep graphs may lie in graphs."""


def _graph_of(graph: Any, depth: int) -> GraphRecord:
    if depth > MAX_DEPTH:
        raise NIRError(f"graphs lie in graphs more than {MAX_DEPTH} deep")
    nodes, edges = getattr(graph, "nodes", None), getattr(graph, "edges", None)
    if not isinstance(nodes, dict) or edges is None:
        raise NIRError(f"a nir.NIRGraph or the path of a file is needed, not {type(graph)}")
    found = GraphRecord(
        edges=[(str(a), str(b)) for a, b in edges], metadata=dict(getattr(graph, "metadata", {}))
    )
    for name, node in nodes.items():
        is_graph = type(node).__name__ == "NIRGraph"
        found.nodes[str(name)] = _graph_of(node, depth + 1) if is_graph else _record_of(name, node)
    found.subtracts = any(
        isinstance(x, Record) and "v_threshold" in x.fields and "v_reset" not in x.fields
        for x in found.nodes.values()
    )
    found.expect_edges()
    return found


def _record_of(name: str, node: Any) -> Record:
    kind = type(node).__name__
    if not dataclasses.is_dataclass(node):
        raise NIRError(f"{name}: {kind} is no node of NIR")
    fields = {
        x.name: getattr(node, x.name)
        for x in dataclasses.fields(node)
        if x.name not in ("metadata", "input_type", "output_type")
    }
    metadata = getattr(node, "metadata", None)
    if kind in ("Input", "Output", "Flatten"):
        side = "output" if kind == "Output" else "input"
        shape = (getattr(node, f"{side}_type") or {}).get(side)
        fields["input_type" if kind == "Flatten" else "shape"] = shape
    fields = {key: value_of(f"{name}.{key}", value) for key, value in fields.items()}
    return Record(kind, fields, dict(metadata or {}))


def value_of(name: str, value: Any) -> Any:
    """A field as a tensor of float32, float64, int64 or bool, or as a text, or None.

    Raises:
        NIRError: if it is something else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    dtype: Any = getattr(value, "dtype", None)
    if getattr(dtype, "kind", "") in ("f", "i", "u"):  # NumPy's, of any size and byte order
        wide = dtype.kind != "f" or dtype.itemsize > 4
        name_of = {"f": "float64" if wide else "float32"}.get(dtype.kind, "int64")
        value = value.astype(name_of)
    try:
        found: Tensor = torch.as_tensor(value).detach().clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise NIRError(f"{name} is no array of numbers: {error}") from error
    if found.is_complex():
        raise NIRError(f"{name} has complex numbers")
    if found.is_floating_point():
        return found if found.dtype is torch.float64 else found.float()
    return found if found.dtype is torch.bool else found.long()
