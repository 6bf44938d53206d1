"""`LinearLeaky`: `nn.Linear` and `StateLeaky`, as in snnTorch 1.0.0."""

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bitspike as snn
from helpers.compare import dense, error, same_bits

pytestmark = pytest.mark.isa


def pair(*args, **kwargs):
    """The same neuron of snnTorch and of bitspike, by way of a checkpoint."""
    theirs, ours = snntorch.LinearLeaky(*args, **kwargs), snn.LinearLeaky(*args, **kwargs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


@given(
    steps=st.integers(1, 30),
    inputs=st.integers(1, 20),
    outputs=st.integers(1, 70),
    beta=st.floats(0, 1),
    bias=st.booleans(),
    truncation=st.none() | st.integers(1, 35),
)
@settings(max_examples=40)
def test_equals_snntorch(steps, inputs, outputs, beta, bias, truncation):
    theirs, ours = pair(beta, inputs, outputs, bias=bias, kernel_truncation_steps=truncation)
    x = 2 * torch.randn(steps, 3, inputs)
    wanted, wanted_membrane = theirs(x)
    spikes, membrane = ours(x)
    assert isinstance(spikes, snn.SpikeTensor)
    assert error(membrane, wanted_membrane) < 1e-5
    close = (wanted_membrane - 1).abs() < 1e-5 * wanted_membrane.abs().max()
    assert torch.equal(dense(spikes)[~close], wanted[~close])


@pytest.mark.parametrize("truncation", [None, 4])
def test_gradients_equal_snntorch(truncation):
    theirs, ours = pair(0.8, 6, 20, learn_beta=True, kernel_truncation_steps=truncation)
    x, weights = torch.randn(15, 4, 6), torch.randn(2, 15, 4, 20)
    results = []
    for neuron in (theirs, ours):
        leaf = x.clone().requires_grad_()
        spikes, membrane = neuron(leaf)
        (spikes * weights[0] + membrane * weights[1]).sum().backward()
        linear = neuron.linear
        results.append((leaf.grad, neuron.tau.grad, linear.weight.grad, linear.bias.grad))
    for wanted, found in zip(*results, strict=True):
        assert error(found, wanted) < 1e-4


def test_is_a_linear_layer_and_a_state_leaky():
    layer = snn.LinearLeaky(torch.rand(5), 3, 5, exact_decay=True)
    neuron = snn.StateLeaky(torch.rand(5), 5, exact_decay=True)
    neuron.load_state_dict({k: v for k, v in layer.state_dict().items() if "linear" not in k})
    x = torch.randn(9, 2, 3)
    assert all(map(same_bits, layer(x), neuron(layer.linear(x))))


def test_a_trace():
    layer = snn.LinearLeaky(0.5, 2, 1, bias=False, exact_decay=True)
    layer.linear.weight.data = torch.tensor([[1.0, -0.5]])
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, -1.0]]).unsqueeze(1)
    spikes, membrane = layer(x)
    assert membrane.flatten().tolist() == [1.0, 1.0, 2.0]
    assert dense(spikes).flatten().tolist() == [0, 0, 1]


def test_packed_spikes_in():
    layer = snn.LinearLeaky(0.9, 70, 5)
    x = (torch.rand(9, 2, 70) < 0.3).float()
    packed = layer(snn.SpikeTensor.from_dense(x))
    assert error(packed[1], layer(x)[1]) < 1e-5


def test_positional_arguments_and_keys():
    arguments = (0.9, 3, 5, False, None, torch.float64, 0.5, None, False, True, False, False, False)
    theirs, ours = (lib.LinearLeaky(*arguments, 1.0, False, 4) for lib in (snntorch, snn))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert ours.linear.weight.dtype == torch.float64 and ours.kernel_truncation_steps == 4
    assert ours(torch.randn(5, 2, 3, dtype=torch.float64)).dtype == torch.float64


def test_compiled():
    torch._dynamo.reset()
    layer = snn.LinearLeaky(0.9, 4, 9)
    x = torch.randn(7, 3, 4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert all(map(same_bits, compiled(x), layer(x)))


@pytest.mark.parametrize("shape", [(5, 2, 4), (5, 3), (3,)])
def test_errors(shape):
    with pytest.raises(ValueError, match=r"input_ must be \[T, B, 3\], not"):
        snn.LinearLeaky(0.9, 3, 5)(torch.zeros(shape))
