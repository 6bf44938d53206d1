"""The programs of the article that bitspike starts from, which it wrote for snnTorch.

"Training Spiking Neural Networks Using Lessons From Deep Learning", as summarised in Notes from the
Wired, June 2025. They stand here with ``bitspike`` imported, and with what was not defined there.
"""

import brevitas.nn as qnn
import numpy as np
import pytest
import snntorch
import snntorch.spikegen
import torch
from torch import nn

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikegen, surrogate
from helpers.compare import dense, same_bits

# 2.1: the neuron by hand


def lif(X, U, S):
    """The article's function with its spike carried along: there it was 0 at every update."""
    beta = np.float32(0.9)  # decay rate
    W = np.float32(0.5)  # learnable weight
    theta = np.float32(1)  # firing threshold

    U = beta * U + W * X - S * theta  # update membrane potential
    S = np.float32(U > theta)  # determine if a spike occurred
    return S, U


def by_hand(inputs):
    S = U = np.float32(0)
    steps = []
    for X in inputs:
        S, U = lif(np.float32(X), U, S)
        steps.append((S, U))
    return torch.tensor(np.array(steps)).unbind(1)


X = torch.rand(300, generator=torch.Generator().manual_seed(4)) * 2
W = 0.5


def test_the_neuron_by_hand_is_leaky():
    spikes, membranes = by_hand(X.numpy())
    assert 30 < spikes.sum() < 270
    neuron = snn.Leaky(beta=0.9, threshold=1)
    S, U = torch.zeros(()), torch.zeros(())
    for t in range(300):
        S, U = neuron(X[t] * W, U)
        assert same_bits(S, spikes[t]) and same_bits(U, membranes[t])
    whole = snn.Leaky(beta=0.9, threshold=1, multi_step=True)
    S, U = whole(X.unsqueeze(1) * W)
    assert same_bits(S[:, 0], spikes) and same_bits(U[:, 0], membranes)


def test_without_its_spike_the_neuron_is_never_reset():
    """The article's function as it stands is ``reset_mechanism="none"``."""
    neuron = snn.Leaky(beta=0.9, threshold=1, reset_mechanism="none")
    U = np.float32(0)
    fired = 0
    for _ in range(30):
        S, U = lif(np.float32(1), U, np.float32(0))
        spike, membrane = neuron(torch.tensor(0.5))
        assert spike == S and membrane == U
        fired += S
    assert fired == 28


# 2.1: the same with snnTorch


@pytest.mark.parametrize("kind", [float, torch.tensor], ids=["numbers", "tensors"])
def test_a_loop_over_a_neuron(kind):
    lif = snn.Leaky(beta=0.9, threshold=1)  # initialize neuron
    spikes, membranes = by_hand(X.tolist())
    U = kind(0.0)

    for t, X_t in enumerate(X.tolist()):
        S, U = lif(kind(X_t) * W, U)  # recurrently update S and U
        assert same_bits(S, spikes[t]) and same_bits(U, membranes[t])


# 3.1: encoding


def test_rate_coded_inputs():
    steps = 100  # number of time steps

    X = torch.rand(10)  # vector of 10 random inputs
    S = spikegen.rate(X, num_steps=steps)

    assert X.size() == torch.Size([10])
    assert S.size() == torch.Size([100, 10])
    assert ((S == 0) | (S == 1)).all()
    assert (S.mean(0) - X).abs().max() < 0.2
    packed = spikegen.rate(X, num_steps=steps, packed=True)
    assert packed.size() == S.size() and (packed.sum(0) / steps - X).abs().max() < 0.2


def test_latency_coded_inputs():
    steps = 100  # number of time steps

    X = torch.rand(10)  # vector of 10 random inputs
    # With the defaults, most inputs are so strong that they fire at once.
    with pytest.warns(UserWarning, match="fire at the same step"):
        S = spikegen.latency(X, num_steps=steps)

    assert X.size() == torch.Size([10])
    assert S.size() == torch.Size([100, 10])
    assert same_bits(S, snntorch.spikegen.latency(X, num_steps=steps))
    assert (S.sum(0) == 1).all()


