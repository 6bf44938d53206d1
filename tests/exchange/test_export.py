"""Single steps as exported programs and ONNX models, which run without the package."""

import subprocess
import sys

import onnxruntime
import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.cases import CASES
from helpers.compare import same_bits
from helpers.exact import exact

KEPT = {"init_hidden": True}
OTHERS = {
    "IF": lambda: snn.IF(**KEPT),
    "LI": lambda: snn.LI(beta=0.9, **KEPT),
    "RLeaky": lambda: exact(snn.RLeaky(beta=0.9, linear_features=6, **KEPT)),
    "RSynaptic": lambda: snn.RSynaptic(alpha=0.8, beta=0.9, all_to_all=False, V=0.5, **KEPT),
    "RALIF": lambda: snn.RALIF(beta=0.9, rho=0.8, beta_a=0.3, linear_features=6, **KEPT),
    "SLSTM": lambda: snn.SLSTM(6, 4, **KEPT),
    "SGRU": lambda: snn.SGRU(6, 4, **KEPT),
    "SRM0": lambda: snn.SRM0(torch.tensor([0.5, 0.3]), torch.tensor([-1.0, -0.5]), **KEPT),
    "ModulatedLeaky": lambda: snn.ModulatedLeaky(beta=0.5, gain=1.0, **KEPT),
    "CLIF": lambda: snn.CLIF(beta=0.9, **KEPT),
    "GLIF": lambda: snn.GLIF(T=3, channels=6, **KEPT),
    "TCLIF": lambda: snn.TCLIF(**KEPT),
    "CobaLIF": lambda: snn.CobaLIF(dt=1.0, **KEPT),
    "MaskedPSN": lambda: snn.MaskedPSN(T=4, k=2, **KEPT),
    "SlidingPSN": lambda: snn.SlidingPSN(k=3, **KEPT),
    "ScanLeaky": lambda: snn.ScanLeaky(beta=0.9, **KEPT),
    "KWTA": lambda: snn.Leaky(beta=0.9, inhibition=snn.KWTA(2), **KEPT),
    "switches": lambda: snn.Leaky(beta=0.9, order="fire_first", fire_at="ge", **KEPT),
    "delay": lambda: snn.SynapticDelay(max_delay=3, delay=1.5),
    "residual": lambda: snn.Residual(nn.Sequential(nn.Identity(), snn.Leaky(beta=0.9, **KEPT))),
}


def convolutional():
    """Layers of all kinds; a delay, whose state has the batch in its second axis."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        snn.Leaky(beta=0.9, **KEPT),
        nn.MaxPool2d(2),
        nn.Flatten(),
        snn.SynapticDelay(max_delay=2, delay=1.0),
        nn.Dropout(0.5),
        nn.Linear(27, 4),
        snn.Synaptic(alpha=0.9, beta=0.8, **KEPT),
    )
    net[1].running_mean.fill_(-0.25)
    return exact(net)


class Explicit(nn.Module):
    """A step that takes and returns its states."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 4), snn.Leaky(beta=0.9)

    def forward(self, x, mem):
        return self.lif(self.fc(x), mem)


class Reading(nn.Module):
    """A step that looks at the state that its neuron keeps."""

    def __init__(self):
        super().__init__()
        self.lif = snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        before = self.lif.mem * 1
        return self.lif(x), before, self.lif.mem


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def steps(*shape, mean=0.5, deviation=2.0):
    return torch.randn(6, *shape) * deviation + mean


def at_rest(net, x):
    """The states before the first step."""
    (_, states), _ = snn.export_step(net, x).example_inputs
    return states


def ran(net, program, x):
    """Results of the network and of the program at all steps, as pairs."""
    snn.utils.reset(net)
    step, states = program.module(), at_rest(net, x[0])
    with torch.no_grad():
        for x_t in x:
            result, states = step(x_t, states)
            expected = net(x_t)
            yield expected[0] if isinstance(expected, tuple) else expected, result
    for name, state in states.items():
        path, _, state_name = name.rpartition(".")
        owner = net if path == type(net).__name__ else net.get_submodule(path)
        yield getattr(owner, state_name), state


def expect_aten(program):
    for node in program.graph.nodes:
        operator = isinstance(node.target, torch._ops.OpOverload)  # else a part of a tuple is taken
        assert not operator or node.target.namespace == "aten", node.target


@pytest.mark.parametrize("case", CASES, ids=str)
def test_neurons_take_and_return_their_states(case):
    reset = case.resets()[0]
    neuron = case.neuron(6, *reset, learn=False, multi_step=False, init_hidden=True)
    program = snn.export_step(neuron, case.inputs(1, 3, 6)[0][0])
    expect_aten(program)
    for expected, found in ran(neuron, program, case.inputs(6, 5, 6)[0]):
        found = found[0] if isinstance(found, tuple) else found
        if case.exact:
            assert same_bits(expected, found)
        else:
            torch.testing.assert_close(expected * 1, found, rtol=1e-5, atol=1e-6)


