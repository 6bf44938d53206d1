"""The native kernel of `Leaky` against its specification, `Leaky.step` in torch."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bitspike as snn
from bitspike.ops import _native
from helpers import replay
from helpers.compare import RESETS, SURROGATES, dense, same_bits

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

LEARNABLE = ("beta", "threshold", "graded_spikes_factor")
RESET_NAMES = [f"{mechanism}, {'delayed' if delay else 'at once'}" for mechanism, delay in RESETS]

all_resets = pytest.mark.parametrize("mechanism, delay", RESETS, ids=RESET_NAMES)


def leaky(mechanism="subtract", delay=True, **arguments):
    arguments = dict(beta=0.9, threshold=0.7, multi_step=True) | arguments
    return snn.Leaky(**arguments, reset_mechanism=mechanism, reset_delay=delay)


def run(neuron, x, mem=None, reference=False):
    """Spikes, membranes and last membrane, all of them with gradients."""
    return replay.run(neuron, x, [torch.zeros(x.shape[1:]) if mem is None else mem], reference)


def assert_equals_reference(neuron, x, mem=None):
    with torch.no_grad():
        wanted, actual = run(neuron, x, mem, reference=True), run(neuron, x, mem)
    for name, w, a in zip(("spikes", "membranes", "last"), wanted, actual, strict=True):
        assert same_bits(w, a), name


# Forward


@all_resets
@pytest.mark.parametrize("neurons", [1, 10, 63, 64, 65, 130])
def test_widths(mechanism, delay, neurons):
    for beta in (0.8, torch.rand(neurons)):
        neuron = leaky(mechanism, delay, beta=beta)
        assert_equals_reference(neuron, torch.randn(15, 3, neurons), torch.randn(3, neurons))


@all_resets
@pytest.mark.parametrize("step", [(3, 33), (33,), (), (2, 3, 5, 7), (1, 1), (3, 0), (0, 4), (0,)])
@pytest.mark.parametrize("steps", [0, 1, 9])
def test_shapes(mechanism, delay, step, steps):
    for factor in (1.0, 1.5):
        neuron = leaky(mechanism, delay, graded_spikes_factor=factor)
        x = torch.randn(steps, *step)
        assert_equals_reference(neuron, x)
        spikes, membranes = neuron(x)
        assert spikes.shape == membranes.shape == x.shape
        assert isinstance(spikes, snn.SpikeTensor) == (factor == 1)
        assert neuron.mem.shape == step


LAYOUTS = {
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "every second": lambda x: torch.stack([x, -x], -1).flatten(2)[..., ::2],
    "offset": lambda x: torch.cat([x[:1], x])[1:],
    "unaligned": lambda x: torch.cat([torch.zeros(1), x.flatten()])[1:].view(x.shape),
    "the same at all steps": lambda x: x[:1].expand_as(x),
    "the same for all samples": lambda x: x[:, :1].expand_as(x),
    "the same for all neurons": lambda x: x[..., :1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    x = LAYOUTS[layout](torch.randn(11, 6, 70))
    mem = LAYOUTS[layout](torch.randn(1, 6, 70))[0]
    for beta in (0.9, torch.rand(70)):
        neuron = leaky(beta=beta)
        assert_equals_reference(neuron, x, mem)
        contiguous, strided = (
            [y.clone(memory_format=form).requires_grad_() for y in (x, mem)]
            for form in (torch.contiguous_format, torch.preserve_format)
        )
        for inputs in (contiguous, strided):
            spikes, membranes, _ = run(neuron, *inputs)
            (spikes.sum() + membranes.sum()).backward()
        for a, b in zip(contiguous, strided, strict=True):
            assert same_bits(a.grad, b.grad.contiguous())


PARAMETER_SHAPES = [(), (1,), (5, 1, 1), (5, 3, 3), (4, 1, 1, 1), (4, 5, 3, 3), (1, 5, 1, 3)]


@all_resets
@pytest.mark.parametrize("shape", PARAMETER_SHAPES)
def test_parameters_that_broadcast(mechanism, delay, shape):
    arguments = {f"learn_{name}": True for name in LEARNABLE}
    neuron = leaky(
        mechanism,
        delay,
        beta=torch.rand(shape),
        threshold=torch.rand(shape) + 0.1,
        graded_spikes_factor=torch.rand(shape) + 0.5,
        **arguments,
    )
    x, mem = torch.randn(9, 4, 5, 3, 3), torch.rand(4, 5, 3, 3)
    assert_equals_reference(neuron, x, mem)
    check_gradients(neuron, x, mem, "both")


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_layer(data):
    mechanism, delay = data.draw(st.sampled_from(RESETS))
    step = data.draw(st.lists(st.integers(0, 6), max_size=3))
    steps = data.draw(st.integers(0, 8))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))

    def parameter():
        axes = step[data.draw(st.integers(0, len(step))) :]
        shape = [size if data.draw(st.booleans()) else 1 for size in axes]
        return torch.randn(shape, generator=generator)

    neuron = leaky(
        mechanism,
        delay,
        beta=parameter(),
        threshold=parameter(),
        graded_spikes_factor=parameter(),
        spike_grad=data.draw(st.sampled_from(SURROGATES)),
    )
    x = torch.randn(steps, *step, generator=generator)
    assert_equals_reference(neuron, x, torch.randn(step, generator=generator))


# The same bits everywhere


def everything(neuron, x, mem, to_spikes, to_membranes):
    """All results of forward and backward."""
    neuron = copy.deepcopy(neuron)
    x, mem = x.clone().requires_grad_(), mem.clone().requires_grad_()
    spikes, membranes, last = run(neuron, x, mem)
    loss = (spikes * to_spikes).sum() + (membranes * to_membranes).sum() + last.sum()
    learned = list(neuron.parameters())
    return [dense(spikes), membranes, last, *torch.autograd.grad(loss, [x, mem, *learned])]


def layer(mechanism, delay, surrogate_, parameters, shape):
    """A layer, its inputs and random gradients of its outputs."""
    steps, samples, neurons = shape
    arguments = dict(beta=0.9, threshold=0.7)
    if parameters == "per neuron":
        arguments = dict(beta=torch.rand(neurons), threshold=torch.rand(neurons))
    elif parameters == "per sample":
        arguments = dict(beta=torch.rand(samples, 1), threshold=torch.rand(samples, neurons))
    arguments |= {f"learn_{name}": True for name in LEARNABLE}
    neuron = leaky(mechanism, delay, spike_grad=surrogate_, **arguments)
    mem = torch.randn(samples, neurons)
    return neuron, torch.randn(steps, *mem.shape), mem, *torch.randn(2, steps, *mem.shape)


@all_resets
@pytest.mark.parametrize("parameters", ["one", "per neuron", "per sample"])
def test_instruction_sets(mechanism, delay, parameters, force_isa):
    for surrogate_ in SURROGATES:
        case = layer(mechanism, delay, surrogate_, parameters, (7, 5, 150))
        case[1][3, 4, 5:9] = torch.tensor([float("nan"), float("inf"), 1e-40, -0.0])
        force_isa("scalar")
        wanted = everything(*case)
        for isa in _native.describe()["isas"]:
            force_isa(isa)
            for w, a in zip(wanted, everything(*case), strict=True):
                assert same_bits(w, a), (isa, surrogate_)


# Gradients


LOSSES = {
    "spikes": lambda s, m, last, a, b: (s * a).sum(),
    "membranes": lambda s, m, last, a, b: (m * b).sum(),
    "both": lambda s, m, last, a, b: (s * a).sum() + (m * b).sum(),
    "last": lambda s, m, last, a, b: (last * a[0]).sum(),
    "expanded": lambda s, m, last, a, b: s.sum() + m.sum(),
}


def check_gradients(neuron, x, mem, *sources):
    """Native gradients against autograd's of the specification in float64, to 1e-5."""
    native = copy.deepcopy(neuron)
    inputs = x.clone().requires_grad_(), mem.clone().requires_grad_()
    results = run(native, *inputs)
    wanted_inputs, wanted_results = replay.specification(neuron, x, [mem])
    a, b = torch.randn(2, *x.shape)
    names = [name for name, _ in native.named_parameters()]
    for source in sources:
        actual = torch.autograd.grad(
            LOSSES[source](*results, a, b),
            [*inputs, *native.parameters()],
            retain_graph=True,
            allow_unused=True,
        )
        wanted = torch.autograd.grad(
            LOSSES[source](*wanted_results, a.double(), b.double()),
            wanted_inputs,
            retain_graph=True,
            allow_unused=True,
        )
        for name, got, want in zip(("input", "mem", *names), actual, wanted, strict=True):
            if want is None:
                assert got is None or not got.any(), (source, name)
                continue
            got = torch.zeros_like(want) if got is None else got
            # float32 rounds each contribution to a sum, however small the sum is.
            scale = want.abs().sum_to_size(got.shape).max().clamp(min=1e-30)
            worst = (got.double() - want.sum_to_size(got.shape)).abs().max() / scale
            assert worst < 1e-5, (source, name, got.dtype)


