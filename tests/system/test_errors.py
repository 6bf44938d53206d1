"""Bad input: the right answer, or an exception that names the argument; never a crash."""

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.compare import dense, same_bits


def whole(**arguments):
    return snn.Leaky(**(dict(beta=0.9, multi_step=True) | arguments))


# The module


@pytest.mark.parametrize("mechanism", ["hard", "", None, "Subtract"])
def test_unknown_reset(mechanism):
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.Leaky(beta=0.9, reset_mechanism=mechanism)
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.Leaky(beta=0.9).reset_mechanism = mechanism


def test_subtract_beta_at_once():
    with pytest.raises(ValueError, match="reset_delay"):
        snn.Leaky(beta=0.9, reset_mechanism="subtract_beta", reset_delay=False)


@pytest.mark.parametrize("name", ["beta", "threshold", "graded_spikes_factor"])
@pytest.mark.parametrize("shape", [(4,), (2, 1, 5), (5, 1), (0,)])
def test_parameters_that_do_not_broadcast(name, shape):
    neuron = whole(**{name: torch.rand(shape)})
    with pytest.raises(ValueError, match=name):
        neuron(torch.rand(3, 2, 5))
    neuron.multi_step = False
    with pytest.raises(ValueError, match=name):
        neuron(torch.rand(2, 5))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 4), (3, 2, 5), ()])
def test_states_of_another_shape(shape):
    with pytest.raises(ValueError, match="mem"):
        whole()(torch.rand(3, 2, 5), torch.rand(shape))


def test_complex_input():
    for neuron in (whole(), snn.Leaky(beta=0.9)):
        with pytest.raises(TypeError, match="input_ must be a dense tensor of real numbers"):
            neuron(torch.rand(3, 2, 5, dtype=torch.complex64))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_integers_are_currents(dtype):
    x = torch.randint(2, (6, 2, 5)).to(dtype)
    for a, b in zip(whole()(x), whole()(x.float()), strict=True):
        assert same_bits(a, b)


def test_a_number_is_no_sequence():
    with pytest.raises(ValueError, match="sequence"):
        whole()(torch.tensor(1.0))
    with pytest.raises(ValueError, match="sequence"):
        whole()(1.0)


@pytest.mark.parametrize("value", ["text", None, object(), [[1.0], [2.0, 3.0]]])
def test_what_is_no_tensor(value):
    for neuron in (whole(), snn.Leaky(beta=0.9)):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            neuron(value)


def test_meta_tensors():
    x = torch.empty(4, 2, 5, device="meta")
    for neuron in (whole().to("meta"), whole()):
        spikes, membranes = neuron(x)
        assert spikes.device.type == membranes.device.type == "meta"
        assert spikes.shape == membranes.shape == x.shape


@pytest.mark.isa
@pytest.mark.parametrize("name", ["beta", "threshold", "graded_spikes_factor"])
def test_nan_parameters_give_what_snntorch_gives(name):
    arguments = dict(beta=0.9) | {name: float("nan")}
    theirs, ours = snntorch.Leaky(**arguments), snn.Leaky(**arguments)
    x = torch.rand(6, 2, 5) * 2
    mem = wanted_mem = torch.zeros(2, 5)
    steps = []
    for current in x:
        wanted, wanted_mem = theirs(current, wanted_mem)
        spikes, mem = ours(current, mem)
        assert same_bits(wanted, spikes) and same_bits(wanted_mem, mem)
        steps.append((spikes, mem))
    spikes, membranes = whole(**arguments)(x)
    assert same_bits(dense(spikes), torch.stack([step[0] for step in steps]))
    assert same_bits(membranes, torch.stack([step[1] for step in steps]))


@pytest.mark.parametrize(
    "shape", [(0, 2, 5), (4, 0, 5), (4, 2, 0), (0, 0, 0), (0,), (0, 5), (4, 0)]
)
def test_empty_sequences(shape):
    x = torch.rand(shape, requires_grad=True)
    spikes, membranes = whole()(x)
    assert spikes.shape == membranes.shape == shape
    (spikes.sum() + membranes.sum()).backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (0,)])
def test_empty_steps(shape):
    x = torch.rand(shape, requires_grad=True)
    spikes, mem = snn.Leaky(beta=0.9)(x)
    (spikes.sum() + mem.sum()).backward()
    assert spikes.shape == mem.shape == x.grad.shape == shape
