"""Programs of neurons, against the leaky neurons that they describe."""

import math

import pytest
import torch
from torch.library import opcheck

import bitspike as snn
from bitspike import SpikeTensor, surrogate
from bitspike.ops import program
from bitspike.ops.call import OutputGradients
from bitspike.ops.program import Call, Inputs, Need
from bitspike.ops.straight_line import Instruction, Program, parse

# opcheck looks at gradients of tensors that are no leaves.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")

T, B, N = 9, 3, 70

LEAKY = Program(
    sequences=("current",),
    states=("mem",),
    constants=("beta", "threshold"),
    immediates=(),
    code=(
        Instruction("gt", (1, 3)),  # 4: the reset
        Instruction("mul", (2, 1)),
        Instruction("add", (5, 0)),
        Instruction("mul", (4, 3)),
        Instruction("sub", (6, 7)),  # 8: the membrane
        Instruction("gt", (8, 3)),  # 9: the spikes
    ),
    spikes=9,
    outputs=(),
    next=(8,),
)
ADJOINT = Program(
    sequences=("current", "mem", "grad_spikes", "grad_mem"),
    states=("carried",),
    constants=("beta", "threshold"),
    immediates=(math.pi, 1.0),
    code=(
        Instruction("gt", (1, 6)),  # 9: the reset
        Instruction("mul", (5, 1)),
        Instruction("add", (10, 0)),
        Instruction("mul", (9, 6)),
        Instruction("sub", (11, 12)),  # 13: the membrane
        Instruction("sub", (13, 6)),
        Instruction("mul", (14, 7)),
        Instruction("mul", (15, 15)),
        Instruction("add", (16, 8)),
        Instruction("reciprocal", (17,)),  # 18: the surrogate's derivative
        Instruction("mul", (2, 18)),  # 19: what passes the spike
        Instruction("add", (3, 4)),
        Instruction("add", (20, 19)),  # 21: the membrane's gradient
        Instruction("mul", (5, 21)),
        Instruction("mul", (21, 1)),
        Instruction("mul", (9, 21)),
        Instruction("add", (19, 24)),
        Instruction("neg", (25,)),
    ),
    spikes=None,
    outputs=(21,),
    next=(22,),
    sums=(23, 26),
)
WANTED = Need([True], True, [True, True])


def call(**kwargs):
    return Call(program.compile(LEAKY), adjoint=program.compile(ADJOINT), **kwargs)


def random(*shape):
    return torch.rand(shape) * 1.7 - 0.5


CURRENTS = {
    "contiguous": lambda: random(T, B, N),
    "batch first": lambda: random(B, T, N).transpose(0, 1),
    "expanded": lambda: random(B, N).expand(T, B, N),
    "strided": lambda: random(N, B, T).permute(2, 1, 0),
    "narrow": lambda: random(T, B, 5),
    "wide": lambda: random(T, 1, 1100),
    "images": lambda: random(T, B, 2, 4, 4),
    "no samples": lambda: random(T, 0, N),
    "no steps": lambda: random(0, B, N),
}


def layer(beta):
    learned = {"learn_beta": True, "learn_threshold": True, "spike_grad": surrogate.atan(2.0)}
    return snn.Leaky(beta=beta, threshold=1.0, multi_step=True, **learned)


@pytest.mark.parametrize("current", CURRENTS)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_forward_is_that_of_the_layer(current, per_neuron):
    x = CURRENTS[current]()
    mem = random(*x.shape[1:])
    beta = torch.rand(x.shape[2:]) if per_neuron else torch.tensor(0.9)
    lif = layer(beta)
    with torch.no_grad():
        spikes, states = lif(x, mem)
    inputs = Inputs([x], [mem], [beta, 1.0])
    run = call(sequence=True, packed=True, states=True)
    found = program.split(run, program.forward(run, inputs))
    spikes = torch.zeros(x.shape).add(spikes)
    words = SpikeTensor.from_dense(spikes.flatten(2)).words
    assert torch.equal(found.spikes, words)
    assert torch.equal(found.states[0], states)
    assert torch.equal(found.last[0], states[-1] if len(x) else mem)
    assert not found.outputs
    dense = program.forward(call(sequence=True), inputs)
    assert torch.equal(dense[0], spikes)
    assert x.numel() == 0 or 0 < dense[0].mean() < 1


