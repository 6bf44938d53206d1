"""What neurons can do beside snnTorch's: order, firing at threshold, other spikes, gradients."""

import pytest
import torch

import bitspike as snn
from helpers.compare import same_bits

CURRENTS = torch.tensor([0.5, 0.75, 0.0, 0.25, -2.0, 3.0, 0.0])


def train(neuron, currents=CURRENTS):
    """Spikes and membranes of one neuron, step by step and as a sequence, which must agree."""
    spikes, *states = neuron.run(
        currents.view(-1, 1), [torch.zeros(1)] * len(neuron.STATES), sequence=True, states=True
    )[:2]
    single, state = [], [torch.zeros(1)] * len(neuron.STATES)
    for current in currents:
        spike, _, state = neuron.run(current.view(1), list(state), sequence=False, states=False)
        single.append(spike)
    dense = spikes.dense() if isinstance(spikes, snn.SpikeTensor) else spikes
    assert same_bits(torch.stack(single), dense)
    return dense.flatten().tolist(), states[0][-1].flatten().tolist()


# β = 1/2, θ = 1, reset by subtraction, worked out by hand.


def test_fire_first():
    late, same = train(snn.Leaky(beta=0.5, order="fire_first"))
    spikes, membranes = train(snn.Leaky(beta=0.5))
    assert membranes == [0.5, 1.0, 0.5, 0.5, -1.75, 2.125, 0.0625] == same
    assert spikes == [0, 0, 0, 0, 0, 1, 0]
    assert late == [0, 0, 0, 0, 0, 0, 1]


def test_fire_at_the_threshold():
    spikes, membranes = train(snn.Leaky(beta=0.5, fire_at="ge"))
    assert membranes == [0.5, 1.0, -0.5, 0.0, -2.0, 2.0, 0.0]
    assert spikes == [0, 1, 0, 0, 0, 1, 0]


def test_signed_spikes():
    """Below -θ a neuron fires -1, and its reset adds θ."""
    spikes, membranes = train(snn.Leaky(beta=0.5, spike_range=(-1, 1)))
    assert membranes == [0.5, 1.0, 0.5, 0.5, -1.75, 3.125, 0.5625]
    assert spikes == [0, 0, 0, 0, -1, 1, 0]


def test_several_spikes_in_a_step():
    """One for each multiple of θ that the membrane is above, and as many resets."""
    spikes, membranes = train(snn.Leaky(beta=0.5, spike_range=(0, 4)))
    assert membranes == [0.5, 1.0, 0.5, 0.5, -1.75, 2.125, -0.9375]
    assert spikes == [0, 0, 0, 0, 0, 2, 0]
    most, _ = train(snn.Leaky(beta=1.0, spike_range=(0, 4)), CURRENTS * 5)
    assert max(most) == 4


@pytest.mark.parametrize("kind", [snn.Leaky, snn.Synaptic])
@pytest.mark.parametrize("spike_range", [(-2, 3), (-1, 1)])
def test_several_spikes_erase_once(kind, spike_range):
    decays = {"beta": 0.5} if kind is snn.Leaky else {"alpha": 0.0, "beta": 0.5}
    neuron = kind(**decays, reset_mechanism="zero", spike_range=spike_range)
    before = [torch.tensor([-2.5, -1.5, 0.5, 2.5])] * len(neuron.STATES)
    spikes, states = neuron.step(torch.full((4,), 0.125), *before)
    kept = 0.125 if kind is snn.Leaky else 0.0
    assert states[-1].tolist() == [kept, kept, 0.375, kept]


def test_several_spikes_erase_at_once():
    neuron = snn.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=False, spike_range=(-1, 3))
    spikes, mem = neuron(torch.tensor([2.5, 0.5, -1.5]), torch.zeros(3))
    assert spikes.tolist() == [2, 0, -1] and mem.tolist() == [0, 0.5, 0]


def test_spike_range_must_hold_zero_and_one():
    for wrong in ((0, 0), (1, 2), (-1, 0)):
        with pytest.raises(ValueError, match="spike_range"):
            snn.Leaky(beta=0.5, spike_range=wrong)


@pytest.mark.parametrize("name", ["order", "fire_at", "reset_mechanism"])
def test_choices_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, not 'sideways'"):
        snn.Leaky(beta=0.5, **{name: "sideways"})


def test_unknown_switches_are_refused():
    with pytest.raises(TypeError, match="sideways"):
        snn.Leaky(beta=0.5, sideways=True)


@pytest.mark.parametrize(
    "switch, reason",
    [
        (dict(detach_reset=False), "detach_reset"),
        (dict(fire_at="ge"), "fire_at"),
        (dict(spike_range=(-1, 1)), r"\(-1, 1\)"),
    ],
)
def test_what_has_no_native_form_says_so(switch, reason):
    import re

    neuron = snn.Leaky(beta=0.5, **switch)
    assert re.search(reason, neuron.native_refusal(torch.zeros(2)))
    assert snn.Leaky(beta=0.5, order="fire_first").native_refusal(torch.zeros(2)) is None


def test_gradient_through_the_reset():
    """U[2] = U[1]/2 + I - H(U[1] - θ)θ, so dU[2]/dI[1] = 1/2 - θ·h(U[1] - θ)."""
    for detach in (True, False):
        neuron = snn.Leaky(beta=0.5, detach_reset=detach, multi_step=True)
        x = torch.tensor([[1.25], [0.25]], requires_grad=True)
        _, membranes = neuron(x)
        membranes[1].sum().backward()
        slope = neuron.spike_grad.derivative(torch.tensor(0.25)).item()
        wanted = 0.5 if detach else 0.5 - slope
        assert x.grad[0].item() == pytest.approx(wanted)


def test_gradient_of_fire_first_reaches_the_initial_state():
    neuron = snn.Leaky(beta=0.5, order="fire_first", multi_step=True)
    mem = torch.tensor([0.5], requires_grad=True)
    x = torch.zeros(3, 1, requires_grad=True)
    spikes, _ = neuron(x, mem)
    (spikes * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    slopes = neuron.spike_grad.derivative(torch.tensor([-0.5, -0.75, -0.875]))
    assert mem.grad.item() == pytest.approx(slopes.dot(torch.tensor([1.0, 5.0, 25.0])).item())
    assert x.grad.flatten().tolist() == pytest.approx(
        [(10 * slopes[1] + 50 * slopes[2]).item(), (100 * slopes[2]).item(), 0.0]
    )
