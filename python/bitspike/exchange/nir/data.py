"""Spikes and potentials of nodes, as files that libraries compare their activity by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

from .errors import NIRError
from .file import Entries, opened
from .package import package

_PLACE = "bitspike_place_in_step"
"""The attribute that says where in its step an event lies: ours in the centre, so that rounding
cannot move them to another step."""


def save_data(
    path: str | Path, data: Mapping[str, Tensor], dt: float, *, events: bool = False
) -> None:
    """Writes what nodes have made, as ``nir.NIRGraphData``: one observable for each node.

    Zeros and ones become ``spikes``, other numbers ``values``.

    Args:
        path: Where the file goes.
        data: For the name of each node ``[T, B, *]``; axes behind the batch become one.
        dt: Seconds per step.
        events: Write the times of spikes in place of a grid.

    Raises:
        ValueError: for a ``dt`` that is not positive, data without time and batch, and events of
            what are no spikes.
        TypeError: for data that are no tensors and cannot become some, or have no values.
        ImportError: without h5py.

    Example:
        >>> import tempfile, torch, bitspike as snn
        >>> file = tempfile.mkdtemp() + "/activity.h5"
        >>> snn.nir.save_data(file, {"lif1": torch.tensor([[[0.0, 1.0]]])}, dt=1e-3)
        >>> snn.nir.load_data(file)
        {'lif1': SpikeTensor(shape=(1, 1, 2), density=0.5, 8 bytes)}
    """
    if not 0 < float(dt) < math.inf:
        raise ValueError(f"dt must be a positive number of seconds per step, not {dt}")
    read = {name: _grid(name, x) for name, x in data.items()}
    with torch.device("cpu"), package("h5py").File(path, "w") as file:
        file.attrs["__type__"] = "NIRGraphData"
        nodes = file.create_group("nodes")
        for name, grid in read.items():
            node = nodes.create_group(name)
            node.attrs["__type__"] = "NIRNodeData"
            is_binary = grid.dtype is torch.bool
            if events and not is_binary:
                raise ValueError(f"{name} has other numbers than zeros and ones; events are spikes")
            written = node.create_group(f"observables/{'spikes' if is_binary else 'values'}")
            (_write_events if events else _write_grid)(written, grid, float(dt))


def _grid(name: str, x: Tensor) -> Tensor:
    """``[B, T, N]``, as NIR has it; bool for spikes."""
    x = with_values(as_tensor(x, "data"), "data")
    if x.dim() < 2:
        raise ValueError(f"data[{name!r}] must be [T, B, *], not {tuple(x.shape)}")
    if isinstance(x, SpikeTensor):
        x = x.dense()
    x = x.detach().cpu().unsqueeze(-1).flatten(2).transpose(0, 1).contiguous()
    is_binary = x.dtype is torch.bool or bool(((x == 0) | (x == 1)).all())
    return x.bool() if is_binary else x.float()


def _write_grid(group: Any, grid: Tensor, dt: float) -> None:
    group.attrs["__type__"], group.attrs["dt"] = "TimeGriddedData", dt
    group.create_dataset("data", data=grid.numpy(), compression="gzip")


def _write_events(group: Any, grid: Tensor, dt: float) -> None:
    samples, steps, neurons = grid.shape
    counts = grid.flatten(1).sum(1)
    width = int(counts.max()) if samples else 0
    index = torch.full((samples, width), -1)
    time = torch.full((samples, width), torch.inf, dtype=torch.float64)
    for sample, spikes in enumerate(grid):
        when, which = spikes.nonzero(as_tuple=True)
        index[sample, : len(which)] = which
        time[sample, : len(when)] = (when + 0.5) * dt
    group.attrs["__type__"], group.attrs["n_neurons"] = "EventData", neurons
    group.attrs["t_max"], group.attrs[_PLACE] = steps * dt, 0.5
    group.create_dataset("idx", data=index.numpy())
    group.create_dataset("time", data=time.numpy())


def load_data(
    path: str | Path, *, dt: float | None = None, observable: str | None = None
) -> dict[str, Tensor]:
    """Reads what nodes have made, as any library has written it.

    Args:
        path: A file of ``nir.NIRGraphData``.
        dt: Seconds per step, for events; a grid has its own.
        observable: Which one of a node that has several; by default ``spikes``, or the only one.

    Returns:
        For the path of each node ``[T, B, N]``: a `SpikeTensor` of spikes, floats of other numbers.

    Raises:
        NIRError: for anything in the file that is not as it must be, and events without ``dt``.
        OSError: if the file cannot be opened.
        ImportError: without h5py.

    Example:
        >>> import tempfile, torch, bitspike as snn
        >>> file = tempfile.mkdtemp() + "/activity.h5"
        >>> snn.nir.save_data(file, {"li": torch.tensor([[[0.25]], [[0.5]]])}, dt=1e-3)
        >>> snn.nir.load_data(file)["li"].flatten()
        tensor([0.2500, 0.5000])
    """
    found: dict[str, Tensor] = {}
    with torch.device("cpu"), opened(path) as (file, entries):
        _read_nodes(file, entries, "", (dt, observable), found)
    return found


_Wanted = tuple[float | None, str | None]


def _read_nodes(
    group: Any, entries: Entries, path: str, wanted: _Wanted, found: dict[str, Tensor]
) -> None:
    """Reads the nodes of a graph, and of the graphs in it."""
    if path.count(".") > entries.max_depth:
        raise NIRError("graphs lie in graphs too deep")
    nodes = entries.of(entries.of(group, path).get("nodes"), f"{path}nodes")
    for name, node in nodes.items():
        inside = entries.of(node, name)
        if "nodes" in inside:  # it is a graph, whatever the text of an attribute says
            _read_nodes(node, entries, f"{path}{name}.", wanted, found)
            continue
        observables = entries.of(inside.get("observables"), f"{name} observables")
        chosen = wanted[1] or ("spikes" if len(observables) > 1 else next(iter(observables), ""))
        if chosen not in observables:
            raise NIRError(f"{path}{name} has no observable {chosen!r}, but {list(observables)}")
        found[path + name] = _read_one(f"{path}{name}", observables[chosen], entries, wanted[0])


def _read_one(path: str, group: Any, entries: Entries, dt: float | None) -> Tensor:
    """``[T, B, N]`` of one observable."""
    fields = {key: entries.value(f"{path} {key}", x) for key, x in entries.of(group, path).items()}
    if "data" in fields:
        grid = fields["data"]
        if not isinstance(grid, Tensor) or grid.dim() != 3:
            raise NIRError(f"{path} has no data [samples, steps, neurons]")
        grid = grid.transpose(0, 1)
        return pack_if_binary(grid.float().contiguous())
    if dt is None or not 0 < dt < math.inf:
        raise NIRError(f"{path} has times of events; pass dt, seconds per step")
    return _of_events(path, group, fields, dt)


def _of_events(path: str, group: Any, fields: dict[str, Any], dt: float) -> Tensor:
    index, time = fields.get("idx"), fields.get("time")
    if not isinstance(index, Tensor) or not isinstance(time, Tensor) or index.shape != time.shape:
        raise NIRError(f"{path} needs idx and time of one shape")
    value = fields.get("value", torch.ones(index.shape))
    if index.dim() != 2 or not isinstance(value, Tensor) or value.shape != index.shape:
        raise NIRError(f"{path} must have idx, time and value [samples, events]")
    neurons, steps = _number(group, "n_neurons"), round(_number(group, "t_max") / dt)
    whole = int(neurons)
    if whole != neurons or whole < 0 or steps < 0 or steps * whole * max(len(index), 1) > 1 << 32:
        raise NIRError(f"{path} has {neurons} neurons and {steps} steps, which is no recording")
    is_event = (index != -1) & time.isfinite()
    place = time[is_event].double() / dt
    if _PLACE in group.attrs:
        when = (place - _number(group, _PLACE)).round()
    else:
        when = (place + 1e-6).floor()
    which, sample = index[is_event].long(), is_event.nonzero()[:, 0]
    if when.numel() and not (0 <= float(when.min()) and float(when.max()) < steps):
        raise NIRError(f"{path} has events before 0 or after t_max")
    if which.numel() and not (0 <= int(which.min()) and int(which.max()) < whole):
        raise NIRError(f"{path} has events of neurons that are not there")
    grid = torch.zeros(steps, len(index), whole)
    grid[when.long(), sample, which] = value[is_event].float()
    return pack_if_binary(grid)


def _number(group: Any, name: str) -> float:
    attributes = group.attrs
    if name not in attributes or attributes.get_id(name).dtype.kind not in "fiu":
        raise NIRError(f"{group.name} has no number {name}")
    found = float(attributes[name])
    if not math.isfinite(found):
        raise NIRError(f"{name} of {group.name} is {found}")
    return found