@pytest.mark.parametrize("current", CURRENTS)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_gradients_are_those_of_the_layer(current, per_neuron):
    x = CURRENTS[current]().requires_grad_()
    mem = random(*x.shape[1:]).requires_grad_()
    lif = layer(torch.rand(x.shape[2:]) if per_neuron else torch.tensor(0.9))
    spikes, states = lif(x, mem)
    grads = OutputGradients(torch.randn(x.shape), [torch.randn(x.shape)], [None])
    leaves = (x, mem, lif.beta, lif.threshold)
    expected = torch.autograd.grad((spikes, states), leaves, (grads.spikes, grads.states[0]))
    inputs = Inputs([x.detach()], [mem.detach()], [lif.beta.detach(), lif.threshold.detach()])
    for found, grad in zip(
        program.backward(call(sequence=True), inputs, grads, WANTED), expected, strict=True
    ):
        assert found.shape == grad.shape
        scale = grad.abs().max().clamp(min=1).item() if grad.numel() else 1.0
        torch.testing.assert_close(found, grad, rtol=2e-5, atol=2e-5 * scale)


def test_what_is_not_wanted_is_not_computed():
    inputs = Inputs([random(T, B, N)], [random(B, N)], [torch.rand(N), torch.tensor(1.0)])
    grads = OutputGradients(torch.randn(T, B, N), [None], [torch.randn(B, N)])
    run = call(sequence=True)
    every = program.backward(run, inputs, grads, WANTED)
    for need in (Need([False], True, [False, True]), Need([True], False, [True, False])):
        found = program.backward(run, inputs, grads, need)
        wanted = [*need.sequences, need.initial, *need.constants]
        for x, full, is_wanted in zip(found, every, wanted, strict=True):
            assert torch.equal(x, full) if is_wanted else x is None


@pytest.mark.parametrize("shape", [(N,), (B, N), (B, 2, 4, 4), (B, 1)])
def test_a_single_step(shape):
    x, mem = random(*shape), random(*shape)
    for beta in (0.9, torch.tensor(0.9), torch.rand(shape[1:])):
        reset = (mem > 1).float()
        u = beta * mem + x - reset
        spikes, last = program.forward(call(sequence=False), Inputs([x], [mem], [beta, 1.0]))
        assert torch.equal(last, u) and torch.equal(spikes, (u > 1).float())
        grads = OutputGradients(torch.randn(shape), [None], [torch.randn(shape)])
        inputs = Inputs([x], [mem], [beta, 1.0])
        to_x, to_mem, to_beta, _ = program.backward(call(sequence=False), inputs, grads, WANTED)
        delta = grads.last[0] + grads.spikes / (1 + (math.pi * (u - 1)) ** 2)
        torch.testing.assert_close(to_x, delta, rtol=2e-5, atol=2e-5)
        torch.testing.assert_close(to_mem, delta * beta, rtol=2e-5, atol=2e-5)
        total = (delta * mem).sum_to_size(to_beta.shape)
        torch.testing.assert_close(to_beta, total, rtol=2e-5, atol=2e-4)


ELEMENTWISE = [
    *("add sub mul div neg abs reciprocal minimum maximum gt ge lt le eq ne where".split()),
    *("logical_and logical_or logical_not floor ceil round trunc sign".split()),
]
# Torch's own are off by a bit here and there; its square root too, where MKL computes it.
FUNCTIONS = "sqrt exp expm1 log log1p tanh sigmoid sin cos tan atan erf".split()


@pytest.mark.isa
@pytest.mark.parametrize("op", ELEMENTWISE + FUNCTIONS)
def test_operations_are_those_of_torch(op):
    special = torch.tensor([0.0, -0.0, 1.0, 0.5, 2.5, math.inf, -math.inf, math.nan, 1e-40, 3e38])
    pairs = torch.cat([torch.cartesian_prod(special, special), torch.randn(500, 2) * 3])
    x = [*pairs.T.contiguous(), torch.randn(len(pairs))]
    arity = {"where": 3}.get(op, 2 if op in "add sub mul div minimum maximum".split() else 0)
    arity = arity or (2 if op in "gt ge lt le eq ne logical_and logical_or".split() else 1)
    operands = tuple(range(arity))
    one = Program(tuple("abc"), (), (), (), (Instruction(op, operands),), None, (3,), ())
    (found,) = program.forward(Call(program.compile(one), sequence=False), Inputs(x, [], []))
    if op == "where":
        expected = torch.where(x[0] != 0, x[1], x[2])
    elif op in FUNCTIONS:
        expected = getattr(torch, op)(x[0].double()).float()
        # The nearest float or next to it; the sigmoid has torch's bits, which are one more off.
        floats = 2 if op == "sigmoid" else 1
        near = (found - expected).abs() <= floats * torch.finfo(torch.float32).eps * expected.abs()
        assert (near | (found == expected) | (found.isnan() & expected.isnan())).all()
        return
    else:
        expected = getattr(torch, op)(*x[:arity]).float()
    same = found.view(torch.int32) == expected.view(torch.int32)
    assert (same | (found.isnan() & expected.isnan())).all()