def test_delta_modulated_inputs():
    steps = 100
    # Example input tensor: time X batch-size X channel X height X width
    X = torch.rand(steps, 128, 1, 28, 28)
    assert X.size() == torch.Size([100, 128, 1, 28, 28])

    S = spikegen.delta(X, num_steps=steps)  # convert to delta-modulated spikes

    # shape remains the same, but values are now spike-encoded
    assert S.size() == torch.Size([100, 128, 1, 28, 28])
    assert same_bits(S, snntorch.spikegen.delta(X))
    with pytest.raises(ValueError, match="num_steps"):
        spikegen.delta(X, num_steps=steps + 1)


# 3.3: losses


def test_losses():
    loss_1 = SF.ce_rate_loss()  # Cross-entropy based on spike count
    loss_2 = SF.mse_rate_loss()  # MSE based on spike count
    loss_3 = SF.ce_max_membrane_loss()  # Cross-entropy based on max membrane potential
    loss_4 = SF.mse_membrane_loss()  # MSE based on membrane potential

    y = torch.tensor([0, 3, 3])
    current = torch.rand(20, 3, 4, requires_grad=True)
    spikes, membranes = snn.Leaky(beta=0.9, multi_step=True)(current)
    for loss, recording in (
        (loss_1, spikes),
        (loss_2, spikes),
        (loss_3, membranes),
        (loss_4, membranes),
    ):
        found = loss(recording, y)
        (gradient,) = torch.autograd.grad(found.sum(), current, retain_graph=True)
        assert found > 0 and gradient.abs().sum() > 0
    # snnTorch has the first under this name only, and the second under another.
    assert loss_1(spikes, y) != SF.ce_count_loss()(spikes, y)
    assert loss_2(spikes, y) == SF.mse_count_loss()(spikes, y)


# 4.3.1: surrogates


def test_surrogates():
    lif_1 = snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid())
    lif_2 = snn.Leaky(beta=0.9, spike_grad=surrogate.sigmoid())
    lif_3 = snn.Leaky(beta=0.9, spike_grad=surrogate.straight_through_estimator())
    lif_4 = snn.Leaky(beta=0.9, spike_grad=surrogate.triangular())

    # Far below threshold, snnTorch's sigmoid gives NaN (F45).
    x = torch.arange(-9, 9.5, 0.25)
    for neuron in (lif_1, lif_2, lif_3, lif_4):
        current = x.clone().requires_grad_()
        spikes, _ = neuron(current)
        spikes.sum().backward()
        assert same_bits(spikes, (x > 1).float())
        assert current.grad.isfinite().all() and current.grad[x == 1] != 0


# 4.3.2: quantised networks


def test_quantised_networks():
    # Full-precision model
    net = nn.Sequential(nn.Linear(784, 10), snn.Leaky(beta=0.9, init_hidden=True))

    # Quantized model
    num_bits = 8
    quant_net = nn.Sequential(
        qnn.QuantLinear(784, 10, weight_bit_width=num_bits),
        snn.Leaky(beta=0.9, init_hidden=True),
    )

    quant_net[0].load_state_dict(net[0].state_dict(), strict=False)
    images = torch.rand(4, 784)
    for module in (net, quant_net):
        out = torch.stack([module(step) for step in spikegen.rate(images, num_steps=25)])
        assert out.size() == torch.Size([25, 4, 10])
        dense(out).sum().backward()
        assert module[0].weight.grad.abs().sum() > 0
    theirs = nn.Sequential(quant_net[0], snntorch.Leaky(beta=0.9, init_hidden=True))
    snn.utils.reset(quant_net)
    for step in spikegen.rate(images, num_steps=25):
        assert same_bits(quant_net(step), theirs(step.as_subclass(torch.Tensor)))
