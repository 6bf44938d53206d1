"""The packages nir and h5py, which are optional."""

from __future__ import annotations

import dataclasses
import inspect
from functools import cache
from importlib import import_module
from typing import Any

import torch

from .records import GraphRecord, Record


@cache
def package(name: str) -> Any:
    """The package nir, or h5py, with which it reads its files.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as missing:
        raise ImportError(
            f"bitspike.nir needs the package {name}: pip install 'bitspike[nir]'"
        ) from missing


def as_nir(record: Record | GraphRecord) -> Any:
    """A node of the package nir.

    Raises:
        ValueError: if nir's own check of types refuses a graph.
    """
    nir = package("nir")
    if isinstance(record, GraphRecord):
        nodes = {name: as_nir(node) for name, node in record.nodes.items()}
        return nir.NIRGraph(nodes, list(record.edges), metadata=dict(record.metadata))
    make = getattr(nir, record.kind)
    fields = {name: _as_array(value) for name, value in record.fields.items()}
    if record.kind in ("Input", "Output"):
        side = record.kind.lower()
        fields = {f"{side}_type": {side: _as_shape(record.fields["shape"])}}
    if record.kind == "Flatten":
        fields["input_type"] = {"input": _as_shape(record.fields["input_type"])}
    if record.metadata and "metadata" in {field.name for field in dataclasses.fields(make)}:
        fields["metadata"] = dict(record.metadata)
    return make(**fields)


def unchecked(record: GraphRecord) -> Any:
    """The same graph without nir's check of types."""
    nir = package("nir")
    nodes = {
        name: unchecked(node) if isinstance(node, GraphRecord) else as_nir(node)
        for name, node in record.nodes.items()
    }
    options: dict[str, Any] = {"metadata": dict(record.metadata)}
    if "type_check" in inspect.signature(nir.NIRGraph.__init__).parameters:
        options["type_check"] = False
    return nir.NIRGraph(nodes, list(record.edges), **options)


def has_reset_value() -> bool:
    """Whether the nodes of the installed version say what a spike resets to.

    Before nir 1.0.6 they did not, and a spike subtracted the threshold.
    """
    return "v_reset" in {field.name for field in dataclasses.fields(package("nir").LIF)}


def _as_shape(shape: Any) -> Any:
    return torch.tensor(list(shape), dtype=torch.int64).numpy()


def _as_array(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value
