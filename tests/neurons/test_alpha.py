"""`Alpha`: its response and its resets by hand."""

import math

import pytest
import torch

import bitspike as snn
from helpers.compare import dense, same_bits

pytestmark = pytest.mark.isa

STATES = [torch.tensor([x]) for x in (2.0, -0.5, 2.0)]
# alpha = 1/2 and beta = 1/4 make tau = 2. With I = 1 the update is e = 2, i = -9/8, U = 7/4.
RESETS = {
    "none": ([2.0, -1.125, 1.75], 1),
    "zero": ([0.0, 0.0, 0.0], 0),
    # e - 1, nothing, and 7/4 with the i = -1/2 of the step before.
    "subtract": ([1.0, 0.0, 1.25], 1),
}


def test_response_to_one_input():
    neuron = snn.Alpha(alpha=0.5, beta=0.25, multi_step=True)
    spikes, exc, inh, mem = neuron(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    assert exc.tolist() == [1, 0.5, 0.25, 0.125]
    assert inh.tolist() == [-1, -0.25, -0.0625, -0.015625]
    assert mem.tolist() == pytest.approx([0, 0.5, 0.375, 0.21875])
    assert not dense(spikes).any()


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("multi_step", [False, True])
def test_resets(reset, multi_step):
    wanted, fires = RESETS[reset]
    neuron = snn.Alpha(alpha=0.5, beta=0.25, reset_mechanism=reset, multi_step=multi_step)
    spikes, *states = neuron(torch.ones(1, 1) if multi_step else torch.ones(1), *STATES)
    assert [state.item() for state in states] == pytest.approx(wanted)
    assert dense(spikes).item() == fires


def test_what_is_erased_is_a_positive_zero():
    neuron = snn.Alpha(alpha=0.5, beta=0.25, multi_step=True)
    for sign in (1.0, -1.0):
        _, *states = neuron(torch.full((1, 1), sign), *STATES)
        assert all(same_bits(state, torch.zeros(1, 1)) for state in states)


@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (0.4, 0.5), (1.5, 1.0), (1.0, 1.5)])
def test_refused(alpha, beta):
    with pytest.raises(ValueError, match="alpha must be above beta"):
        snn.Alpha(alpha=alpha, beta=beta)


def test_a_late_reset_only():
    with pytest.raises(ValueError, match="reset_delay"):
        snn.Alpha(alpha=0.5, beta=0.4, reset_delay=False)


def test_alpha_is_clamped_as_it_is_stored():
    neuron = snn.Alpha(alpha=1.2, beta=0.5)
    assert neuron.alpha.item() == 1
    assert neuron.coefficients()[2].item() == 1


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_learned_decays(name):
    """F26; tau depends on both decays. The slope at one output by hand."""
    alpha, beta = 0.5, 0.25
    neuron = snn.Alpha(alpha, beta, **{f"learn_{name}": True}, multi_step=True)
    mem = neuron(torch.tensor([1.0, 0.0]))[3][1]
    (slope,) = torch.autograd.grad(mem, getattr(neuron, name))
    # U = tau·(alpha - beta) with tau = ln(beta) / (ln(beta) - ln(alpha))
    la, lb = math.log(alpha), math.log(beta)
    tau = lb / (lb - la)
    wanted = {
        "alpha": tau + (alpha - beta) * lb / (alpha * (lb - la) ** 2),
        "beta": -tau - (alpha - beta) * la / (beta * (lb - la) ** 2),
    }
    assert slope.item() == pytest.approx(wanted[name], rel=1e-5)
