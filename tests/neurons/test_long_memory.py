"""What neurons of long memory have in common: gradients, packed spikes, dtypes, files, states."""

import io

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.compare import dense, error

T, B, N = 6, 2, 3
SMOOTH = surrogate.ATan(0.5)
LEARNED = dict(learn_tau=True, learn_tau_exc=True, learn_tau_inh=True, learn_e_exc=True)

NEURONS = {
    "ModulatedLeaky": lambda **k: snn.ModulatedLeaky(
        torch.tensor([0.3, 0.6, 0.9]), gain=0.7, learn_rho=True, **k
    ),
    "CLIF": lambda **k: snn.CLIF(0.8, learn_beta=True, **k),
    "GLIF": lambda **k: snn.GLIF(T, N, **k),
    "TCLIF": lambda **k: snn.TCLIF(0.3, 0.6, learn_gamma=True, **k),
    "CobaLIF": lambda **k: snn.CobaLIF(dt=2.0, **LEARNED, **k),
    "MaskedPSN": lambda **k: snn.MaskedPSN(T, 4, **k),
    "SlidingPSN": lambda **k: snn.SlidingPSN(4, **k),
    "ScanLeaky": lambda **k: snn.ScanLeaky(0.8, learn_beta=True, **k),
    "PSN": lambda **k: snn.PSN(T, **{x: v for x, v in k.items() if x != "init_hidden"}),
}
STREAMING = [name for name in NEURONS if name != "PSN"]
neurons = pytest.mark.parametrize("name", NEURONS)
streaming = pytest.mark.parametrize("name", STREAMING)


def alive(make, **options):
    """A neuron with random weights, and an input at which it fires sometimes."""
    neuron = make(multi_step=True, **options)
    if hasattr(neuron, "weight"):
        with torch.no_grad():
            neuron.weight.normal_()
    x = torch.randn(T, B, N) * 2
    for _ in range(10):
        spikes = first(neuron(x))
        if hasattr(neuron, "reset_mem"):
            neuron.reset_mem()
        if 0.1 < spikes.mean() < 0.9:
            return neuron, x
        x = torch.randn(T, B, N) * 2
    raise AssertionError("no living network was found")


def first(result):
    return dense(result if isinstance(result, torch.Tensor) else result[0])


@streaming
def test_gradcheck(name, monkeypatch):
    """A smooth function in place of the step; the detached reset flag must not depend on inputs."""
    flags = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    monkeypatch.setattr(snn.SpikingNeuron, "mem_reset", lambda self, mem: flags)
    neuron = NEURONS[name](spike_grad=SMOOTH.primitive).double()
    x = torch.randn(4, B, N, dtype=torch.float64, requires_grad=True)
    shapes, rest = neuron.state_shapes(x.shape[1:]), neuron.rest()
    counts = [state == "t" for state in neuron.STATES]
    states = [
        torch.zeros(shape).double() if count else (torch.rand(shape) / 2 + value).double()
        for shape, count, value in zip(shapes, counts, rest, strict=True)
    ]
    leaves = [s for s, count in zip(states, counts, strict=True) if not count]
    for leaf in leaves:
        leaf.requires_grad_()
    names = [key for key, _ in neuron.named_parameters()]

    def outputs(x, *others):
        given = iter(others[: len(leaves)])
        now = [s if count else next(given) for s, count in zip(states, counts, strict=True)]
        values = dict(zip(names, others[len(leaves) :], strict=True))
        results = []
        for current in x:
            spikes, *now = torch.func.functional_call(neuron, values, (current, *now))
            results += [spikes, *now[-1:]]
        return torch.stack(results)

    parameters = [p.detach().clone().requires_grad_() for p in neuron.parameters()]
    assert torch.autograd.gradcheck(outputs, (x, *leaves, *parameters))


def test_gradcheck_of_a_whole_sequence():
    neuron = NEURONS["PSN"](spike_grad=SMOOTH.primitive, output=True).double()
    x = torch.randn(T, B, N)

    def outputs(x, weight, bias):
        values = dict(weight=weight, bias=bias)
        return torch.stack(torch.func.functional_call(neuron, values, (x,)))

    leaves = [y.detach().double().requires_grad_() for y in (x, neuron.weight, neuron.bias)]
    assert torch.autograd.gradcheck(outputs, leaves)


@neurons
def test_spikes_are_packed_and_packed_inputs_are_their_numbers(name):
    neuron, x = alive(NEURONS[name], init_hidden=True)
    spikes = (x > 0.5).float()
    results = []
    for given in (spikes, snn.SpikeTensor.from_dense(spikes)):
        result = neuron(given)
        assert isinstance(result, snn.SpikeTensor)
        results.append(result.dense())
        snn.utils.reset(neuron)
    assert torch.equal(*results)


