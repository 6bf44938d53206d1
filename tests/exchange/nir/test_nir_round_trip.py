"""Networks through NIR and back, with a file between: the same bits."""

import nir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike.exchange.nir.clock import Clock
from bitspike.nir import from_nir, to_nir
from helpers.compare import dense

RESETS_TO_VALUES = "v_reset" in nir.LIF.__dataclass_fields__
to_a_value = pytest.mark.skipif(not RESETS_TO_VALUES, reason="this version of nir subtracts")
N = 5
HIDDEN = {"init_hidden": True}


def both_ways(net, sample, tmp_path, dt=1e-3, **options):
    """The network that comes back through a file; in memory there is the same."""
    graph = to_nir(net, sample, dt=dt, **options)
    nir.write(tmp_path / "network.nir", graph)
    how = {"discretization": options.get("discretization", "euler"), "dt": dt}
    back = from_nir(tmp_path / "network.nir", **how)
    here = from_nir(graph, **how)
    assert str(here) == str(back)
    for name, value in here.state_dict().items():
        assert torch.equal(value, back.state_dict()[name]), name
    return back


def assert_alike(net, back, x):
    snn.utils.reset(net)
    with torch.no_grad():
        wanted = net(x) if callable(getattr(net, "whole", None)) else snn.unroll(net, x)
        found = back(x)
    assert torch.equal(dense(found), dense(wanted)) and 0.01 < dense(wanted).float().mean()


def draw(low, high, single):
    return torch.empty(() if single else N).uniform_(low, high)


def neurons(single):
    """Every neuron that NIR can say, with each of its resets."""

    def decay():
        return draw(0, 1, single)

    def positive():
        return draw(0.3, 1.2, single)

    for reset in ("subtract", "zero", "none", "subtract_beta"):
        for at_next in (True, False):
            if reset == "subtract_beta" and not at_next or reset == "zero" and not RESETS_TO_VALUES:
                continue
            how = HIDDEN | {"reset_mechanism": reset, "reset_delay": at_next}
            yield snn.Leaky(decay(), threshold=positive(), **how)
            if reset != "subtract_beta":  # which is "subtract" without a leak
                yield snn.IF(threshold=positive(), **how)
            if reset == "zero" and at_next:
                continue
            how["threshold"] = positive()
            yield snn.Synaptic(decay(), decay(), **how)
            yield snn.CuBaLIF(decay(), decay(), positive(), positive(), **how)
            yield snn.CuBaLIF(decay(), decay(), **how)
            yield snn.RLeaky(decay(), linear_features=N, **how)
            yield snn.RLeaky(decay(), V=positive(), all_to_all=False, **how)
            yield snn.RSynaptic(decay(), decay(), linear_features=N, **how)
    for weigh in (True, False) if RESETS_TO_VALUES else ():
        potentials = {"v_rest": draw(-1, 1, single), "v_reset": draw(-1, 0.3, single)}
        how = HIDDEN | {"decay_input": weigh, "threshold": positive()}
        yield snn.RefractoryLeaky(decay(), **how)
        yield snn.RefractoryLeaky(decay(), **potentials, **how)
    yield snn.LI(decay(), **HIDDEN)


def named(neuron):
    options = [neuron.reset_mechanism, *(["at once"] if not neuron.reset_delay else [])]
    return " ".join([type(neuron).__name__, *options])


@pytest.mark.parametrize(
    ("single", "dt", "discretization"),
    [(True, 1e-3, "euler"), (False, 1 / 3, "euler"), (False, 1e-3, "exact"), (True, 1, "exact")],
)
def test_every_neuron_comes_back_with_its_bits(single, dt, discretization, tmp_path):
    x = torch.rand(20, 3, N) * 1.5
    for neuron in neurons(single):
        options = {"reset": "graph", "discretization": discretization}
        back = both_ways(neuron, x[0], tmp_path, dt, **options)
        (found,) = back.children()
        assert type(found) is type(neuron), named(neuron)
        for name, value in neuron.state_dict().items():
            same = torch.broadcast_tensors(value, found.state_dict()[name])
            assert torch.equal(*same), f"{named(neuron)}: {name}"
        for name in ("reset_mechanism", "reset_delay", "decay_input"):
            assert getattr(found, name, None) == getattr(neuron, name, None), named(neuron)
        snn.utils.reset(neuron)
        with torch.no_grad():
            wanted = dense(neuron.run_sequence(x))
            assert torch.equal(dense(back(x)), wanted), named(neuron)


