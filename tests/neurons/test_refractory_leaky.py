"""`RefractoryLeaky` by hand."""

import math

import pytest
import torch

import bitspike as snn
from helpers.compare import dense, same_bits

# beta = 1/2, at rest at -4, threshold 0, to -2 after a spike; the input is 6 at each step:
# -4 + 6 = 2 fires. From -2 the membrane goes to -4 + 1 + 6 = 3, which fires again.
TRACES = {
    0: ([0, 0, 0, 0, 0], [2.0, 3.0, 3.0, 3.0, 3.0]),
    1: ([0, 1, 0, 1, 0], [2.0, -2.0, 3.0, -2.0, 3.0]),
    2: ([0, 2, 1, 0, 2], [2.0, -2.0, -2.0, 3.0, -2.0]),
}


@pytest.mark.parametrize("refractory", TRACES)
@pytest.mark.parametrize("native", [True, False])
def test_trace(refractory, native):
    counts, membranes = TRACES[refractory]
    neuron = snn.RefractoryLeaky(
        0.5, refractory, v_rest=-4.0, v_reset=-2.0, threshold=0.0, multi_step=True
    )
    x = torch.full((5, 1), 6.0)
    if not native:
        neuron, x = neuron.double(), x.double()
    spikes, hold, mem = neuron(x)
    assert hold[:, 0].tolist() == counts
    assert mem[:, 0].tolist() == membranes
    assert dense(spikes)[:, 0].tolist() == [float(u > 0) for u in membranes]


def test_input_is_ignored_while_the_membrane_is_held():
    neuron = snn.RefractoryLeaky(0.5, refractory=3, v_reset=-1.0, multi_step=True)
    x = torch.tensor([2.0, 100.0, 100.0, 100.0, 0.25])
    _, _, mem = neuron(x)
    assert mem.tolist() == [2.0, -1.0, -1.0, -1.0, -0.25]
    x = x.requires_grad_()
    neuron(x)[2].sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]


def test_units_do_not_matter():
    """Volts above rest in place of millivolts: the same spikes."""
    x = torch.rand(200, 1, 40) * 40
    common = dict(beta=0.9, refractory=3, decay_input=True, multi_step=True)
    mv = snn.RefractoryLeaky(v_rest=-65.0, v_reset=-70.0, threshold=-50.0, **common)
    volts = snn.RefractoryLeaky(v_rest=0.0, v_reset=-0.005, threshold=0.015, **common)
    spikes = dense(mv(x)[0])
    assert 0.01 < spikes.mean() < 0.2
    assert dense(volts(x / 1000)[0]).equal(spikes)


def test_rate_of_the_textbook():
    """The interval is n + tau·ln((I - V_reset)/(I - threshold)), rounded up to a step."""
    dt, tau, refractory, drive = 0.1, 10.0, 20, 20.0
    neuron = snn.RefractoryLeaky(
        math.exp(-dt / tau), refractory, threshold=15.0, decay_input=True, multi_step=True
    )
    spikes = neuron(torch.full((1000, 1), drive))[0]
    times = dense(spikes)[:, 0].nonzero()[:, 0]
    interval = refractory + math.ceil(tau / dt * math.log(drive / (drive - 15)))
    assert times.diff().unique().tolist() == [interval]


def test_it_starts_at_rest():
    rest = torch.tensor([-65.0, -70.0])
    neuron = snn.RefractoryLeaky(0.9, v_rest=rest, v_reset=-65.0, threshold=-50.0)
    _, hold, mem = neuron(torch.zeros(3, 2))
    assert mem.equal(rest.expand(3, 2)) and not hold.any()
    neuron(torch.full((3, 2), 30.0))
    assert not neuron.mem.equal(mem)
    hold, mem = neuron.reset_mem()
    assert mem.equal(rest.expand(3, 2)) and mem is neuron.mem and not hold.any()
    fresh = snn.RefractoryLeaky(0.9, v_rest=rest, v_reset=-65.0, threshold=-50.0)
    assert [x.shape for x in fresh.reset_mem()] == [(0,), (0,)]
    learned = snn.RefractoryLeaky(0.9, v_rest=-1.0, v_reset=-1.0, learn_v_rest=True)
    learned(torch.zeros(2))[2].sum().backward()
    assert learned.v_rest.grad.item() == pytest.approx(2.0)


def test_a_hard_reset_is_leakys():
    """Without refractory period and offsets, Leaky's "zero" erases what was before the input."""
    x = torch.randn(30, 4, 70)
    wanted = snn.Leaky(beta=0.8, reset_mechanism="zero", multi_step=True)(x)
    spikes, _, mem = snn.RefractoryLeaky(0.8, multi_step=True)(x)
    assert same_bits(spikes, wanted[0])
    assert mem.equal(wanted[1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(refractory=-1), "refractory must be a number of steps"),
        (dict(refractory=1.5), "refractory must be a number of steps"),
        (dict(refractory=float("nan")), "refractory must be a number of steps"),
        (dict(v_reset=1.5), "v_reset must not be above threshold"),
        (dict(reset_mechanism="subtract"), "reset_mechanism"),
        (dict(reset_delay=False), "reset_delay"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        snn.RefractoryLeaky(0.9, **arguments)
