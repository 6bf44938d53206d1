"""The program of every neuron is its step, in all bits, and its adjoint what autograd makes."""

import pytest
import torch

import bitspike as snn
from bitspike import program, surrogate
from bitspike.neurons.base.run import run_reference
from helpers import interpreted
from helpers.cases import CASES, IN_TORCH
from helpers.compare import RESETS, SURROGATES, same_bits

LAYERS = [
    pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
    for case in (*CASES, *IN_TORCH)
    for reset in case.resets()
]
NEAR = 2e-5


def gradients_of(results, inputs, weights):
    """Autograd's, zero for what was not used."""
    return torch.autograd.grad(
        results, inputs, weights, allow_unused=True, materialize_grads=True, retain_graph=True
    )


def assert_program(neuron, x, initial):
    """Compares programs with the steps of a sequence; returns the share of spikes."""
    captured = program.capture(neuron)
    own = captured.constants(neuron, x.device)
    torch.manual_seed(7)
    inputs = [y.clone().requires_grad_() for y in (x, *initial)]
    spikes, states, _ = run_reference(neuron, inputs[0], inputs[1:], True, True)
    torch.manual_seed(7)
    sequences = [x, *captured.drawn(x)]
    constants = [y.detach().float() for y in own]
    with torch.no_grad():
        fired, after = interpreted.forward(captured.forward, sequences, initial, constants)
    assert same_bits(fired, spikes)
    for wanted, got in zip(states, after, strict=True):
        assert same_bits(got, wanted)
    weights = [torch.randn_like(x) for _ in (fired, *after)]
    results, weighted = zip(
        *((y, w) for y, w in zip((spikes, *states), weights, strict=True) if y.requires_grad),
        strict=True,
    )
    learned = [i for i, y in enumerate(own) if y.requires_grad]
    wanted = gradients_of(results, [*inputs, *(own[i] for i in learned)], weighted)
    with torch.no_grad():
        of_sequences, of_states, of_constants, sizes = interpreted.backward(
            captured, sequences, initial, constants, weights
        )
    actual = [of_sequences[0], *of_states, *(of_constants[i] for i in learned)]
    scales = [*actual[: 1 + len(initial)], *(sizes[i] for i in learned)]
    for want, got, scale in zip(wanted, actual, scales, strict=True):
        assert (got - want).abs().max() <= NEAR * scale.abs().max().clamp(min=1e-30), want.shape
    return fired.ne(0).float().mean().item()


@pytest.mark.parametrize("case, reset, delay", LAYERS)
def test_program_is_step(case, reset, delay):
    share = assert_program(case.neuron(33, reset, delay), *case.inputs(25, 3, 33))
    assert 0.003 < share < 0.9


def test_program_of_what_does_not_fire():
    neuron = snn.LI(torch.rand(33), learn_beta=True)
    assert_program(neuron, torch.randn(25, 3, 33), [torch.randn(3, 33)])


@pytest.mark.parametrize("case", [*CASES, *IN_TORCH], ids=str)
def test_gradient_of_the_reset(case):
    neuron = case.neuron(33, *case.resets()[0], detach_reset=False)
    assert_program(neuron, *case.inputs(12, 2, 33))


@pytest.mark.parametrize("reset, delay", RESETS)
@pytest.mark.parametrize("options", [{"fire_at": "ge"}, {"spike_range": (-1, 2)}], ids=str)
def test_other_spikes(reset, delay, options):
    neuron = CASES[0].neuron(33, reset, delay, **options)
    x, initial = CASES[0].inputs(12, 2, 33)
    with torch.no_grad():
        x[0, 0, :9] = neuron.threshold[:9] - neuron.beta[:9].clamp(0, 1) * initial[0][0, :9]
    assert_program(neuron, x, initial)


def cut(x, grad, spikes):
    """A gradient of the user's own, with what depends on spikes."""
    return torch.where(spikes > 0, grad, grad * (x / 2).cosh().reciprocal().clamp(max=0.5))


def plain(x, grad, spikes):
    """Likewise, of operations that programs have."""
    return torch.where(spikes > 0, grad, grad * torch.exp(-x.abs()).clamp(max=0.5))


