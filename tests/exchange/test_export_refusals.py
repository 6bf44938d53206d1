"""Steps that no program can stand for, and what is said of them."""

import pytest
import torch
from torch import nn

import bitspike as snn


class OfBatch(nn.Module):
    """A step whose sizes hold for one batch."""

    def __init__(self):
        super().__init__()
        self.lif = snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        return self.lif(x.view(3, -1))


class FromRest(nn.Module):
    """A step that forgets what was before."""

    def __init__(self):
        super().__init__()
        self.lif = snn.Leaky(beta=0.9)

    def forward(self, x):
        return self.lif(x, torch.zeros_like(x))[0]


class Loop(FromRest):
    """All steps of a sequence."""

    def forward(self, x):
        mem, spikes = self.lif.init_leaky(), []
        for x_t in x:
            spk, mem = self.lif(x_t, mem)
            spikes.append(spk)
        return torch.stack(spikes)


class Remembering(OfBatch):
    """A step that leaves a tensor behind."""

    def forward(self, x):
        self.last = self.lif(x)
        return self.last


class Deciding(OfBatch):
    """A step that depends on numbers."""

    def forward(self, x):
        spk = self.lif(x)
        return spk if spk.sum() > 2 else x


class InOneCall(OfBatch):
    """A step with neurons inside of what is one call."""

    def __init__(self):
        super().__init__()
        self.run = snn.vectorize(OfBatch())

    def forward(self, x):
        return self.run(x)


REFUSED = {
    "batch": (OfBatch, r"refuses OfBatch; sizes of the batch .* dynamic_batch=False"),
    "rest": (FromRest, r"in forward: lif starts at rest in every call"),
    "loop": (Loop, r"in forward: lif\.reset_mem starts at rest in every call"),
    "attribute": (Remembering, r"last is kept between calls"),
    "numbers": (Deciding, r"in forward: the numbers of a tensor decide"),
    "one call": (InOneCall, "run is one call, in which the states of its neurons are not seen"),
    "sequence": (lambda: snn.Leaky(beta=0.9, multi_step=True), "Leaky takes whole sequences"),
    "scan": (lambda: snn.StateLeaky(beta=0.9, channels=4), "StateLeaky takes whole sequences"),
    "history": (lambda: snn.SynapticDelay(2, step_mode=False), "takes whole sequences"),
    "escape": (lambda: snn.EscapeLeaky(beta=0.9, init_hidden=True), "draws random numbers"),
    "dropout": (lambda: nn.Dropout(0.5), r"draws random numbers .*eval"),
    "normalisation": (lambda: nn.BatchNorm1d(4), r"changes its buffers .*eval"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_step_is_refused(name):
    make, message = REFUSED[name]
    sample = torch.rand(3, 2, 4) if name in ("loop", "scan", "history") else torch.rand(3, 4)
    with pytest.raises(snn.graph.GraphError, match=message):
        snn.export_step(make(), sample)


def test_arguments_that_are_none_are_refused():
    lif = snn.Leaky(beta=0.9, init_hidden=True)
    with pytest.raises(TypeError, match="net must be an nn.Module, not function"):
        snn.export_step(lambda x: x, torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"sample\[1\] must be a tensor"):
        snn.export_step(lif, (torch.ones(1, 2), "mem"))
    for sample in (torch.ones(0, 2), torch.tensor(1.0), ()):
        with pytest.raises(ValueError, match=r"sample must be one step \[B, \*\]"):
            snn.export_step(lif, sample)


def test_a_network_of_one_batch_is_exported_for_that():
    program = snn.export_step(OfBatch(), torch.ones(3, 4), dynamic_batch=False)
    spikes, states = program.module()(torch.full((3, 4), 2.0), {"lif.mem": torch.zeros(3, 4)})
    assert spikes.sum() == 12 and states["lif.mem"].sum() == 24
