"""Files in the manner of Norse, sinabs and snnTorch: what their nodes' equations say, in NumPy.

``BITSPIKE_NIR_FILES`` may name a folder with files of the NIR paper; these are then compared, too.
"""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bitspike.nir import from_nir
from helpers.compare import dense
from helpers.nir_files import write

FOLDER = os.environ.get("BITSPIKE_NIR_FILES")


def fields(file):
    """The fields of all nodes, in double precision, as h5py reads them."""
    with h5py.File(file) as opened:
        nodes = opened["node/nodes"]
        return {
            name: {key: x[()] for key, x in node.items() if x.dtype.kind in "fi"}
            for name, node in nodes.items()
        }


def fires(v, theta):
    spikes = (v > theta).astype(float)
    return spikes, v - spikes * theta  # as nir said before 1.0.6


class CubaLIF:
    """Euler's steps of the two equations, and a subtraction at the spike."""

    def __init__(self, node, dt):
        self.node, self.dt, self.i, self.v = node, dt, 0.0, 0.0

    def __call__(self, x):
        n = self.node
        self.i = self.i + self.dt / n["tau_syn"] * (-self.i + n["w_in"] * x)
        self.v = self.v + self.dt / n["tau_mem"] * (n["v_leak"] - self.v + n["r"] * self.i)
        spikes, self.v = fires(self.v, n["v_threshold"])
        return spikes


def of_lif(nodes, x, dt):
    affine, lif = nodes["0"], nodes["1"]
    v, out = 0.0, []
    for step in x:
        current = step @ affine["weight"].T + affine["bias"]
        v = v + dt / lif["tau"] * (lif["v_leak"] - v + lif["r"] * current)
        spikes, v = fires(v, lif["v_threshold"])
        out.append(spikes)
    return out


def of_convolutions(nodes, x, dt):
    potentials, out = {}, []

    def neurons(name, current):
        node = nodes[name]
        v = potentials.get(name, 0.0) + dt * node["r"] * current
        spikes, potentials[name] = fires(v, node["v_threshold"])
        return spikes

    def convolved(name, value):
        node = nodes[name]
        weight, bias = (torch.tensor(node[key], dtype=torch.float64) for key in ("weight", "bias"))
        sizes = [tuple(node[key]) for key in ("stride", "padding", "dilation")]
        return F.conv2d(torch.from_numpy(value), weight, bias, *sizes).numpy()

    def summed(value):
        return 4 * F.avg_pool2d(torch.from_numpy(value), 2).numpy()

    def affine(name, value):
        return value @ nodes[name]["weight"].astype(float).T + nodes[name]["bias"]

    for value in x:
        value = neurons("1", convolved("0", value))
        value = summed(neurons("3", convolved("2", value)))
        value = summed(neurons("6", convolved("5", value)))
        value = neurons("10", affine("9", value.reshape(len(value), -1)))
        out.append(neurons("12", affine("11", value)))
    return out


def of_recurrence(nodes, x, dt):
    lif1, lif2 = (CubaLIF(nodes[name], dt) for name in ("lif1.lif", "lif2"))
    weights = {name: nodes[name]["weight"].astype(float) for name in ("fc1", "fc2", "lif1.w_rec")}
    spikes, out = np.zeros((x.shape[1], len(weights["fc1"]))), []
    for step in x:
        spikes = lif1(step @ weights["fc1"].T + spikes @ weights["lif1.w_rec"].T)
        out.append(lif2(spikes @ weights["fc2"].T))
    return out


def shaped(kind, shape, **values):
    return kind, {name: np.full(shape, value) for name, value in values.items()}


def like_norse(path, random):
    nodes = {"input": ("Input", {"shape": [3]}), "output": ("Output", {"shape": [2]})}
    nodes["0"] = ("Affine", {"weight": random.uniform(-1, 3, (2, 3)), "bias": np.array([0.0, 0.5])})
    nodes["1"] = shaped("LIF", 2, tau=0.0025, r=1.0, v_leak=0.125, v_threshold=0.1)
    write(path, nodes, [("input", "0"), ("0", "1"), ("1", "output")], "0.1.1")


