"""Neurons and layers of three features, each with a sequence of five steps of two samples."""

import torch

import bitspike as snn
from helpers.cases import CASES

OTHERS = {
    "RLeaky": lambda: snn.RLeaky(0.7, linear_features=3, multi_step=True),
    "RSynaptic": lambda: snn.RSynaptic(0.5, 0.7, V=0.3, all_to_all=False, multi_step=True),
    "SLSTM": lambda: snn.SLSTM(3, 3, threshold=0.1, multi_step=True),
    "StateLeaky": lambda: snn.StateLeaky(0.7, 3),
    "LinearLeaky": lambda: snn.LinearLeaky(0.7, 3, 3),
    "LeakyParallel": lambda: snn.LeakyParallel(3, 3, beta=0.7),
    "AssociativeLeaky": lambda: snn.AssociativeLeaky(3, 2, 2),
    "ModulatedLeaky": lambda: snn.ModulatedLeaky(0.5, gain=1.0, multi_step=True),
    "CLIF": lambda: snn.CLIF(0.7, multi_step=True),
    "GLIF": lambda: snn.GLIF(5, 3, multi_step=True),
    "TCLIF": lambda: snn.TCLIF(multi_step=True),
    "CobaLIF": lambda: snn.CobaLIF(dt=1.0, multi_step=True),
    "PSN": lambda: snn.PSN(5),
    "MaskedPSN": lambda: snn.MaskedPSN(5, 3, multi_step=True),
    "SlidingPSN": lambda: snn.SlidingPSN(3, multi_step=True),
    "ScanLeaky": lambda: snn.ScanLeaky(0.7, multi_step=True),
    "SynapticDelay": lambda: snn.SynapticDelay(3, 1.5, step_mode=False),
    "TimeDropout": lambda: snn.TimeDropout(0.5, multi_step=True),
    "GradedSpikes": lambda: snn.GradedSpikes(3),
    "BatchNormTT": lambda: snn.BatchNormTT1d(3, 5),
    "BatchNormTT in use": lambda: snn.BatchNormTT1d(3, 5).eval(),
    "LI": lambda: snn.LI(beta=0.7, multi_step=True),
    "RALIF": lambda: snn.RALIF(0.7, 0.9, 0.3, V=0.3, all_to_all=False, multi_step=True),
    "SGRU": lambda: snn.SGRU(3, 3, threshold=0.1, multi_step=True),
    "SRM0": lambda: snn.SRM0(torch.ones(3), -torch.ones(3), multi_step=True),
}
"""Beside those of `CASES`."""


def flat(result):
    """The tensors of a result, as a list."""
    return [result] if isinstance(result, torch.Tensor) else [x for r in result for x in flat(r)]


def make(name):
    """A module, and a sequence of its inputs."""
    for case in CASES:
        if str(case) == name:
            return case.neuron(3, case.kind.RESETS[0], True), case.inputs(5, 2, 3)[0]
    return OTHERS[name](), torch.rand(5, 2, 3)
