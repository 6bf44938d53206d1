"""Files that are not what they should be: a `NIRError` refuses each, soon and in little memory."""

import tracemalloc

import h5py
import numpy as np
import pytest

from bitspike.nir import NIRError, from_nir
from helpers.nir_files import chain, numbers, write

LIF = ("LIF", numbers(tau=2, r=2, v_leak=0, v_threshold=1, v_reset=0))


@pytest.fixture
def path(tmp_path):
    """A file that is as it should be."""
    return chain(tmp_path / "net.nir", LIF)


def refused(path, fault):
    tracemalloc.start()
    with pytest.raises(NIRError, match=fault):
        from_nir(path, dt=1)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_files_of_another_kind(path):
    for content in (b"", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n", bytes(5000)):
        path.write_bytes(content)
        refused(path, "is no file of HDF5")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refused(path, "other sizes than 8 bytes")
    with pytest.raises(IsADirectoryError):
        from_nir(path.parent, dt=1)


def test_files_that_end_early(path):
    data = path.read_bytes()
    for end in (16, 100, 600, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        refused(path, "is no file|heap of texts|other sizes")


CHANGES = {
    "no node": (lambda file: file.pop("node"), "has no graph"),
    "no version": (lambda file: file.pop("version"), "version is missing"),
    "version": (lambda file: replaced(file, "version", "new"), "version 'new'"),
    "number as version": (lambda file: replaced(file, "version", 1.0), "version is no text"),
    "no edges": (lambda file: file.pop("node/edges"), "edges is missing"),
    "edges": (lambda file: replaced(file, "node/edges", [["a", "b", "c"]]), "not \\[E, 2\\]"),
    "no type": (lambda file: file.pop("node/nodes/n0/type"), "n0.type is missing"),
    "type": (lambda file: replaced(file, "node/type", "LIF"), "edges is an array of texts"),
    "group as field": (lambda file: file.create_group("node/nodes/n0/more"), "n0.more is missing"),
    "texts as field": (lambda file: replaced(file, "node/nodes/n0/r", ["1"]), "array of texts"),
    "complex": (lambda file: replaced(file, "node/nodes/n0/r", [1j]), "neither numbers nor a text"),
    "other objects": (
        lambda file: file["node/nodes/n0"].create_dataset("n", (1,), h5py.vlen_dtype("i4")),
        "neither numbers nor a text",
    ),
    "field as node": (lambda file: replaced(file, "node/nodes/n0", 1), "is no group"),
    "soft link": (
        lambda file: replaced(file, "node/nodes/n0/r", h5py.SoftLink("/node/nodes/n0/tau")),
        "link to somewhere else",
    ),
    "external link": (
        lambda file: replaced(file, "node/nodes/n0", h5py.ExternalLink("/etc/passwd", "/")),
        "link to somewhere else",
    ),
    "itself": (lambda file: replaced(file, "node/nodes/n0", file["node"]), "32 deep"),
    "everything in everything": (lambda file: entangle(file["node/nodes"]), "deep|entries"),
}


def replaced(file, name, value):
    file.pop(name)
    file[name] = value


def entangle(nodes):
    """Graphs each of which holds all others: a tree of them has no end."""
    for i in range(8):
        graph = nodes.create_group(f"g{i}")
        graph["type"], graph["nodes"] = "NIRGraph", nodes


@pytest.mark.parametrize("name", CHANGES)
def test_content(path, name):
    change, fault = CHANGES[name]
    with h5py.File(path, "a") as file:
        change(file)
    refused(path, fault)


def test_a_name_that_is_no_utf8(path):
    with h5py.File(path, "a") as file:
        file["node/nodes"].create_group(b"\xff\xfe")
    refused(path, "is no file that can be read|no type|missing")


def test_arrays_that_claim_more_than_they_hold(path):
    shape = (1 << 15, 1 << 15)
    with h5py.File(path, "a") as file:
        node = file["node/nodes/n0"]
        del node["r"], node["tau"]
        node.create_dataset("r", shape, "f8", chunks=(64, 64), compression="gzip")  # nothing stored
        node["tau"] = np.ones(1)
    refused(path, "claims 8589934592 bytes, and 0 are stored")


def test_arrays_in_other_files(path):
    with h5py.File(path, "a") as file:
        node = file["node/nodes/n0"]
        del node["r"]
        outside = [(str(path.parent / "outside"), 0, 8)]
        node.create_dataset("r", (1,), "f8", external=outside)
    refused(path, "lies in another file")


def test_heaps_of_texts_without_length(path):
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    for offset, value in ((16, 0), (24, 0xFF)):
        damaged = data.copy()
        if not value:  # what is left of the heap, of length 0: HDF5's library would never end
            damaged[heap + 16 : heap + 32] = bytes(16)
        else:
            damaged[heap + offset : heap + offset + 6] = bytes([value]) * 6
        for behind_version in (bytes(3), b"abc"):  # at which HDF5's library does not look
            damaged[heap + 5 : heap + 8] = behind_version
            path.write_bytes(damaged)
            refused(path, f"heap of texts at byte {heap} that is damaged")


def test_texts_that_claim_to_be_long(path):
    with h5py.File(path) as file:
        offset = file["node/nodes/n0/type"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    refused(path, "claim more bytes than the file has")


def test_graphs_in_graphs_without_end(path):
    nodes, edges = {"a": LIF}, []
    for _ in range(40):
        nodes, edges = {"g": (nodes, edges)}, []
    write(path, nodes, edges)
    refused(path, "more than 32 deep")


def test_hints_that_are_none(path):
    with h5py.File(path, "a") as file:
        metadata = file["node/nodes/n0"].create_group("metadata")
        metadata["reset_delay"], metadata["neuron"] = [1, 0], 3.0
    assert type(from_nir(path, dt=1).n0).__name__ == "Leaky"


def test_shapes_of_many_values(path):
    chain(path, ("Flatten", {"start_dim": 0, "end_dim": -1}), shape=(1 << 20, 1 << 20))
    refused(path, "is no shape of a step")
    pad = {"kernel_size": [1, 1], "stride": [1, 1], "padding": [1 << 40, 0]}
    chain(path, ("AvgPool2d", pad), shape=(1, 2, 2))
    refused(path, "padding")
    delay = ("Delay", {"delay": np.full(1, 1e9)})
    chain(path, delay)
    refused(path, "0 to 65536 steps")