def like_sinabs(path, random):
    def conv(inputs, outputs, kernel, stride):
        weight = random.normal(0.1, 0.4, (outputs, inputs, kernel, kernel)).astype("float32")
        sizes = {"stride": [stride] * 2, "padding": [1, 1], "dilation": [1, 1], "groups": 1}
        return "Conv2d", {"weight": weight, "bias": np.zeros(outputs, "float32"), **sizes}

    def affine(inputs, outputs):
        weight = random.normal(0.1, 0.5, (outputs, inputs)).astype("float32")
        return "Affine", {"weight": weight, "bias": np.zeros(outputs, "float32")}

    pool = ("SumPool2d", {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]})
    nodes = {"input": ("Input", {"shape": [2, 18, 18]}), "output": ("Output", {"shape": [5]})}
    nodes |= {"0": conv(2, 4, 5, 2), "2": conv(4, 4, 3, 1), "5": conv(4, 2, 3, 1), "4": pool}
    nodes |= {"7": pool, "9": affine(8, 6), "11": affine(6, 5)}
    nodes["8"] = ("Flatten", {"input_type": [2, 2, 2], "start_dim": 0, "end_dim": -1})
    shapes = {"1": (4, 8, 8), "3": (4, 8, 8), "6": (2, 4, 4), "10": (6,), "12": (5,)}
    nodes |= {name: shaped("IF", shape, r=1.0, v_threshold=1.0) for name, shape in shapes.items()}
    names = ["input", *map(str, range(13)), "output"]
    edges = list(zip(names, names[1:], strict=False))
    write(path, nodes, edges[::-1], "0.2.0")  # that library lists edges in any order


def like_snntorch(path, random):
    def weight(*shape):
        return "Linear", {"weight": random.normal(0.1, 0.7, shape).astype("float32")}

    nodes = {"input": ("Input", {"shape": [4]}), "output": ("Output", {"shape": [3]})}
    nodes |= {"fc1": weight(6, 4), "lif1.w_rec": weight(6, 6), "fc2": weight(3, 6)}
    common = {"r": 10 / 1.5, "v_leak": 0.0, "v_threshold": 1.0}
    syn = {"tau_mem": 0.0010 / 1.5, "tau_syn": 0.0004, "w_in": 4.0}
    nodes |= {
        name: shaped("CubaLIF", n, **common, **syn) for name, n in (("lif1.lif", 6), ("lif2", 3))
    }
    edges = [("lif1.w_rec", "lif1.lif"), ("fc2", "lif2"), ("lif1.lif", "lif1.w_rec")]
    edges += [("lif2", "output"), ("input", "fc1"), ("fc1", "lif1.lif"), ("lif1.lif", "fc2")]
    write(path, nodes, edges, "0.2.0")


CASES = {
    "lif_norse": (like_norse, of_lif, 1e-4),
    "cnn_sinabs": (like_sinabs, of_convolutions, 1),
    "braille_noDelay_noBias_subtract": (like_snntorch, of_recurrence, 1e-4),
}


def assert_computes_its_equations(path, equations, dt):
    net = from_nir(path, dt=dt)
    nodes = fields(path)
    generator = torch.Generator().manual_seed(1)
    shape = tuple(int(size) for size in nodes["input"]["shape"])
    x = (torch.rand(60, 4, *shape, generator=generator) < 0.3).float()
    with torch.no_grad():
        spikes = dense(net(x)).numpy()
        state = None
        for t in range(5):
            step, state = net.step(x[t], state)
            assert np.array_equal(step, spikes[t])
    wanted = np.stack(equations(nodes, x.double().numpy(), dt))
    assert 0.005 < wanted.mean() < 0.9
    assert np.array_equal(spikes, wanted)


@pytest.mark.parametrize("name", CASES)
def test_files_in_the_manner_of_other_libraries(name, tmp_path):
    make, equations, dt = CASES[name]
    make(tmp_path / "network.nir", np.random.default_rng(0))
    assert_computes_its_equations(tmp_path / "network.nir", equations, dt)


@pytest.mark.skipif(FOLDER is None, reason="BITSPIKE_NIR_FILES names no folder")
@pytest.mark.parametrize("name", CASES)
def test_files_of_other_libraries(name):
    _, equations, dt = CASES[name]
    assert_computes_its_equations(Path(FOLDER) / f"{name}.nir", equations, dt)