ALL_SURROGATES = (
    *SURROGATES,
    surrogate.ATan(normalized=True),
    surrogate.SparseFastSigmoid(legacy=True),
    surrogate.SpikeRateEscape(centered=True),
    surrogate.custom_surrogate(plain),
    surrogate.Learnable(surrogate.fast_sigmoid(slope=2.0)),
    surrogate.Learnable(surrogate.erfc()),
)


@pytest.mark.parametrize("surrogate_", ALL_SURROGATES, ids=lambda x: repr(x)[:40])
def test_surrogates(surrogate_):
    neuron = CASES[0].neuron(33, "subtract", True, spike_grad=surrogate_)
    assert_program(neuron, *CASES[0].inputs(12, 2, 33))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_steps_of_any_shape(shape):
    neuron = snn.Leaky(beta=torch.rand(shape[-1:]), learn_beta=True, threshold=0.6)
    x = torch.randn(6, *shape)
    captured = program.capture(neuron, rank=len(shape))
    spikes, states, _ = run_reference(neuron, x, [torch.zeros(shape)], True, True)
    fired, after = interpreted.forward(
        captured.forward, [x], [torch.zeros(shape)], captured.constants(neuron, x.device)
    )
    assert same_bits(fired, spikes) and same_bits(after[0], states[0])


REFUSED = {
    "GLIF has states of another shape than its input": lambda: snn.GLIF(T=4),
    "SRM0 has states of another shape than its input": lambda: snn.SRM0([1.0, 0.5], [0.5]),
    "SGRU has states of another shape than its input": lambda: snn.SGRU(3, 4),
    "SLSTM has states of another shape than its input": lambda: snn.SLSTM(3, 4),
    "SConv2dLSTM has states of another shape than its input": lambda: snn.SConv2dLSTM(1, 2, 3),
    "SlidingPSN has states of another shape than its input": lambda: snn.SlidingPSN(3),
    "MaskedPSN has states of another shape than its input": lambda: snn.MaskedPSN(4, 2),
    "AssociativeLeaky has no step from states to states": lambda: snn.AssociativeLeaky(2, 3, 4),
    "PSN has no step from states to states": lambda: snn.PSN(4),
    "StateLeaky has no step from states to states": lambda: snn.StateLeaky(0.9, channels=4),
    "LinearLeaky has no step from states to states": lambda: snn.LinearLeaky(0.9, 3, 4),
    "LeakyParallel has no step from states to states": lambda: snn.LeakyParallel(3, 4),
    "step calls argmax, which couples the neurons of a layer": lambda: snn.Leaky(
        0.9, inhibition=True
    ),
    "step calls sort, which couples the neurons of a layer": lambda: snn.Leaky(
        0.9, inhibition=snn.KWTA(2)
    ),
    "the gradient of step draws random numbers": lambda: snn.Leaky(0.9, spike_grad=surrogate.SSO()),
    "step uses a tensor that is neither a parameter nor a buffer of the neuron": lambda: snn.Leaky(
        0.9, state_quant=snn.functional.quant.state_quant(4)
    ),
    "step calls cosh, which is no operation of programs": lambda: snn.Leaky(
        0.9, spike_grad=surrogate.custom_surrogate(cut)
    ),
}


@pytest.mark.filterwarnings("ignore:inhibition works on dense layers")
@pytest.mark.parametrize("reason", REFUSED)
def test_refused(reason):
    assert program.refusal(REFUSED[reason]()) == reason


def test_recurrent_layers_are_refused():
    neuron = snn.RLeaky(0.9, linear_features=5)
    assert program.refusal(neuron).startswith("step cannot be traced: ")


def test_every_neuron_is_here():
    known = {case.kind for case in (*CASES, *IN_TORCH)} | {snn.LI, snn.ScanLeaky}
    known |= {snn.LIF, snn.Neuron, snn.SpikingNeuron}  # bases
    refused = {reason.partition(" has ")[0] for reason in REFUSED if " has " in reason}
    neurons = {x for x in vars(snn.neurons).values() if isinstance(x, type)} - {snn.KWTA}
    assert {x.__name__ for x in neurons - known} == refused
    assert program.refusal(snn.ScanLeaky(0.9)) is None
