"""Files of NIR with a few bytes changed are read, or refused by a `NIRError`; nothing crashes.

``BITSPIKE_MUTATIONS`` says how many; by default some dozens, in processes of their own.
"""

import os
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import torch
from torch import nn

import bitspike as snn
from helpers.nir_files import numbers, write

HERE = Path(__file__).parent
ASKED = int(os.environ.get("BITSPIKE_MUTATIONS", 60))
CHUNK = min(ASKED, 1000)


def files(folder):
    """Small files with every node, compressed and not, and recordings."""
    torch.manual_seed(0)
    how = {"init_hidden": True}
    maps = nn.Sequential(
        nn.Conv2d(1, 2, 3), snn.Leaky(0.9, **how), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3),
        snn.SynapticDelay(2, 1), snn.Synaptic(0.8, 0.9, **how), snn.GradedSpikes(3),
    )  # fmt: skip
    recurrent = nn.Sequential(snn.RLeaky(0.9, linear_features=3, **how), snn.LI(0.9, **how))
    for name, net, shape in (("maps", maps, (1, 1, 6, 6)), ("recurrent", recurrent, (1, 3))):
        graph = snn.nir.to_nir(net, torch.rand(shape), dt=1e-3, reset="graph")
        nir.write(folder / f"{name}.nir", graph)
        nir.write(folder / f"{name}-plain.nir", graph, compression=None)
    ends = {"input": ("Input", {"shape": [1]}), "output": ("Output", {"shape": [1]})}
    lif = numbers(tau=2, r=2, v_leak=0.5, v_threshold=1, v_reset=0)
    cuba = numbers(tau_syn=2, tau_mem=2, w_in=1, r=2, v_leak=0, v_threshold=1)
    nodes = {"a": ("LIF", lif), "b": ("CubaLIF", cuba), "c": ("IF", numbers(r=2, v_threshold=1))}
    edges = [("input", "a"), ("a", "b"), ("b", "c"), ("c", "output")]
    write(folder / "neurons.nir", ends | nodes, edges, "1.0.4")
    spikes = {"a": torch.rand(20, 2, 3) < 0.3, "b": torch.rand(20, 2, 3)}
    snn.nir.save_data(folder / "grid.h5", spikes, 1e-3)
    snn.nir.save_data(folder / "events.h5", {"a": spikes["a"]}, 1e-3, events=True)


def test_changed_files_are_read_or_refused(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    files(folder)
    assert np.all([path.stat().st_size < 1 << 17 for path in folder.iterdir()])
    crashes, read = [], 0
    for first in range(0, ASKED, CHUNK):
        command = [sys.executable, str(HERE / "mutate.py"), str(folder), str(first), str(CHUNK)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        last = result.stdout.strip().splitlines()[-1]
        if result.returncode:
            crashes.append(f"{last}: {result.returncode}\n{result.stderr[-3000:]}")
        else:
            read += int(last.split()[0])
    assert not crashes, "\n".join(crashes)
    assert 0 < read < ASKED
