"""`Synaptic` by hand: α = β = 1/2, θ = 1."""

import pytest
import torch

import bitspike as snn

CURRENTS = torch.tensor([1.0, 0.5, 1.5, 0.0, -1.0])
SYNAPSE = [1.0, 1.0, 2.0, 1.0, -0.5]
TRACES = {
    ("none", True): ([1.0, 1.5, 2.75, 2.375, 0.6875], [0, 1, 1, 1, 0]),
    ("subtract", True): ([1.0, 1.5, 1.75, 0.875, -0.0625], [0, 1, 1, 0, 0]),
    ("subtract_beta", True): ([1.0, 1.5, 2.25, 1.625, -0.1875], [0, 1, 1, 1, 0]),
    ("zero", True): ([1.0, 1.5, 0.0, 1.0, 0.0], [0, 1, 0, 0, 0]),
    # In the fourth step the membrane comes in above threshold and falls below it: θ is given back.
    ("subtract", False): ([1.0, 0.5, 1.25, 1.625, 0.3125], [0, 1, 1, 0, 0]),
    ("zero", False): ([1.0, 0.0, 0.0, 1.0, 0.0], [0, 1, 1, 0, 0]),
}


@pytest.mark.parametrize("reset, delay", TRACES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["native", "torch"])
def test_trace(reset, delay, dtype):
    neuron = snn.Synaptic(
        alpha=0.5, beta=0.5, reset_mechanism=reset, reset_delay=delay, multi_step=True
    ).to(dtype)
    x = CURRENTS.to(dtype).view(-1, 1)
    assert (neuron.native_refusal(x) is None) == (dtype is torch.float32)
    spikes, syn, mem = neuron(x)
    membrane, train = TRACES[reset, delay]
    assert syn.flatten().tolist() == SYNAPSE
    assert mem.flatten().tolist() == membrane
    assert spikes.flatten().tolist() == train
