"""The spike response model against its sum, and against neurons that are special cases of it."""

import pytest
import torch

import bitspike as snn


def test_trace():
    """ε = (1, 1/2, 1/4), η = (-1, -1/2), θ = 1: by hand."""
    neuron = snn.SRM0(torch.tensor([1.0, 0.5, 0.25]), torch.tensor([-1.0, -0.5]), multi_step=True)
    x = torch.tensor([0.75, 1.0, 0.5, 1.5, 0.0, 0.0])
    spikes, inputs, fired, mem = neuron(x.view(-1, 1))
    # 0.75 | 1+0.375 | 0.5+0.5+0.1875-1 | 1.5+0.25+0.25-0.5 | 0.75+0.125-1 | 0.375-0.5
    assert mem.flatten().tolist() == [0.75, 1.375, 0.1875, 1.5, -0.125, -0.125]
    assert spikes.flatten().tolist() == [0, 1, 0, 1, 0, 0]
    assert inputs[-1].flatten().tolist() == [0.0, 0.0]
    assert fired[-1].flatten().tolist() == [0.0, 0.0]
    assert fired[3].flatten().tolist() == [1.0, 0.0]


def test_sums_over_a_long_past():
    response, after = torch.randn(9, 5), torch.rand(7) - 0.6
    neuron = snn.SRM0(response, after, multi_step=True)
    x = torch.randn(30, 4, 5)
    spikes, _, _, mem = neuron(x)
    assert 0.05 < spikes.mean() < 0.5
    for t in range(30):
        wanted = sum(response[k] * x[t - k] for k in range(min(9, t + 1)))
        wanted = wanted + sum(after[k - 1] * spikes[t - k] for k in range(1, min(7, t) + 1))
        assert torch.allclose(mem[t], wanted, atol=1e-5)
    assert spikes.equal((mem > 1).float())


def test_exponential_kernels_are_leaky():
    steps = 40
    k = torch.arange(steps, dtype=torch.float64)
    neuron = snn.SRM0(0.8**k, -(0.8**k), multi_step=True).double()
    x = torch.rand(steps, 3, 4, dtype=torch.float64)
    spikes, _, _, mem = neuron(x)
    wanted, membranes = snn.Leaky(torch.tensor(0.8).double(), multi_step=True).double()(x)
    assert spikes.equal(wanted) and wanted.any()
    assert torch.allclose(mem, membranes)


def test_sequence_in_chunks_and_steps():
    neuron = snn.SRM0(torch.rand(5), -torch.rand(3), init_hidden=True, multi_step=True)
    x = torch.rand(20, 2, 3)
    whole = neuron(x)
    snn.utils.reset(neuron)
    parts = torch.cat([neuron(part) for part in x.split([7, 1, 12])])
    assert parts.equal(whole)
    single = snn.SRM0(neuron.response, neuron.after_spike, init_hidden=True)
    assert torch.stack([single(current) for current in x]).equal(whole)


def test_learned_kernels():
    neuron = snn.SRM0(
        torch.rand(4), -torch.rand(3), learn_response=True, learn_after_spike=True, multi_step=True
    )
    x = torch.rand(20, 2, 3)
    neuron(x)[0].sum().backward()
    assert neuron.response.grad.all() and neuron.after_spike.grad.all()
    assert set(neuron.state_dict()) >= {"response", "after_spike"}


@pytest.mark.parametrize("name", ["response", "after_spike"])
def test_empty_kernels(name):
    kernels = dict(response=torch.ones(2), after_spike=torch.ones(2)) | {name: torch.ones(0)}
    with pytest.raises(ValueError, match=name):
        snn.SRM0(**kernels)


def test_other_resets_are_refused():
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.SRM0(torch.ones(2), torch.ones(2), reset_mechanism="zero")
