"""The same graphs in other libraries: nirtorch runs ours, and snnTorch's are read."""

import copy
import warnings

import nir
import nirtorch
import numpy as np
import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.export_nir import export_to_nir
from bitspike.import_nir import import_from_nir
from bitspike.nir import from_nir, to_nir
from helpers.compare import dense
from helpers.exact import exact

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    from snntorch.export_nir import export_to_nir as export_of_snntorch

DT = 1e-4
HIDDEN = {"init_hidden": True}
SUBTRACTS = "v_reset" not in nir.LIF.__dataclass_fields__


class Integrates(nn.Module):
    """Euler's step of an LI, for nirtorch, which hands a state from step to step."""

    def __init__(self, node, dt):
        super().__init__()
        self.decay = torch.from_numpy(1 - dt / node.tau).float()
        self.gain = torch.from_numpy(dt / node.tau * node.r).float()

    def forward(self, x, state=None):
        before = torch.zeros_like(x) if state is None else state
        after = self.decay * before + self.gain * x
        return after, after


class Fires(nn.Module):
    def __init__(self, node):
        super().__init__()
        self.threshold = torch.from_numpy(node.threshold).float()

    def forward(self, x):
        return (x > self.threshold).float()


class Scales(nn.Module):
    def __init__(self, node):
        super().__init__()
        self.scale = torch.from_numpy(node.scale).float()

    def forward(self, x):
        return x * self.scale


def affine(node):
    """nirtorch 2.6 itself leaves the bias as it was drawn."""
    layer = nn.Linear(*node.weight.shape[::-1])
    layer.weight.data = torch.from_numpy(node.weight)
    layer.bias.data = torch.from_numpy(node.bias)
    return layer


def in_nirtorch(graph, dt):
    maps = {nir.LI: lambda node: Integrates(node, dt), nir.Threshold: Fires, nir.Scale: Scales}
    return nirtorch.nir_to_torch(graph, maps | {nir.Affine: affine})


@pytest.mark.parametrize("kind", [snn.Leaky, snn.Synaptic])
@pytest.mark.parametrize("reset", ["subtract", "subtract_beta", "none"])
def test_nirtorch_computes_the_circle_that_subtracts(kind, reset):
    torch.manual_seed(0)
    decays = {"beta": torch.rand(5)} | ({"alpha": torch.rand(5)} if kind is snn.Synaptic else {})
    neuron = kind(**decays, threshold=0.8, reset_mechanism=reset, **HIDDEN)
    net = exact(nn.Sequential(nn.Linear(4, 5), neuron))  # sums are exact in any order
    x = (torch.rand(100, 3, 4) < 0.5).float()
    graph = to_nir(net, x[0], dt=DT, reset="graph", compat="nirtorch")
    theirs, state, steps = in_nirtorch(graph, DT), None, []
    snn.utils.reset(net)
    with torch.no_grad():
        for step in x:
            out, state = theirs(step, state)
            steps.append(out)
        wanted = dense(snn.unroll(net, x))
    assert 0.1 < wanted.mean() < 0.95 and torch.equal(torch.stack(steps), wanted)


@pytest.mark.skipif(SUBTRACTS, reason="snnTorch needs a newer nir")
def test_what_snntorch_writes_is_read():
    """It writes a reset to zero whatever the network does, and takes decays in vectors only."""
    torch.manual_seed(0)
    how = HIDDEN | {"reset_mechanism": "zero", "reset_delay": False}
    theirs = nn.Sequential(
        nn.Linear(4, 5),
        snntorch.Leaky(torch.full((5,), 0.9), threshold=torch.full((5,), 0.5), **how),
        nn.Linear(5, 3),
        snntorch.Synaptic(
            torch.full((3,), 0.8), torch.full((3,), 0.7), torch.full((3,), 0.5), **how
        ),
    )
    theirs = exact(theirs)
    x = (torch.rand(60, 2, 4) < 0.5).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = export_of_snntorch(copy.deepcopy(theirs), x[0], ignore_dims=[0])
    net = from_nir(graph, dt=DT)
    assert {type(module) for module in net.children()} == {nn.Linear, snn.Leaky, snn.Synaptic}
    with torch.no_grad():
        wanted = torch.stack([theirs(step) for step in x])
        assert wanted.mean() > 0.05 and torch.equal(dense(net(x)), wanted)


def test_the_names_of_snntorch():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), snn.Leaky(0.9, threshold=0.5, **HIDDEN))
    x = torch.rand(20, 2, 4)
    graph = export_to_nir(net, x[0], "name", [], ignore_dims=[0])
    assert np.allclose(graph.nodes["1.li"].tau, DT / 0.1)
    back = import_from_nir(graph)
    snn.utils.reset(net)
    assert torch.equal(dense(back(x)), dense(snn.unroll(net, x)))

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.li = snn.LI(0.9, **HIDDEN)

        def forward(self, x, factor):
            return self.li(x * factor)

    graph = export_to_nir(Scaled(), x[0], model_fwd_args=[2.0])
    assert graph.nodes["mul"].scale.tolist() == [2.0] * 4


@pytest.mark.skipif(not SUBTRACTS, reason="nir resets to a value")
def test_nodes_of_old_versions_subtract(tmp_path):
    torch.manual_seed(0)
    x = torch.rand(40, 2, 5)
    for neuron in (snn.Leaky, snn.IF, lambda **how: snn.Synaptic(0.8, 0.9, **how)):
        made = neuron(**({"beta": 0.9} if neuron is snn.Leaky else {}), reset_mechanism="subtract",
                      reset_delay=False, threshold=2.0, **HIDDEN)  # fmt: skip
        nir.write(tmp_path / "net.nir", to_nir(made, x[0], dt=DT, reset="nir104"))
        back = from_nir(tmp_path / "net.nir", dt=DT)
        snn.utils.reset(made)
        with torch.no_grad():
            wanted = dense(snn.unroll(made, x))
            assert torch.equal(dense(back(x)), wanted) and wanted.mean() > 0.05
    report = to_nir(snn.Leaky(0.9, **HIDDEN), x[0], dt=DT, reset="nir104").nir_report
    assert "subtract at once" in str(report.changed[0])
