"""Files of NIR, written by hand in the layout of any version."""

import h5py
import numpy as np


def write(path, nodes, edges, version="1.0.8"):
    """Writes a graph: nodes are ``name: (type, fields)``, and graphs ``name: (nodes, edges)``."""
    with h5py.File(path, "w") as file:
        file["version"] = version
        write_graph(file.create_group("node"), nodes, edges)
    return path


def write_graph(group, nodes, edges):
    group["type"] = "NIRGraph"
    group.create_dataset("edges", data=[list(edge) for edge in edges], dtype=h5py.string_dtype())
    for name, (kind, fields) in nodes.items():
        node = group.create_group(f"nodes/{name}")
        if isinstance(kind, dict):
            write_graph(node, kind, fields)
            continue
        node["type"] = kind
        for key, value in fields.items():
            node[key] = value


def chain(path, *nodes, version="1.0.8", shape=(1,), made=None):
    """Writes nodes one after another, between an input and an output: ``(type, fields)``."""
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    ends = {"input": ("Input", {"shape": list(shape)})}
    ends["output"] = ("Output", {"shape": list(shape if made is None else made)})
    names = ["input", *named, "output"]
    return write(path, named | ends, list(zip(names, names[1:], strict=False)), version)


def numbers(**fields):
    """Fields of one neuron."""
    return {name: np.array([value], dtype=float) for name, value in fields.items()}
