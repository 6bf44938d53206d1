"""Steps of one's own as programs: what is captured, what is refused, what is remembered."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import program
from bitspike.neurons.base.run import run_reference
from bitspike.program.tensors import tensors_of
from bitspike.program.translate import IN_PLACE
from helpers import interpreted
from helpers.compare import same_bits


class Own(snn.LIF):
    """A neuron whose step is a function of the test."""

    STATES = ("mem",)

    def __init__(self, update, **options):
        super().__init__(0.5, **options)
        self.update = update

    def step(self, current, mem):
        mem = self.update(self, current, mem)
        return self.fire(mem), (mem,)


def assert_equal(neuron, x, before, **asked):
    captured = program.capture(neuron, **asked)
    torch.manual_seed(3)
    spikes, states, _ = run_reference(neuron, x, [before], True, True)
    torch.manual_seed(3)
    sequences = [x, *captured.drawn(x)]
    fired, after = interpreted.forward(
        captured.forward, sequences, [before], captured.constants(neuron, x.device)
    )
    assert same_bits(fired, spikes) and same_bits(after[0], states[0])
    return captured


def in_place(neuron, current, mem):
    mem = mem * neuron.beta
    other = mem.detach()
    mem += current
    mem.clamp_(max=2.0).mul_(0.5)
    filled = torch.zeros_like(mem)
    filled.copy_(current).add_(1)
    return mem + filled.fill_(0.25) * other


def powers(neuron, current, mem):
    return mem**2 - mem**3 + 1 / (1 + mem**-2) + current.abs() ** 0.5


def masks(neuron, current, mem):
    high = (mem > 0.5) & ~(current < 0)
    mem = torch.where(high, mem - 1, current).masked_fill(mem.isnan() | mem.isinf(), 0.0)
    return torch.heaviside(mem.detach(), current.detach()) + mem * high


def bounds(neuron, current, mem):
    mem = torch.clamp(mem, min=current, max=neuron.threshold)
    return nn.functional.leaky_relu(mem, 0.3) + nn.functional.hardtanh(current) - mem.round()


def axes(neuron, current, mem):
    beta = neuron.beta.expand(current.shape).unsqueeze(0).squeeze(0)
    return beta * mem + current.view(current.shape)


def noisy(neuron, current, mem):
    first, second = torch.rand_like(mem), torch.rand(mem.shape)
    return mem * neuron.beta + current * (first < 0.5) + second


def flat(neuron, current, mem):
    """Functions whose gradients are 0 and made of no other."""
    both = neuron.beta + neuron.threshold
    return mem + torch.floor(current * neuron.beta) + torch.sign(both) * current + both.round()


@pytest.mark.parametrize("update", [in_place, powers, masks, bounds, noisy, flat])
def test_steps(update):
    x = torch.randn(9, 3, 37)
    x[2, 0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    assert_equal(Own(update), x, torch.randn(3, 37))


def test_a_step_of_more_axes_than_its_input_is_refused():
    reason = "step makes tensors of more axes than its input has"
    assert program.refusal(Own(axes)) == reason


def counts(neuron, current, mem):
    neuron.count = neuron.count + 1
    return mem + current


def keeps(neuron, current, mem):
    neuron.last = mem
    return mem + current


KEPT = torch.ones(3)
REFUSED = {
    "step calls sum, which couples the neurons of a layer": lambda n, x, mem: mem + x.sum(-1)[0],
    "step calls _softmax, which couples the neurons of a layer": lambda n, x, mem: (
        x + mem.softmax(-1)
    ),
    "step calls cat, which couples the neurons of a layer": lambda n, x, mem: (
        x + torch.cat([mem, x])[1:-1]
    ),
    "step makes a tensor that has not one number for each neuron": lambda n, x, mem: (
        mem @ torch.zeros(x.shape[1], x.shape[1])
    ),
    "step moves numbers from one neuron to another": lambda n, x, mem: mem + x.T.reshape(x.shape),
    "step calls flip, which couples the neurons of a layer": lambda n, x, mem: mem + x.flip(0),
    "the numbers of a tensor decide what step does": lambda n, x, mem: mem if x.max() > 1 else x,
    "step computes with the size of its input": lambda n, x, mem: mem + x / x.shape[-1],
    "step computes in torch.float64, and programs in float32": lambda n, x, mem: (
        mem.double() + x
    ).float(),
    "step computes with integers": lambda n, x, mem: mem + x.int(),
    "step uses a tensor that is neither a parameter nor a buffer of the neuron": lambda n, x, mem: (
        mem + KEPT * x
    ),
    "step returns something else than [2, 3] of float32": lambda n, x, mem: n.beta,
    IN_PLACE: lambda n, x, mem: mem.mul_(2) + x,
    "torch rounds x + 0.3 * y once, as add(x, y, alpha=0.3)": lambda n, x, mem: torch.add(
        mem, x, alpha=0.3
    ),
    "torch rounds addcmul once: write x + y * z": lambda n, x, mem: torch.addcmul(mem, x, x),
    "of powers, programs have the exponents -2, -1, 0, 0.5, 1, 2 and 3": lambda n, x, mem: mem**4,
    "step changes last, an attribute of the neuron": keeps,
    "step cannot be traced: 'Own' object has no attribute 'count'": counts,
    "step cannot be traced: integer division or modulo by zero": lambda n, x, mem: mem / (1 // 0),
    "random numbers must be torch's, one for each neuron": lambda n, x, mem: mem * torch.rand(3),
    "step calls randn_like, which is no operation of programs": lambda n, x, mem: (
        mem + torch.randn_like(x)
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(reason):
    neuron = Own(REFUSED[reason])
    before = dict(vars(neuron))
    assert program.refusal(neuron) == reason
    with pytest.raises(program.ProgramError) as caught:
        program.capture(neuron)
    assert str(caught.value) == reason
    assert vars(neuron) == before


def test_what_step_appends_to_is_noticed():
    seen = []
    neuron = Own(lambda n, x, mem: (seen.append(len(seen)), mem + x)[1])
    assert program.refusal(neuron) == "step changes what the neuron refers to"


def test_a_replaced_method_is_refused():
    neuron = snn.Leaky(0.9)
    neuron.fire = lambda mem: mem * 0
    reason = "fire was replaced on this Leaky, and may do more than compute"
    assert program.refusal(neuron) == reason


def test_the_neuron_is_as_before():
    neuron = snn.Leaky(beta=torch.rand(4), learn_beta=True, spike_grad=snn.surrogate.Disabled())
    before = {name: (x, x.clone()) for name, x in tensors_of(neuron).items()}
    program.capture(neuron)
    for name, x in tensors_of(neuron).items():
        held, values = before[name]
        assert x is held and torch.equal(x, values)


def leaky(**options):
    return snn.Leaky(**{"beta": 0.9} | options)


def test_captured_once():
    """The numbers of tensors, and sizes, do not matter."""
    found = program.capture(leaky(beta=torch.rand(5), learn_beta=True))
    assert program.capture(leaky(beta=torch.rand(7), learn_beta=True, threshold=0.3)) is found
    same = leaky(beta=torch.rand(5), learn_beta=True, spike_grad=snn.surrogate.atan())
    assert program.capture(same) is found


def scaled(factor):
    return snn.surrogate.custom_surrogate(lambda x, grad, spikes: grad * factor)


@pytest.mark.parametrize(
    "options",
    [
        {"reset_mechanism": "zero"},
        {"reset_delay": False},
        {"spike_grad": snn.surrogate.atan(alpha=3.0)},
        {"spike_grad": snn.surrogate.sigmoid()},
        {"spike_grad": scaled(2.0)},
        {"spike_range": (0, 2)},
        {"fire_at": "ge"},
        {"detach_reset": False},
        {"beta": torch.rand(1, 5)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_captured_anew(options):
    assert program.capture(leaky(**options)) is not program.capture(leaky())


def test_numbers_in_closures_and_options_that_change():
    first, second = (program.capture(leaky(spike_grad=scaled(factor))) for factor in (2.0, 3.0))
    assert first.adjoint != second.adjoint and first.forward == second.forward
    neuron = leaky()
    delayed = program.capture(neuron).forward
    neuron.reset_mechanism = "none"
    assert program.capture(neuron).forward != delayed


def test_random_numbers_of_a_sequence_are_those_of_its_steps():
    for count in (1, 7, 15, 16, 33):
        torch.manual_seed(5)
        wanted = [[torch.rand_like(torch.empty(2, count)) for _ in "ab"] for _ in range(6)]
        torch.manual_seed(5)
        drawn = torch.rand(6, 2, 2, count)
        assert torch.equal(torch.stack([torch.stack(pair) for pair in wanted]), drawn)


def test_without_gradient():
    """`EscapeLeaky` asks whether a membrane requires a gradient."""
    x, rest = torch.randn(9, 3, 17), torch.zeros(3, 17)
    with torch.no_grad():
        neuron = snn.EscapeLeaky(0.9)
        captured = program.capture(neuron, gradient=False)
        torch.manual_seed(3)
        spikes, *_ = run_reference(neuron, x, [rest, rest], True, True)
        torch.manual_seed(3)
        fired, _ = interpreted.forward(
            captured.forward,
            [x, *captured.drawn(x)],
            [rest, rest],
            captured.constants(neuron, x.device),
        )
    assert captured.adjoint is None and same_bits(fired, spikes)
    assert captured.forward != program.capture(neuron).forward


def test_programs_read_like_equations():
    neuron = snn.Leaky(0.9, reset_mechanism="zero", spike_grad=snn.surrogate.heaviside())
    captured = program.capture(neuron)
    assert str(captured.forward) == (
        "step(current | mem | threshold, graded_spikes_factor, beta):\n"
        "  mem' = minimum(1, maximum(0, beta)) * ((1 - (mem > threshold)) * mem) + current\n"
        "  spikes = (mem' > threshold) * graded_spikes_factor"
    )
    assert str(captured.adjoint).splitlines()[0] == (
        "step(current, mem, grad_spikes, grad_mem | later_mem | "
        "threshold, graded_spikes_factor, beta):"
    )


def test_parametrised_decay():
    class Squashed(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x)

    neuron = snn.Leaky(torch.randn(6), learn_beta=True)
    nn.utils.parametrize.register_parametrization(neuron, "beta", Squashed())
    captured = assert_equal(neuron, torch.randn(5, 2, 6), torch.randn(2, 6))
    assert "parametrizations.beta.original" in captured.forward.constants


def test_differences_are_compared_without_subtracting():
    """Also where they are no numbers, or next to nothing."""
    inf, least = float("inf"), 1.4e-45
    numbers = torch.tensor([0.0, -0.0, least, -least, 1.0, 3e38, -3e38, inf, -inf, float("nan")])
    grid = torch.cartesian_prod(numbers, numbers)
    for update in (
        lambda self, x, mem: (x - mem > 0) * 1.0,
        lambda self, x, mem: (x - mem < 0) * 1.0,
    ):
        found = assert_equal(Own(update), grid[:, :1].T[None], grid[:, 1:].T)
        assert found.forward.code[0].op in ("gt", "lt")
