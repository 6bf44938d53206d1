"""Quantised states: snnTorch's levels and bits, its memory and dtypes excepted."""

import copy
import pickle
import warnings
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
from bitspike.functional import quant
from helpers.compare import error, same_bits

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    from snntorch.functional import quant as theirs

LEVELS = {
    "uniform": dict(),
    "uniform wide": dict(threshold=0.7, lower_limit=0.3, upper_limit=1.0),
    "threshold": dict(uniform=False, threshold=5),
    "threshold at the end": dict(uniform=False, upper_limit=0),
    "threshold wide": dict(uniform=False, threshold=0.7, lower_limit=0.3, upper_limit=1.0),
    "zero": dict(uniform=False, thr_centered=False),
    "zero wide": dict(uniform=False, thr_centered=False, lower_limit=0.1, upper_limit=0.5),
    "even": dict(uniform=False, multiplier=1.0),
    "dense at the ends": dict(uniform=False, thr_centered=False, multiplier=1.3),
}


def numbers(levels):
    """All levels and what lies between them and beyond, to the last bit."""
    levels = levels.sort().values
    between = (levels[1:] + levels[:-1]) / 2
    far = torch.tensor(torch.inf)
    beyond = torch.tensor([0.0, -0.0, torch.nan, 1e-40, 1e3, -1e3, 1e6, 3e38, -3e38])
    return torch.cat(
        [
            levels,
            between,
            torch.nextafter(between, far),
            torch.nextafter(between, -far),
            torch.nextafter(levels, far),
            torch.nextafter(levels, -far),
            torch.tensor([torch.inf, -torch.inf]),
            beyond,
            torch.linspace(-12, 12, 99),
        ]
    )


@pytest.mark.parametrize("bits", range(1, 11))
@pytest.mark.parametrize("case", LEVELS)
def test_it_equals_snntorch(case, bits):
    ours, wanted = (
        library.state_quant(num_bits=bits, **LEVELS[case]) for library in (quant, theirs)
    )
    levels = ours.keywords["levels"]
    assert len(levels) == 2**bits
    x = numbers(levels)
    assert same_bits(ours(x), wanted(x))
    assert same_bits(ours(ours(x)), ours(x))


@pytest.mark.parametrize("case", LEVELS)
def test_double_stays_double(case):
    # Their result is float32 whatever the input is.
    ours, wanted = (library.state_quant(num_bits=5, **LEVELS[case]) for library in (quant, theirs))
    x = numbers(ours.keywords["levels"]).double()
    x = torch.cat([x, torch.randn(300, dtype=torch.float64)])
    assert wanted(x).dtype == torch.float32
    assert same_bits(ours(x), wanted(x).double())


ROUNDERS = [
    [library.state_quant(num_bits=bits, **arguments) for library in (quant, theirs)]
    for bits, arguments in product((1, 4, 6), (LEVELS["uniform"], LEVELS["zero wide"]))
]


@given(st.lists(st.floats(width=32), max_size=40), st.sampled_from(ROUNDERS))
def test_any_number(values, rounders):
    ours, wanted = rounders
    x = torch.tensor(values)
    assert same_bits(ours(x), wanted(x) if values else x)


def test_levels_by_hand():
    # Half of 4 levels lie below the centre 0: gaps of 1 and 1/2 make up the 1.5 on either side.
    near_zero = quant.state_quant(2, False, False, 1, 0.5, 0.5, multiplier=0.5)
    assert near_zero.keywords["levels"].tolist() == [-1.5, -0.5, 0.5, 1.5]
    x = torch.tensor([-9.0, -1.0, -0.9, 0.0, 0.01, 1.0, 1.01, 9.0])
    assert near_zero(x).tolist() == [-1.5, -1.5, -0.5, -0.5, 0.5, 0.5, 1.5, 1.5]


