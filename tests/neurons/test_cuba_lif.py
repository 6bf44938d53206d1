"""`CuBaLIF` by hand, and with gains of 1."""

import torch

import bitspike as snn
from helpers.compare import dense, same_bits


def test_trace():
    neuron = snn.CuBaLIF(alpha=0.5, beta=0.25, w_in=2.0, r=0.5, multi_step=True)
    spikes, syn, mem = neuron(torch.tensor([[1.0], [1.0], [0.0], [0.0]]))
    # The membrane gets half of the synapse, a quarter of itself, and -1 after its spike.
    assert syn[:, 0].tolist() == [2.0, 3.0, 1.5, 0.75]
    assert mem[:, 0].tolist() == [1.0, 1.75, 0.1875, 0.421875]
    assert dense(spikes)[:, 0].tolist() == [0, 1, 0, 0]


def test_gains_of_one_make_it_synaptic():
    x = torch.randn(30, 4, 70) * 0.5
    for reset, delay in (("subtract", True), ("zero", True), ("zero", False), ("none", True)):
        arguments = dict(reset_mechanism=reset, reset_delay=delay, multi_step=True)
        wanted = snn.Synaptic(0.8, 0.7, **arguments)(x)
        actual = snn.CuBaLIF(0.8, 0.7, **arguments)(x)
        assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


def test_each_gain_is_learned_alone():
    for name in ("alpha", "beta", "w_in", "r"):
        neuron = snn.CuBaLIF(0.8, 0.7, **{f"learn_{name}": True})
        assert [name for name, _ in neuron.named_parameters()] == [name]