def test_text_says_what_a_program_is():
    assert parse(LEAKY.text()) == LEAKY
    for number in (0.0, -0.0, math.inf, 0.1):
        constant = LEAKY._replace(immediates=(number,))
        parsed = parse(constant.text()).immediates[0]
        assert math.copysign(1, parsed) == math.copysign(1, number) and parsed == number
    with pytest.raises(ValueError, match="not the text of a program"):
        parse("[1, 2]")


def test_programs_that_differ_in_a_sign_are_not_mixed_up():
    for zero in (0.0, -0.0):
        copied = Program(("x",), (), (), (zero,), (Instruction("add", (1, 1)),), None, (2,), ())
        run = Call(program.compile(copied), sequence=False)
        (found,) = program.forward(run, Inputs([torch.ones(3)], [], []))
        assert (found.signbit() == (math.copysign(1, zero) < 0)).all()


BAD = {
    "instruction 0: there is no operation named 'fma'": {"code": (Instruction("fma", (0, 1, 2)),)},
    "instruction 0, add, has 1 operands": {"code": (Instruction("add", (0,)),)},
    "instruction 0, neg, reads value 4": {"code": (Instruction("neg", (4,)),)},
    "the value of the spikes is 10": {"spikes": 10},
    "next holds 0 elements": {"next": ()},
    "one sequence at least": {"sequences": ()},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_programs(message):
    with pytest.raises(ValueError, match=message.replace("'", '"')):
        program.compile(LEAKY._replace(**BAD[message]))


def test_bad_calls():
    x, mem = random(T, B, N), random(B, N)
    run = call(sequence=True)
    with pytest.raises(ValueError, match="an initial state has the shape|an initial state has"):
        program.forward(run, Inputs([x], [mem[0]], [0.9, 1.0]))
    with pytest.raises(ValueError, match="constants holds 1 elements"):
        program.forward(run, Inputs([x], [mem], [0.9]))
    with pytest.raises(TypeError, match="a sequence must be torch.float32"):
        program.forward(run, Inputs([x.double()], [mem], [0.9, 1.0]))
    grads = OutputGradients(x, [None], [None])
    with pytest.raises(ValueError, match="without its adjoint"):
        inputs = Inputs([x], [mem], [0.9, 1.0])
        program.backward(run._replace(adjoint=None), inputs, grads, WANTED)
    with pytest.raises(ValueError, match="need tells of 1 constants, but there are 2"):
        program.backward(run, inputs, grads, Need([True], True, [True]))
    with pytest.raises(ValueError, match="an adjoint of this program has 4 sequences, not 1"):
        program.backward(run._replace(adjoint=run.compiled), inputs, grads, WANTED)


@pytest.mark.parametrize("packed, states", [(True, True), (False, False)])
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
def test_operator_forward(packed, states, grad):
    tensors = (
        [random(T, B, N).requires_grad_(grad)],
        [random(B, N).requires_grad_(grad)],
        [torch.rand(N).requires_grad_(grad), torch.ones((), requires_grad=grad)],
    )
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    used = checks if packed and grad else (*checks, "test_aot_dispatch_dynamic")
    arguments = (LEAKY.text(), ADJOINT.text(), True, packed, states, *tensors)
    opcheck(torch.ops.bitspike.program_forward.default, arguments, test_utils=used)


@pytest.mark.parametrize("wanted", [True, False])
def test_operator_backward(wanted):
    tensors = ([random(T, B, N)], [random(B, N)], [torch.rand(N), torch.ones(())])
    need = ([True], wanted, [wanted, True])
    grads = (torch.randn(T, B, N), [None], [torch.randn(B, N)])
    arguments = (LEAKY.text(), ADJOINT.text(), True, *need, *tensors, *grads)
    opcheck(torch.ops.bitspike.program_backward.default, arguments)


def test_compiled_code_calls_the_operator():
    inputs = Inputs([random(T, B, N)], [random(B, N)], [torch.rand(N), torch.tensor(1.0)])
    run = call(sequence=True)

    def step(current, mem, beta, threshold):
        return program.forward(run, Inputs([current], [mem], [beta, threshold]))

    arguments = (inputs.current, inputs.initial[0], *inputs.constants)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for found, expected in zip(compiled(*arguments), step(*arguments), strict=True):
        assert torch.equal(found, expected)