@neurons
def test_float64_is_float32_with_more_digits(name):
    neuron, x = alive(NEURONS[name])
    results = neuron(x), neuron.double()(x.double())
    if name == "PSN":
        results = [(result,) for result in results]
    assert torch.equal(dense(results[0][0]).double(), results[1][0])
    for single, double in zip(results[0][1:], results[1][1:], strict=True):
        assert double.dtype == torch.float64 and error(single, double) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@neurons
def test_half_precision_keeps_its_states_in_float32(name, dtype):
    neuron, x = alive(NEURONS[name], init_hidden=True)
    wanted = neuron(x.to(dtype).float())
    snn.utils.reset(neuron)
    spikes = neuron(x.to(dtype))
    assert spikes.dtype == dtype and torch.equal(dense(spikes).float(), dense(wanted))
    assert all(getattr(neuron, s).dtype == torch.float32 for s in getattr(neuron, "STATES", ()))


@neurons
def test_files(name):
    neuron, x = alive(NEURONS[name], init_hidden=True)
    wanted = neuron(x)
    file = io.BytesIO()
    torch.save(neuron.state_dict(), file)
    file.seek(0)
    other = NEURONS[name](multi_step=True, init_hidden=True)
    with torch.no_grad():
        for p in other.parameters():
            p.add_(0.1)
    other.load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert torch.equal(dense(other(x)), dense(wanted))
    file = io.BytesIO()
    torch.save(other, file)
    file.seek(0)
    assert torch.equal(dense(torch.load(file, weights_only=False)(x)), dense(wanted))


@streaming
def test_steps_are_the_sequence_and_a_reset_begins_it_again(name):
    neuron, x = alive(NEURONS[name], init_hidden=True, output=True)
    whole, *states = neuron(x)
    neuron.multi_step = False
    for _ in range(2):
        snn.utils.reset(neuron)
        for t, current in enumerate(x):
            spikes, *now = neuron(current)
            assert torch.equal(spikes, dense(whole)[t])
            assert all(torch.equal(a, b[t]) for a, b in zip(now, states, strict=True))


@streaming
def test_gradients_of_steps_are_those_of_the_sequence(name):
    neuron, x = alive(NEURONS[name], init_hidden=True)
    grads = []
    for multi in (True, False):
        snn.utils.reset(neuron)
        neuron.multi_step, leaf = multi, x.clone().requires_grad_()
        spikes = neuron(leaf) if multi else torch.stack([neuron(current) for current in leaf])
        weights = torch.linspace(-1, 1, spikes.numel()).view(spikes.shape)
        learned = [leaf, *neuron.parameters()]
        grads.append(torch.autograd.grad((spikes * weights).sum(), learned, allow_unused=True))
    for one, other in zip(*grads, strict=True):
        assert one is other is None or error(one, other) < 1e-4
    assert grads[0][0].abs().sum() > 0


class Loop(torch.nn.Module):
    """A program with a loop of its own over time."""

    def __init__(self, neuron):
        super().__init__()
        self.fc, self.neuron = torch.nn.Linear(N, N), neuron

    def forward(self, x):
        snn.utils.reset(self)
        return torch.stack([self.neuron(self.fc(current)) for current in x])


@streaming
def test_a_loop_over_steps_is_vectorised(name):
    neuron, x = alive(NEURONS[name], init_hidden=True)
    neuron.multi_step = False
    net = Loop(neuron)
    with torch.no_grad():
        net.fc.weight.copy_(torch.eye(N))  # Products of several steps at once add in another order.
        wanted = net(x)
        assert torch.equal(dense(snn.vectorize(net)(x)), wanted) and wanted.any()


@neurons
def test_a_graded_factor_counts(name):
    neuron, x = alive(NEURONS[name])
    spikes = first(neuron(x))
    graded = NEURONS[name](multi_step=True, graded_spikes_factor=2.5)
    graded.load_state_dict(neuron.state_dict() | {"graded_spikes_factor": torch.tensor(2.5)})
    assert torch.equal(first(graded(x)), spikes * 2.5)


@neurons
def test_a_surrogate_of_ones_own_and_none(name):
    neuron, x = alive(NEURONS[name])
    spikes = first(neuron(x))
    neuron.spike_grad = lambda x: surrogate.atan()(x)
    assert torch.equal(first(neuron(x)), spikes)
    silent = NEURONS[name](multi_step=True, surrogate_disable=True)
    result = silent(x.requires_grad_())
    train = result if name == "PSN" else result[0]
    assert not train.requires_grad or not torch.autograd.grad(train.sum(), x)[0].any()
