"""Recordings of nodes: written and read, by the package nir as well."""

import h5py
import nir
import numpy as np
import pytest
import torch

import bitspike as snn
from bitspike.nir import NIRError, load_data, save_data
from helpers.compare import dense


@pytest.fixture
def path(tmp_path):
    return tmp_path / "activity.h5"


def spikes():
    torch.manual_seed(0)
    return (torch.rand(30, 2, 5) < 0.2).float()


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("dt", [0.1, 1e-3, 1 / 3])
def test_spikes_come_back(path, events, dt):
    x = spikes()
    packed = snn.spikes.pack.pack_if_binary(x)
    save_data(path, {"a": packed, "b.c": x.bool(), "maps": x.view(30, 2, 1, 5)}, dt, events=events)
    found = load_data(path, dt=dt)
    assert list(found) == ["a", "b.c", "maps"]
    for value in found.values():
        assert isinstance(value, snn.SpikeTensor) and torch.equal(dense(value), x)


def test_other_numbers_come_back(path):
    x = torch.rand(7, 2, 3)
    save_data(path, {"li": x}, dt=1e-3)
    assert torch.equal(load_data(path)["li"], x)
    with pytest.raises(ValueError, match="li has other numbers than zeros and ones"):
        save_data(path, {"li": x}, dt=1e-3, events=True)


@pytest.mark.skipif(not hasattr(nir, "read_data"), reason="this version of nir has no recordings")
def test_the_package_reads_what_is_written_here(path):
    x = spikes()
    save_data(path, {"a": x}, dt=0.1)
    grid = nir.read_data(path).nodes["a"].observables["spikes"]
    assert grid.dt == 0.1 and np.array_equal(grid.data, x.transpose(0, 1).bool().numpy())
    save_data(path, {"a": x}, dt=0.25, events=True)
    found = nir.read_data(path).nodes["a"].observables["spikes"]
    assert np.array_equal(found.to_time_gridded(0.25).data, x.transpose(0, 1).bool().numpy())


@pytest.mark.skipif(not hasattr(nir, "read_data"), reason="this version of nir has no recordings")
def test_what_the_package_writes_is_read_here(path):
    x = spikes()
    grid = nir.TimeGriddedData(x.transpose(0, 1).bool().numpy(), dt=0.1)
    events = grid.to_event(n_events=60)
    voltage = nir.TimeGriddedData(np.random.rand(2, 30, 5), dt=0.1)
    nodes = {"grid": {"spikes": grid, "v": voltage}, "events": {"other": events}}
    data = {name: nir.NIRNodeData(observables) for name, observables in nodes.items()}
    nir.write_data(path, nir.NIRGraphData(data))
    found = load_data(path, dt=0.1)
    assert torch.equal(dense(found["grid"]), x)
    assert torch.equal(dense(found["events"]), x)  # times at the starts of steps, which round down
    with pytest.raises(NIRError, match="events has no observable 'v', but"):
        load_data(path, dt=0.1, observable="v")


def test_the_same_time_in_a_graph_inside_the_graph(path):
    save_data(path, {"a": spikes()}, dt=0.1)
    with h5py.File(path, "a") as file:
        file.copy("nodes/a", file.create_group("nodes/inner/nodes"), "b")
    assert list(load_data(path)) == ["a", "inner.b"]


def test_values_of_events(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("nodes/a/observables/weights")
        group["idx"], group["time"] = [[1, 0, -1]], [[0.05, 0.25, np.inf]]
        group["value"] = [[2.0, 0.5, 0.0]]
        group.attrs["n_neurons"], group.attrs["t_max"] = 2, 0.3
    found = load_data(path, dt=0.1)["a"]
    assert found[:, 0].tolist() == [[0, 2], [0, 0], [0.5, 0]]


BROKEN = {
    "dt": ({}, None, "pass dt"),
    "late": ({"time": [[0.05, 0.45]]}, 0.1, "before 0 or after t_max"),
    "neuron": ({"idx": [[1, 7]]}, 0.1, "neurons that are not there"),
    "shape": ({"idx": [[1, 0, 1]]}, 0.1, "one shape"),
    "value": ({"value": [[1.0]]}, 0.1, "idx, time and value"),
    "many": ({"n_neurons": 1 << 40}, 0.1, "no recording"),
    "text": ({"t_max": "long"}, 0.1, "has no number t_max"),
    "nan": ({"t_max": np.nan}, 0.1, "t_max of .* is nan"),
    "grid": ({"data": [[1.0]]}, 0.1, r"no data \[samples, steps, neurons\]"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_recording(path, name):
    changes, dt, fault = BROKEN[name]
    fields = {"idx": [[1, 0]], "time": [[0.05, 0.25]], "n_neurons": 2, "t_max": 0.3} | changes
    with h5py.File(path, "w") as file:
        group = file.create_group("nodes/a/observables/spikes")
        for key, value in fields.items():
            if key in ("n_neurons", "t_max"):
                group.attrs[key] = value
            else:
                group[key] = value
    with pytest.raises(NIRError, match=fault):
        load_data(path, dt=dt)


def test_arguments(path):
    for dt in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="dt must be a positive number"):
            save_data(path, {"a": spikes()}, dt)
    with pytest.raises(ValueError, match=r"data\['a'\] must be \[T, B, \*\]"):
        save_data(path, {"a": torch.zeros(3)}, 1)
    with pytest.raises(FileNotFoundError):
        load_data(path)