DECAYS = st.one_of(st.just(0.0), st.floats(2**-27, 1 - 2**-24, width=32))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(DECAYS, min_size=1, max_size=20),
    st.floats(1e-6, 1e6, allow_nan=False),
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=20, max_size=20),
)
def test_decays_and_gains_come_back_from_time_constants(decays, dt, gains):
    beta = torch.tensor(decays, dtype=torch.float64)
    gain = torch.tensor(gains[: len(decays)], dtype=torch.float64)
    for exact in (False, True):
        clock = Clock(dt, exact)
        kept = beta[beta > 0] if exact else beta
        tau = clock.time_constant(kept)
        assert torch.equal(clock.decay(tau).float(), kept.float())
        factor, g = clock.gain(tau), gain[: len(kept)]
        assert torch.equal((g / factor * factor).float(), g.float())


def test_all_small_steps_of_decays_come_back():
    """Of 2^20 neighbours of float32 below 1, and as many above 2^-27."""
    for start in (torch.tensor(1 - 2**-24), torch.tensor(2**-27)):
        steps = torch.arange(1 << 20) * (-1 if start > 0.5 else 1)
        beta = (start.view(torch.int32) + steps.int()).view(torch.float32).double()
        for clock in (Clock(1e-3), Clock(1 / 3), Clock(1e-3, True)):
            back = clock.decay(clock.time_constant(beta)).float()
            assert torch.equal(back, beta.float())


# Networks


def convolutions():
    how = HIDDEN | {"threshold": 0.4}
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 5), padding=(1, 0), bias=False),
        snn.Leaky(torch.rand(4, 1, 1), **how),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 3, padding="same", groups=2),
        nn.BatchNorm2d(4),
        nn.Dropout(),
        snn.Leaky(0.9, reset_mechanism="zero", **how),
        nn.AvgPool2d(2, divisor_override=1),
        nn.Flatten(),
        nn.Linear(4 * 2 * 2, N),
        snn.LI(0.9, **HIDDEN),
    )


@to_a_value
def test_convolutions(tmp_path):
    net, x = convolutions().eval(), (torch.rand(9, 2, 2, 8, 12) < 0.4).float()
    with torch.no_grad():
        net[4].running_mean.uniform_(-0.2, 0.2)
        net[4].running_var.uniform_(0.5, 2)
        net[4].weight.uniform_(0.5, 2)
    back = both_ways(net, x[0], tmp_path, reset="graph")
    assert isinstance(back.get_submodule("1"), snn.Leaky)
    snn.utils.reset(net)
    with torch.no_grad():
        assert torch.allclose(back(x), snn.unroll(net, x), atol=1e-5)
    report = to_nir(net, x[0], dt=1, reset="graph").nir_report
    assert [line[:2] for line in report.changed] == [("4", "changed")]
    net[4] = nn.Identity()
    assert_alike(net, both_ways(net, x[0], tmp_path, reset="graph"), x)


def test_convolutions_over_one_axis(tmp_path):
    net = nn.Sequential(nn.Conv1d(3, 4, 3, 2, 1), snn.Leaky(0.8, threshold=0.2, **HIDDEN))
    x = torch.rand(9, 2, 3, 11)
    assert_alike(net, both_ways(net, x[0], tmp_path, reset="graph"), x)


def test_recurrent_convolutions(tmp_path):
    layer = snn.RLeaky(0.8, conv2d_channels=2, kernel_size=3, threshold=0.5, **HIDDEN)
    x = torch.rand(9, 2, 2, 5, 6)
    back = both_ways(layer, x[0], tmp_path, reset="graph")
    assert [type(module) for module in back.children()] == [snn.RLeaky]
    assert_alike(layer, back, x)


def test_delays_and_graded_spikes(tmp_path):
    net = nn.Sequential(
        snn.SynapticDelay(4, torch.tensor([0.0, 1, 2, 3, 4]), channels=N),
        snn.Leaky(0.9, graded_spikes_factor=2.5, **HIDDEN),
        snn.GradedSpikes(N),
        snn.SynapticDelay(3, 2),
        nn.Linear(N, 3),
        snn.LI(0.9, **HIDDEN),
    )
    x = torch.rand(12, 2, N)
    assert_alike(net, both_ways(net, x[0], tmp_path, reset="graph"), x)


@to_a_value
def test_firing_first_is_a_step_of_delay(tmp_path):
    for how in ({}, {"reset_mechanism": "zero"}):
        neuron = snn.Leaky(torch.rand(N), order="fire_first", **HIDDEN, **how)
        x = torch.rand(20, 2, N)
        back = both_ways(neuron, x[0], tmp_path, reset="graph")
        assert_alike(neuron, back, x)
        assert [type(module).__name__ for module in back.modules()][1:] == [
            "Leaky",
            "SynapticDelay",
        ]