def test_levels_in_any_order():
    x, levels = torch.linspace(-2, 2, 33), torch.tensor([0.5, -1.0, 1.0, 0.5])
    ascending = theirs.StateQuant.apply(x, levels.sort().values)
    assert same_bits(quant.StateQuant.apply(x, levels), ascending)
    with pytest.raises(ValueError, match=r"levels must be a row of numbers \[L\], not \(2, 2\)"):
        quant.StateQuant.apply(x, levels.view(2, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_stays(dtype):
    x = torch.linspace(-2, 2, 33).to(dtype)
    rounded = quant.state_quant(4)(x)
    assert rounded.dtype == dtype
    assert same_bits(rounded, quant.state_quant(4)(x.float()).to(dtype))


def test_whole_numbers_become_floats():
    x = torch.tensor([-5, 0, 1])
    assert same_bits(quant.state_quant(4)(x), theirs.state_quant(4)(x))


def test_shapes_and_strides():
    rounded = quant.state_quant(3)
    x = torch.randn(4, 5, 6)
    for view in (x, x.transpose(0, 2), x[:, ::2], x[0, 0, 0], x[:0]):
        assert same_bits(rounded(view), rounded(view.flatten()).view(view.shape))


def test_the_gradient_passes_unchanged():
    x = torch.linspace(-3, 3, 50, requires_grad=True)
    upstream = torch.randn(50)
    quant.state_quant(3)(x).backward(upstream)
    assert same_bits(x.grad, upstream)


def test_transforms():
    rounded, x = quant.state_quant(3), torch.randn(4, 5)
    assert same_bits(torch.func.vmap(rounded, in_dims=1, out_dims=1)(x), rounded(x))
    gradient = torch.func.grad(lambda x: (rounded(x) ** 2).sum())(x)
    assert same_bits(gradient, 2 * rounded(x))


def test_compiled():
    rounded = quant.state_quant(5, **LEVELS["zero"])
    x = numbers(rounded.keywords["levels"]).requires_grad_()
    result = torch.compile(rounded, fullgraph=True, backend="eager")(x)
    assert same_bits(result, rounded(x))
    result.sum().backward()
    assert (x.grad == 1).all()


def test_memory_does_not_grow_with_the_levels():
    sizes = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            sizes.extend(x.numel() for x in [result] if isinstance(x, torch.Tensor))
            return result

    x, rounded = torch.randn(3000), quant.state_quant(10)
    with Sizes():
        rounded(x)
    assert max(sizes) == 3000
    sizes.clear()
    with Sizes():
        theirs.state_quant(10)(x)
    assert max(sizes) == 3000 * 1024


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(num_bits=0), "num_bits must be a whole number of bits from 1, not 0"),
        (dict(num_bits=2.0), "num_bits must be a whole number of bits from 1, not 2.0"),
        (dict(threshold=0), "threshold must be positive, not 0"),
        (dict(threshold=-1.0), "threshold must be positive, not -1.0"),
        (dict(lower_limit=-3), "leave levels from 2 to 1.2"),
        (dict(uniform=False, upper_limit=-0.5), "without their centre 1"),
        (dict(uniform=False, thr_centered=False, lower_limit=-2), "without their centre 0"),
        (dict(uniform=False, multiplier=0), "multiplier must be positive, not 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        quant.state_quant(**arguments)


# Neurons

NEURONS = {"Leaky": dict(beta=0.9), "Synaptic": dict(alpha=0.8, beta=0.9)}
STEPS = 20


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("case", ["uniform", "threshold wide", "zero"])
@pytest.mark.parametrize("name", NEURONS)
def test_neurons_equal_snntorchs(name, case, reset):
    made = []
    for library, rounding in ((snntorch, theirs), (snn, quant)):
        states = rounding.state_quant(num_bits=4, **LEVELS[case])
        arguments = dict(reset_mechanism=reset, state_quant=states, **NEURONS[name])
        made.append(getattr(library, name)(**arguments))
    x = torch.randn(STEPS, 3, 5)
    runs = []
    for neuron in made:
        history, results = [], ()
        for current in x:
            results = neuron(current, *results[1:])
            history.append(results)
        runs.append([torch.stack(values) for values in zip(*history, strict=True)])
    sequence = getattr(snn, name)(
        reset_mechanism=reset, state_quant=made[1].state_quant, multi_step=True, **NEURONS[name]
    )(x)
    assert runs[0][0].any() and len(runs[0][1].unique()) <= 16
    for wanted, single, whole in zip(*runs, sequence, strict=True):
        assert same_bits(single, wanted) and same_bits(whole, wanted)


@pytest.mark.parametrize("name", NEURONS)
def test_gradients_equal_snntorchs(name):
    x = torch.randn(STEPS, 3, 5)
    gradients = []
    for library, rounding in ((snntorch, theirs), (snn, quant)):
        neuron = getattr(library, name)(
            state_quant=rounding.state_quant(4), learn_beta=True, **NEURONS[name]
        )
        given, results, total = x.clone().requires_grad_(), (), 0
        for t in range(STEPS):
            results = neuron(given[t], *results[1:])
            total = total + (t + 1) * results[0].sum() + results[-1].sum()
        total.backward()
        gradients.append((given.grad, neuron.beta.grad))
    for wanted, actual in zip(*gradients, strict=True):
        assert wanted.any() and error(actual, wanted) < 1e-6


def test_quantised_neurons_travel():
    lif = snn.Leaky(beta=0.9, state_quant=quant.state_quant(3))
    x = torch.randn(2, 4)
    expected = lif(x)[1]
    for other in (copy.deepcopy(lif), pickle.loads(pickle.dumps(lif))):
        assert same_bits(other(x)[1], expected)
