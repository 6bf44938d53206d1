"""What decides which program a neuron has: compared with what it was, not made anew."""

import copy
import gc
import weakref

import torch

import bitspike as snn
from bitspike import program
from bitspike.program.key import key


class Other(snn.Leaky):
    """A class of its own."""


def test_a_key_is_that_of_the_neuron_as_it_is():
    neuron = snn.Leaky(0.9)
    neuron.part = torch.nn.Tanh()
    before = key(neuron)
    assert key(neuron) == before
    assert key(snn.Leaky(0.9)) == key(snn.Leaky(0.5)) != before
    neuron(torch.zeros(2, 3))
    assert key(neuron) == before  # states are no part of it
    for change in (
        lambda: setattr(neuron, "detach_reset", False),
        lambda: setattr(neuron, "spike_grad", snn.surrogate.fast_sigmoid()),
        lambda: setattr(neuron, "beta", torch.rand(3)),
        lambda: setattr(neuron.beta, "data", torch.rand(1)),
        lambda: setattr(neuron, "table", [1, 2]),
        lambda: neuron.table.append(3),
        lambda: neuron.table.__setitem__(0, 2),
        lambda: setattr(neuron, "options", {"a": 1}),
        lambda: neuron.options.update(a=2),
        lambda: delattr(neuron, "options"),
        lambda: setattr(neuron, "__class__", Other),
        lambda: setattr(neuron.part, "__class__", torch.nn.Sigmoid),
        lambda: setattr(neuron, "function", lambda x: x),
    ):
        before = key(neuron)
        change()
        assert key(neuron) != before
        assert key(neuron) == key(copy.deepcopy(neuron))


def test_a_neuron_that_refers_to_itself_is_freed():
    neuron = snn.Leaky(0.9)
    object.__setattr__(neuron, "owner", neuron)
    key(neuron)
    gone = weakref.ref(neuron)
    del neuron
    gc.collect()
    assert gone() is None


def test_programs_differ_in_the_sign_of_zero():
    plus, minus = (
        program.capture(snn.Leaky(0.9)).forward._replace(immediates=(zero,)) for zero in (0.0, -0.0)
    )
    assert plus != minus and plus == plus._replace() and hash(plus) == hash(plus._replace())
