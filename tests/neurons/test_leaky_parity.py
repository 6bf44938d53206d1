"""`Leaky` against snnTorch 1.0.0, bit for bit, and against the loop of the lesson."""

import pytest
import snntorch
import torch
from torch import nn

import bitspike as snn
from helpers.compare import error, same_bits, step_by_step

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

T, B, N = 50, 40, 130
MECHANISMS = ("subtract", "zero", "none")
PARAMETERS = {
    "numbers": dict(beta=0.85, threshold=1.0),
    "one element": dict(beta=torch.tensor([0.7]), threshold=torch.tensor([0.3])),
    "per neuron": dict(beta="random", threshold="random", graded_spikes_factor="random"),
    "outside [0, 1]": dict(beta="wide", graded_spikes_factor=-1.5),
    "threshold 0": dict(beta=0.9, threshold=0.0, graded_spikes_factor=1.7),
    "threshold negative": dict(beta=0.95, threshold=-0.4),
    "learnable": dict(
        beta="random",
        threshold=0.6,
        graded_spikes_factor=1.7,
        learn_beta=True,
        learn_threshold=True,
        learn_graded_spikes_factor=True,
    ),
}
DRAW = {"random": lambda: torch.rand(N) + 0.01, "wide": lambda: torch.rand(N) * 2 - 0.5}


def pair(**arguments):
    """snnTorch's neuron and ours, with copies of the same arguments."""

    def copied():
        return {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in arguments.items()}

    return snntorch.Leaky(**copied()), snn.Leaky(**copied())


def drawn(arguments):
    return {k: DRAW[v]() if v in ("random", "wide") else v for k, v in arguments.items()}


def sequence_twin(neuron, **arguments):
    """The same neuron for whole sequences."""
    twin = snn.Leaky(**arguments, multi_step=True)
    twin.load_state_dict(neuron.state_dict())
    return twin


def doubles_membranes(mechanism, delay, threshold):
    """Where snnTorch's defect F19 shows: the doubling of silent membranes above threshold."""
    return mechanism == "zero" and not delay and float(torch.as_tensor(threshold).min()) < 0


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_million_steps(mechanism, delay):
    compared = 0
    for name, arguments in PARAMETERS.items():
        arguments = dict(drawn(arguments), reset_mechanism=mechanism, reset_delay=delay)
        if doubles_membranes(mechanism, delay, arguments.get("threshold", 1.0)):
            continue
        theirs, ours = pair(**arguments)
        x = torch.randn(T, B, N) * 0.7 + 0.1
        mem = torch.randn(B, N)
        if mechanism == "zero" and not delay:
            mem = torch.minimum(mem, theirs.threshold.detach())
        with torch.no_grad():
            wanted = step_by_step(theirs, x, mem)
            single = step_by_step(ours, x, mem)
            whole = sequence_twin(ours, **arguments)(x, mem)
        assert wanted[0].count_nonzero() > T * B, name
        for actual in (single, whole):
            assert same_bits(wanted[0], actual[0]), name
            assert same_bits(wanted[1], actual[1]), name
        compared += x.numel()
    assert compared >= 1_000_000


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_values_at_the_edge_of_float32(mechanism, delay):
    inf, nan, tiny, huge = float("inf"), float("nan"), 1e-45, 3e38
    values = torch.tensor([0.0, -0.0, 1.0, -1.0, inf, -inf, nan, tiny, -tiny, 1e-39, huge, -huge])
    generator = torch.Generator().manual_seed(1)
    picks = torch.randint(len(values), (30, 8, 70), generator=generator)
    x = torch.where(torch.rand(picks.shape) < 0.3, values[picks], torch.randn(picks.shape))
    mem = values[picks[0]].nan_to_num(0.0, 0.0, -1.0).clamp(max=1.0)
    for beta, threshold in (
        (0.9, 1.0),
        (0.0, tiny),
        (1.0, 0.0),
        (0.5, huge),
        (0.5, inf),
        (0.5, nan),
    ):
        arguments = dict(
            beta=beta, threshold=threshold, reset_mechanism=mechanism, reset_delay=delay
        )
        if mechanism == "zero" and not delay:
            # The membrane is what F19 doubles once it is above threshold, so it starts below.
            mem = torch.minimum(mem, torch.tensor(threshold).nan_to_num(0.0))
        theirs, ours = pair(**arguments)
        wanted = step_by_step(theirs, x, mem)
        for actual in (step_by_step(ours, x, mem), sequence_twin(ours, **arguments)(x, mem)):
            assert same_bits(wanted[0], actual[0]), (beta, threshold)
            assert same_bits(wanted[1], actual[1]), (beta, threshold)