@all_resets
@pytest.mark.parametrize("surrogate_", SURROGATES, ids=str)
def test_gradients(mechanism, delay, surrogate_):
    x, mem = torch.randn(8, 5, 70) * 0.8, torch.randn(5, 70)
    for learned in ((), *((name,) for name in LEARNABLE), LEARNABLE):
        neuron = leaky(
            mechanism,
            delay,
            beta=torch.rand(70),
            threshold=torch.rand(()) + 0.3,
            graded_spikes_factor=1.3,
            spike_grad=surrogate_,
            **{f"learn_{name}": True for name in learned},
        )
        every = learned in ((), LEARNABLE)
        check_gradients(neuron, x, mem, *(LOSSES if every else ["both"]))


@all_resets
def test_gradients_through_packed_spikes(mechanism, delay):
    x, mem = torch.randn(20, 4, 70), torch.randn(4, 70)
    neuron = leaky(mechanism, delay, learn_beta=True, learn_threshold=True)
    assert isinstance(run(neuron, x, mem)[0], snn.SpikeTensor)
    check_gradients(neuron, x, mem, *LOSSES)


@pytest.mark.parametrize("shape", [(0, 3, 5), (4, 0, 5), (4, 3, 0)])
def test_gradients_of_nothing(shape):
    neuron = leaky(learn_beta=True, learn_threshold=True)
    x = torch.randn(shape, requires_grad=True)
    mem = torch.randn(shape[1:], requires_grad=True)
    spikes, membranes, last = run(neuron, x, mem)
    (spikes.sum() + membranes.sum() + last.sum()).backward()
    assert x.grad.shape == x.shape
    # Without steps the last membrane is the first one.
    assert mem.grad.equal(torch.ones_like(mem) * float(shape[0] == 0))
    assert neuron.beta.grad.item() == neuron.threshold.grad.item() == 0


def test_decay_outside_its_range_has_no_gradient():
    neuron = leaky(beta=torch.tensor([-0.1, 0.5, 1.2]), learn_beta=True)
    _, membranes = neuron(torch.rand(10, 2, 3))
    membranes.sum().backward()
    assert (neuron.beta.grad != 0).tolist() == [False, True, False]


def test_only_what_is_asked_for_gets_a_gradient():
    neuron = leaky(learn_threshold=True)
    x, mem = torch.rand(10, 2, 3), torch.rand(2, 3, requires_grad=True)
    spikes, _ = neuron(x, mem)
    spikes.sum().backward()
    assert mem.grad is not None and neuron.threshold.grad is not None and x.grad is None


def test_truncated_backpropagation():
    neuron = leaky(init_hidden=True, output=True)
    x = torch.randn(20, 3, 5, requires_grad=True)
    neuron(x[:10])
    snn.Leaky.detach_hidden()
    _, membranes = neuron(x[10:])
    membranes.sum().backward()
    assert not x.grad[:10].any() and x.grad[10:].all()
