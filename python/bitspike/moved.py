"""Former paths of classes that have moved, so that files of earlier versions load."""

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
    "neurons.associativeleaky": "neurons.associative_leaky",
    "neurons.leakyparallel": "neurons.leaky_parallel",
    "neurons.linearleaky": "neurons.linear_leaky",
    "neurons.stateleaky": "neurons.state_leaky",
}
"""Former modules, which pickles name, and the modules that replace them."""


def alias_modules() -> None:
    """Lets ``pickle`` and ``torch.load`` find what they know by the names of before."""
    for old, new in _MOVED.items():
        sys.modules[f"bitspike.{old}"] = import_module(f"bitspike.{new}")
    for path in ("spike_tensor._rebuild", "dense_spikes.DenseSpikes"):
        module, _, name = path.rpartition(".")
        known = getattr(sys.modules[f"bitspike.{module}"], name)
        torch.serialization.add_safe_globals([(known, f"bitspike.{path}")])