def test_seed_loop():
    """The scalar loop of the lesson, with the spike carried from step to step."""

    def lif(current, membrane, spike):
        f32 = torch.tensor
        membrane = f32(0.9) * membrane + f32(0.5) * current - spike * f32(1.0)
        return membrane, (membrane > f32(1.0)).float()

    x = torch.rand(300) * 2
    mem = spike = torch.tensor(0.0)
    wanted = []
    for current in x:
        mem, spike = lif(current, mem, spike)
        wanted.append((spike, mem))
    spikes, membranes = (torch.stack(values) for values in zip(*wanted, strict=True))
    assert 0 < spikes.sum() < 300
    neuron = snn.Leaky(beta=0.9, threshold=1)
    for actual in (
        step_by_step(neuron, x * 0.5, torch.tensor(0.0)),
        sequence_twin(neuron, beta=0.9)(x * 0.5),
    ):
        assert same_bits(spikes, actual[0])
        assert same_bits(membranes, actual[1])


# Calling conventions


def test_omitted_state_of_a_sequence_is_zero():
    neuron = snn.Leaky(beta=0.8, multi_step=True)
    x = torch.rand(10, 3, 5)
    first, second = neuron(x), neuron(x)
    assert all(same_bits(a, b) for a, b in zip(first, second, strict=True))


def test_numbers_as_input_and_threshold():
    neuron = snn.Leaky(beta=0.9, threshold=1)
    reference = snntorch.Leaky(beta=0.9, threshold=1.0)
    mem, wanted_mem = 0.0, torch.tensor(0.0)
    for value in (0.75, 0.75, 2, 0.1, 1.5):
        spike, mem = neuron(value, mem)
        wanted, wanted_mem = reference(torch.tensor(float(value)), wanted_mem)
        assert spike.shape == mem.shape == ()
        assert same_bits(wanted, spike)
        assert same_bits(wanted_mem, mem)


def test_integers_may_be_learned():
    neuron = snn.Leaky(beta=1, threshold=2, learn_beta=True, learn_threshold=True)
    assert neuron.beta.dtype == neuron.threshold.dtype == torch.float32


def test_a_membrane_at_threshold_does_not_fire():
    spike, _ = snn.Leaky(beta=0.9)(torch.tensor([1.0, 1.0 + 2**-23]))
    assert spike.tolist() == [0, 1]


def test_surrogate_disable():
    theirs, ours = pair(beta=0.8, surrogate_disable=True)
    x = torch.randn(10, 6, 9)
    inputs = [x.clone().requires_grad_() for _ in range(3)]
    twin = sequence_twin(ours, beta=0.8, surrogate_disable=True)
    mem = torch.zeros(6, 9)
    outputs = [step_by_step(theirs, inputs[0], mem), step_by_step(ours, inputs[1], mem)]
    outputs.append(twin(inputs[2]))
    for spikes, membranes in outputs:
        (spikes.sum() + membranes.square().sum()).backward()
    for got in inputs[1:]:
        assert error(got.grad, inputs[0].grad) < 1e-5


# What differs on purpose


def test_a_graded_factor_of_zero_resets_like_any_other():
    """F18: snnTorch divides the spike by the factor, 0/0."""
    theirs, ours = pair(beta=0.9, graded_spikes_factor=0.0, reset_delay=False)
    _, unit = pair(beta=0.9, reset_delay=False)
    x = torch.rand(20, 3, 4)
    mem = torch.zeros(3, 4)
    assert step_by_step(theirs, x, mem)[1].isnan().any()
    wanted = step_by_step(unit, x, mem)[1]
    spikes, membranes = step_by_step(ours, x, mem)
    assert same_bits(membranes, wanted) and not spikes.any()
    twin = snn.Leaky(beta=0.9, graded_spikes_factor=0.0, reset_delay=False, multi_step=True)
    assert same_bits(twin(x)[1], wanted)


def test_a_silent_neuron_above_threshold_is_not_doubled():
    """F19: snnTorch takes the reset that has not happened back, which doubles the membrane."""
    arguments = dict(beta=0.5, reset_mechanism="zero", reset_delay=False)
    theirs, ours = pair(**arguments)
    x, mem = torch.tensor([[0.4]]), torch.tensor([[2.0]])
    assert theirs(x, mem)[1].item() == pytest.approx(0.8)
    wanted = torch.tensor([[0.4]])
    assert same_bits(ours(x, mem)[1], wanted)
    assert same_bits(sequence_twin(ours, **arguments)(x[None], mem)[1][0], wanted)


def test_detached_and_zeroed_states():
    states = [torch.ones(3), torch.ones(2)]
    snn.SpikingNeuron.zeros(*states)
    assert not any(state.any() for state in states)
    state = torch.ones(3, requires_grad=True) * 2
    snn.SpikingNeuron.detach(state)
    assert not state.requires_grad


# Checkpoints


def test_checkpoints_of_snntorch_load():
    def net(library):
        return nn.Sequential(
            nn.Linear(8, 16),
            library.Leaky(beta=torch.rand(16), learn_beta=True, init_hidden=True),
            nn.Linear(16, 4),
            library.Leaky(beta=0.9, threshold=0.5, learn_threshold=True, init_hidden=True),
        )

    theirs, ours = net(snntorch), net(snn)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    for a, b in zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for x in torch.randn(20, 3, 8):
        assert same_bits(theirs(x), ours(x))
    theirs.load_state_dict(ours.state_dict(), strict=True)