SIGMOIDS = ("ModulatedLeaky", "CLIF")
"""Those that run as programs, whose sigmoid is not torch's in its last bit."""


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_take_and_return_their_states(name):
    layer = OTHERS[name]().requires_grad_(False)
    program = snn.export_step(layer, torch.zeros(3, 6))
    expect_aten(program)
    for expected, found in ran(layer, program, steps(2, 6)):
        if name in SIGMOIDS:
            torch.testing.assert_close(expected * 1, found, rtol=1e-5, atol=1e-6)
        else:
            assert same_bits(expected * 1, found)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_networks_take_any_batch(batch):
    net = convolutional()
    program = snn.export_step(net, torch.zeros(1, 1, 8, 8))
    expect_aten(program)
    x = (torch.rand(8, batch, 1, 8, 8) < 0.4).float()
    pairs = list(ran(net, program, x))
    assert sum(expected.sum() for expected, _ in pairs[:8]) > 0
    for expected, found in pairs:
        assert torch.equal(expected * 1, found)


def test_states_have_the_names_of_their_modules_and_the_batch_of_the_sample():
    states = at_rest(convolutional(), torch.zeros(1, 1, 8, 8))
    assert {name: tuple(x.shape) for name, x in states.items()} == {
        "2.mem": (1, 3, 6, 6),
        "5.history": (2, 1, 27),
        "8.syn": (1, 4),
        "8.mem": (1, 4),
    }
    at_first = at_rest(snn.Izhikevich(init_hidden=True), torch.zeros(2, 3))
    torch.testing.assert_close(at_first["Izhikevich.v"], torch.full((2, 3), -70.0))


def test_the_network_keeps_its_own_states():
    lif = snn.Leaky(beta=0.5, init_hidden=True)
    lif(torch.full((2, 3), 0.75))
    program = snn.export_step(lif, torch.zeros(4, 3))
    assert torch.equal(lif.mem, torch.full((2, 3), 0.75))
    (_, states), _ = program.example_inputs
    assert not states["Leaky.mem"].any()


def test_a_step_with_states_of_its_own_keeps_its_arguments_and_results():
    net, x, mem = exact(Explicit()), steps(5, 6), torch.zeros(5, 4)
    program = snn.export_step(net, (x[0, :2], torch.zeros(2, 4)))
    expect_aten(program)
    found = mem
    with torch.no_grad():
        for x_t in x.round():
            spikes, mem = net(x_t, mem)
            again, found = program.module()(x_t, found)
            assert torch.equal(spikes * 1, again) and torch.equal(mem, found)


def test_a_step_may_read_the_states_that_its_neurons_keep():
    program = snn.export_step(Reading(), torch.zeros(2, 1))
    x, states = torch.full((2, 1), 0.75), {"lif.mem": torch.full((2, 1), 0.5)}
    (spikes, before, after), states = program.module()(x, states)
    assert spikes[0] == 1 and before[0] == 0.5
    assert torch.equal(after, states["lif.mem"])
    torch.testing.assert_close(after, torch.full((2, 1), 0.75 + 0.9 * 0.5))


def test_a_sample_may_be_packed_spikes():
    sample = snn.SpikeTensor.from_dense(torch.ones(2, 6))
    program = snn.export_step(nn.Sequential(nn.Linear(6, 3), snn.Leaky(0.9, **KEPT)), sample)
    (x, _), _ = program.example_inputs
    assert type(x) is torch.Tensor and torch.equal(x, torch.ones(2, 6))


def test_a_saved_program_runs_without_the_package(tmp_path):
    net = nn.Sequential(nn.Linear(6, 4), snn.Leaky(beta=0.9, init_hidden=True))
    torch.export.save(snn.export_step(net, torch.ones(2, 6)), tmp_path / "step.pt2")
    code = (
        "import sys, torch\n"
        "program = torch.export.load(sys.argv[1])\n"
        "spikes, states = program.module()(*program.example_inputs[0])\n"
        "assert list(states) == ['1.mem'] and spikes.shape == (2, 4)\n"
        "assert 'bitspike' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "step.pt2"], check=True, cwd=tmp_path)


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_an_onnx_model_fires_the_same_spikes(tmp_path):
    net = convolutional()
    snn.export_onnx(net, torch.zeros(2, 1, 8, 8), tmp_path / "step.onnx")
    model = session(tmp_path / "step.onnx")
    x = (torch.rand(8, 4, 1, 8, 8) < 0.4).float()
    states = {name: state.numpy() for name, state in at_rest(net, x[0]).items()}
    assert [entry.name for entry in model.get_inputs()] == ["x", *states]
    fired = 0
    with torch.no_grad():
        for x_t in x:
            expected = net(x_t)
            spikes, *after = model.run(None, {"x": x_t.numpy(), **states})
            states = dict(zip(states, after, strict=True))
            assert torch.equal(torch.from_numpy(spikes), expected * 1)
            torch.testing.assert_close(
                torch.from_numpy(states["8.mem"]), net[8].mem, rtol=1e-6, atol=1e-6
            )
            fired += expected.sum()
    assert fired > 0


def test_an_onnx_model_of_a_step_with_states_of_its_own(tmp_path):
    snn.export_onnx(Explicit(), (torch.zeros(2, 6), torch.zeros(2, 4)), tmp_path / "step.onnx")
    model = session(tmp_path / "step.onnx")
    assert [entry.name for entry in model.get_inputs()] == ["x0", "x1"]
    assert [entry.name for entry in model.get_outputs()] == ["y0", "y1"]


def test_the_packages_of_onnx_are_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r'pip install "bitspike\[onnx\]"'):
        snn.export_onnx(Explicit(), torch.zeros(2, 6), tmp_path / "step.onnx")
