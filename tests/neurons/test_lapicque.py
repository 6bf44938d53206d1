"""`Lapicque`: what R, C and beta make of each other, by hand and against snnTorch."""

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.compare import dense, same_bits

pytestmark = pytest.mark.isa

# R = C = 2: an input counts 1/C = 1/2, and 1 - 1/RC = 3/4 of the membrane stays.
TRACES = {
    "subtract": ([1.5, 0.625, 0.46875], [1, 0, 0]),
    "zero": ([1.5, 0.0, 0.0], [1, 0, 0]),
    "none": ([1.5, 1.625, 1.21875], [1, 1, 1]),
}


@pytest.mark.parametrize("reset", TRACES)
def test_trace(reset):
    membranes, fired = TRACES[reset]
    neuron = snn.Lapicque(R=2, C=2, reset_mechanism=reset, multi_step=True)
    spikes, mem = neuron(torch.tensor([[3.0], [1.0], [0.0]]))
    assert mem[:, 0].tolist() == membranes
    assert dense(spikes)[:, 0].tolist() == fired


def test_the_exact_solution():
    """A constant current moves the membrane from 0 to R·I, by 1 - exp(-t/RC) of the way."""
    neuron = snn.Lapicque(
        R=2.0, C=1.5, time_step=0.5, exact_decay=True, threshold=100, multi_step=True
    )
    _, mem = neuron(torch.full((50,), 3.0))
    t = 0.5 * torch.arange(1, 51, dtype=torch.float64)
    wanted = 2.0 * 3.0 * (1 - torch.exp(-t / (2.0 * 1.5)))
    assert torch.allclose(mem.double(), wanted, rtol=1e-5)
    assert neuron.beta.item() == pytest.approx(torch.exp(torch.tensor(-0.5 / 3)).item())


def test_the_decay_of_snntorch_is_not_beta():
    _, _, _, decay = snn.Lapicque(beta=0.9).coefficients()
    assert decay.item() == pytest.approx(0.8946395)
    assert snn.Lapicque(beta=0.9, exact_decay=True).coefficients()[3].item() == pytest.approx(0.9)


GIVEN = [
    dict(beta=0.8),
    dict(beta=0.8, R=5),
    dict(beta=0.8, R=5.1),
    dict(beta=0.8, C=3),
    dict(beta=torch.tensor([0.3]), C=torch.tensor(1.7)),
    dict(R=5, C=3),
    dict(R=5.1, C=1.3),
    dict(R=torch.tensor([2.5]), C=torch.tensor([1.5])),
]


@pytest.mark.parametrize("time_step", [1, 0.3])
@pytest.mark.parametrize("given", GIVEN, ids=str)
@pytest.mark.parametrize("reset", TRACES)
def test_what_is_given_implies_what_snntorch_says(given, time_step, reset):
    arguments = given | dict(time_step=time_step, reset_mechanism=reset, threshold=0.3)
    theirs, ours = snntorch.Lapicque(**arguments), snn.Lapicque(**arguments)
    wanted, actual = theirs.state_dict(), ours.state_dict()
    assert wanted.keys() == actual.keys()
    for name, value in wanted.items():
        assert same_bits(value.float(), actual[name].float()), name
        assert value.shape == actual[name].shape and value.dtype == actual[name].dtype, name
    ours.load_state_dict(wanted, strict=True)
    mem = again = torch.zeros(4, 9)
    for current in torch.randn(20, 4, 9) + 0.5:
        wanted, mem = theirs(current, mem)
        spikes, again = ours(current, again)
        assert same_bits(wanted, spikes) and same_bits(mem, again)


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "beta, or both R and C"),
        (dict(R=1.0), "beta, or both R and C"),
        (dict(C=1.0), "beta, or both R and C"),
        (dict(beta=0.0), "none of them may be 0"),
        (dict(beta=torch.tensor([0.5, 0.0])), "none of them may be 0"),
        (dict(beta=0.9, R=1.0, C=1.0), "two of the three"),
        (dict(R=1.0, C=1.0, learn_beta=True), "learn_beta"),
        (dict(beta=0.9, reset_mechanism="subtract_beta"), "reset_mechanism"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        snn.Lapicque(**given)


# F34: what snnTorch cannot do


def test_a_decay_per_neuron():
    beta = torch.tensor([0.5, 0.9])
    x = torch.rand(20, 3, 2)
    whole = snn.Lapicque(beta=beta, multi_step=True)(x)[1]
    for n in range(2):
        alone = snn.Lapicque(beta=beta[n], multi_step=True)(x[..., n])[1]
        assert same_bits(whole[..., n], alone)


@pytest.mark.parametrize("given", [{}, dict(R=2.0), dict(C=2.0)], ids=str)
def test_a_learned_decay(given):
    neuron = snn.Lapicque(beta=0.5, learn_beta=True, multi_step=True, **given)
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.01)
    x = torch.rand(10, 4)
    for _ in range(2):
        optimizer.zero_grad()
        neuron(x)[1].square().sum().backward()
        optimizer.step()
    beta = neuron.beta.item()
    assert beta != 0.5
    fresh = snn.Lapicque(beta=beta, multi_step=True, **given)
    assert same_bits(neuron(x)[1], fresh(x)[1])
    # A checkpoint holds the circuit that belongs to the decay.
    for name, value in neuron.state_dict().items():
        assert same_bits(value, fresh.state_dict()[name]), name