@to_a_value
def test_at_the_threshold_is_above_the_number_below(tmp_path):
    neuron = snn.Leaky(0.5, fire_at="ge", reset_mechanism="zero", **HIDDEN)
    x = torch.tensor([0.5, 0.75, 0.5, 0.75, 1.0, 0.25]).view(6, 1, 1)  # 0.5, 1; 0.5, 1; 1; 0.25
    back = both_ways(neuron, x[0], tmp_path, nudge_threshold=True)
    assert dense(back(x)).flatten().tolist() == [0, 1, 0, 1, 1, 0]
    neuron = snn.Leaky(0.5, fire_at="ge", **HIDDEN)
    back = both_ways(neuron, x[0], tmp_path, nudge_threshold=True, reset="graph")
    assert_alike(neuron, back, x)


def test_neurons_without_reset(tmp_path):
    x = torch.rand(20, 3, N)
    for neuron in (snn.StateLeaky(0.7, N), snn.LinearLeaky(0.7, N, N, threshold=0.3)):
        back = both_ways(neuron, x, tmp_path)
        with torch.no_grad():
            assert torch.equal(dense(back(x)), dense(neuron(x)[0]))
    neuron = snn.StateLeaky(0.7, N, output=False)
    assert torch.equal(both_ways(neuron, x, tmp_path)(x), neuron(x))


# Programs


class Loop(nn.Module):
    """A program with a loop over time, as users write them."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(N, 8), nn.Linear(8, N)
        self.lif1, self.lif2 = snn.Leaky(0.9, threshold=0.5), snn.Synaptic(0.8, 0.9, threshold=0.5)

    def whole(self):
        """It takes sequences."""

    def forward(self, x):
        mem1, (syn2, mem2) = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded = []
        for step in x:
            spk1, mem1 = self.lif1(self.fc1(step), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1) + step, syn2, mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


class Feedback(Loop):
    """One in which the second layer drives the first one, a step later."""

    def forward(self, x):
        mem1, (syn2, mem2) = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded, spk2 = [], torch.zeros(x.shape[1], N)
        for step in x:
            spk1, mem1 = self.lif1(self.fc1(step + spk2), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


class Late(Loop):
    """One in which the second layer hears the first one a step later, and nothing goes back."""

    def forward(self, x):
        mem1, (syn2, mem2) = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded, spk1 = [], torch.zeros(x.shape[1], 8)
        for step in x:
            before = spk1
            spk1, mem1 = self.lif1(self.fc1(step), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(before), syn2, mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


@pytest.mark.parametrize("program", [Loop, Feedback, Late])
def test_programs_with_a_loop(program, tmp_path):
    net, x = program().eval(), torch.rand(12, 3, N)
    back = both_ways(net, x, tmp_path, reset="graph")
    assert_alike(net, back, x)
    assert {type(module) for module in back.children()} >= {snn.Leaky, snn.Synaptic}


@to_a_value
def test_the_choice_of_a_reset_to_zero_is_told(tmp_path):
    net, x = snn.Leaky(torch.rand(N), **HIDDEN), torch.rand(20, 2, N)
    graph = to_nir(net, x[0], dt=1e-3, reset="hard")
    assert "instead of subtracting" in str(graph.nir_report.changed[0])
    back = from_nir(graph, dt=1e-3)
    snn.utils.reset(net)
    hard = snn.Leaky(net.beta, reset_mechanism="zero", **HIDDEN)
    assert torch.equal(dense(back(x)), dense(snn.unroll(hard, x)))


def test_a_graph_says_how_long_a_step_is():
    graph = to_nir(snn.LI(0.9, **HIDDEN), torch.rand(1, N), dt=2e-3)
    assert graph.metadata["dt"] == 2e-3 and graph.metadata["discretization"] == "euler"


@to_a_value
def test_membranes_are_no_outputs():
    net, x = snn.Leaky(0.9, reset_mechanism="zero"), torch.rand(2, N)
    graph = to_nir(net, x, dt=1)
    assert list(graph.outputs) == ["output"]
    assert "its membrane is no output" in str(graph.nir_report)


def test_float64_is_told():
    net = nn.Sequential(nn.Linear(N, 2), snn.LI(0.9, **HIDDEN)).double()
    report = to_nir(net, torch.rand(1, N).double(), dt=1).nir_report
    assert "weight is torch.float64" in str(report.changed[0])
