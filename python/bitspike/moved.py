"""Where files that an earlier version has written look for classes that have moved since."""

from __future__ import annotations

import sys
from importlib import import_module

import torch

_MOVED = {
    "spike_tensor": "spikes.tensor",
    "dense_spikes": "spikes.dense",
    "diagnose": "analysis.diagnosis",
    "energy": "analysis.energy",
    "neurons._inhibition": "neurons.base.inhibition",
    "neurons._recurrent": "neurons.base.recurrent",
}
"""Modules of before, which `pickle` knows by name, and what took their place."""

for _old, _new in _MOVED.items():
    sys.modules[f"bitspike.{_old}"] = import_module(f"bitspike.{_new}")

for _path in ("spike_tensor._rebuild", "dense_spikes.DenseSpikes"):
    _module, _, _name = _path.rpartition(".")
    _known = getattr(sys.modules[f"bitspike.{_module}"], _name)
    torch.serialization.add_safe_globals([(_known, f"bitspike.{_path}")])
