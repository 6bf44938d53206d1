"""Linear scans: the native kernel against the loop in torch that defines them."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import bitspike as snn
from bitspike import scan
from bitspike.ops import _native
from bitspike.scan import linear_scan, outer_scan, reverse_scan
from helpers.compare import error, same_bits

pytestmark = [
    pytest.mark.isa,
    pytest.mark.usefixtures("poisoned", "strict"),
]


def loop(x, decay, key=None, initial=None, rectified=False):
    """The specification; it is the public function's reference path."""
    if decay.dim() == x.dim() and key is None:
        decay = decay.expand(x.shape)
    return scan._loop(x, decay, key, initial, rectified)


def gradients(function, *inputs):
    """Outputs, and gradients of those inputs that are not None."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs if x is not None]
    left = iter(leaves)
    y = function(*(None if x is None else next(left) for x in inputs))
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
    return y, torch.autograd.grad((y * weights).sum(), leaves, materialize_grads=True)


def assert_agrees(native, definition, *inputs, bits=True, least=1e-30):
    wanted, wanted_gradients = gradients(definition, *inputs)
    found, found_gradients = gradients(native, *inputs)
    assert same_bits(found, wanted) if bits else error(found, wanted) < 1e-6
    for f, w in zip(found_gradients, wanted_gradients, strict=True):
        assert error(f, w, least=least) < 1e-5


def assert_linear_agrees(x, decay, initial, rectified):
    assert_agrees(
        lambda x, a, i: linear_scan(x, a, i, rectified=rectified),
        lambda x, a, i: loop(x, a, None, i, rectified),
        *(x, decay, initial),
    )


DECAYS = {
    "a number": lambda t, b, n: torch.rand(()),
    "one value": lambda t, b, n: torch.rand(1),
    "per neuron": lambda t, b, n: torch.rand(n),
    "per sample": lambda t, b, n: torch.rand(b, 1),
    "each": lambda t, b, n: torch.rand(b, n),
    "per step": lambda t, b, n: torch.rand(t, 1, 1),
    "per step and neuron": lambda t, b, n: torch.rand(t, 1, n),
    "per step, sample and neuron": lambda t, b, n: torch.rand(t, b, n),
}


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("shape", [(9, 3, 70), (5, 1, 1), (1, 2, 3)])
@pytest.mark.parametrize("starts", [False, True])
def test_decays(decay, rectified, shape, starts):
    initial = torch.randn(shape[1:]) if starts else None
    assert_linear_agrees(torch.randn(shape), DECAYS[decay](*shape), initial, rectified)


@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    last=st.integers(1, 150),
    rectified=st.booleans(),
    varies=st.booleans(),
    starts=st.booleans(),
)
@settings(max_examples=60)
def test_shapes(shape, last, rectified, varies, starts):
    shape = (*shape, last)
    x, initial = torch.randn(shape), torch.randn(shape[1:]) if starts else None
    decay = torch.rand(shape if varies else shape[1:])
    assert_linear_agrees(x, decay, initial, rectified)


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=4), last=st.integers(1, 150))
@settings(max_examples=60)
def test_backwards_in_time(shape, last):
    shape = (*shape, last)
    x, decay = torch.randn(shape), torch.rand(shape[1:])
    assert same_bits(reverse_scan(x, decay), linear_scan(x.flip(0), decay).flip(0))


@given(sizes=st.tuples(*[st.integers(0, 6)] * 3), keys=st.integers(0, 200))
@example(sizes=(1, 1, 1), keys=100)  # a gradient that all but cancels
@settings(max_examples=40)
def test_outer_products(sizes, keys):
    t, b, d = sizes
    inputs = torch.randn(t, b, d), torch.randn(t, b, keys), torch.rand(t, b, keys)
    # One gradient may sum products of numbers around 1 that cancel: what rounding leaves of it is
    # in proportion to them, and not to the sum.
    assert_agrees(outer_scan, lambda v, k, a: loop(v, a, k), *inputs, least=1.0)


@pytest.mark.parametrize("needed", range(4))
def test_one_gradient_at_a_time(needed):
    inputs = [torch.randn(6, 2, 9), torch.rand(6, 2, 9), torch.randn(2, 9)]
    if needed == 3:
        inputs[1] = torch.rand(9)
    which = needed % 3 if needed < 3 else 1
    results = []
    for function in (lambda x, a, i: linear_scan(x, a, i), lambda x, a, i: loop(x, a, None, i)):
        chosen = inputs[which].clone().requires_grad_()
        y = function(*inputs[:which], chosen, *inputs[which + 1 :])
        results.append(torch.autograd.grad(y.square().sum(), chosen)[0])
    assert error(*results) < 1e-5


def test_a_trace():
    x = torch.tensor([1.0, 1.0, -3.0, 0.5], requires_grad=True)
    decay = torch.tensor(0.5, requires_grad=True)
    y = linear_scan(x, decay, torch.tensor(2.0))
    assert y.tolist() == [2, 2, -2, -0.5]
    y.sum().backward()
    assert x.grad.tolist() == [1.875, 1.75, 1.5, 1]
    assert decay.grad == 1.875 * 2 + 1.75 * 2 + 1.5 * 2 - 2
    assert linear_scan(x, decay, torch.tensor(2.0), rectified=True).tolist() == [2, 2, 0, 0.5]


LAYOUTS = {
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "every second": lambda x: torch.stack([x, -x], -1).flatten(2)[..., ::2],
    "the same at all steps": lambda x: x[:1].expand_as(x),
    "the same for all neurons": lambda x: x[..., :1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    x, decay, key = (LAYOUTS[layout](torch.rand(7, 3, 40)) for _ in range(3))
    assert same_bits(linear_scan(x, decay), loop(x, decay))
    assert same_bits(outer_scan(x, key, decay), loop(x, decay, key))
    x = x.detach().requires_grad_()
    grad = LAYOUTS[layout](torch.randn(7, 3, 40))
    found, wanted = (torch.autograd.grad(f(x, decay), x, grad)[0] for f in (linear_scan, loop))
    assert same_bits(found, wanted)


def test_nan_and_infinity():
    x = torch.tensor([0.0, float("nan"), 1.0, float("inf"), -float("inf"), 1.0]).view(6, 1)
    x = torch.cat([x, x.flip(0), x.nan_to_num(0)], 1)
    for rectified in (False, True):
        y = linear_scan(x, torch.tensor(0.5), rectified=rectified)
        assert same_bits(y, loop(x, torch.tensor(0.5), rectified=rectified))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half(dtype):
    x = torch.randn(8, 2, 5).to(dtype).requires_grad_()
    y = linear_scan(x, torch.tensor(0.5))
    assert y.dtype == torch.float32
    assert same_bits(y, loop(x, torch.tensor(0.5)))
    y.sum().backward()
    assert x.grad.dtype == dtype


def test_spikes_are_numbers():
    dense = (torch.rand(8, 2, 70) < 0.3).float()
    packed = snn.SpikeTensor.from_dense(dense).requires_grad_()
    y = linear_scan(packed, torch.tensor(0.5))
    assert same_bits(y, loop(dense, torch.tensor(0.5)))
    y.sum().backward()
    assert packed.grad.shape == dense.shape


def test_threads_and_isas_change_nothing(threads, force_isa):
    # Enough work for several threads.
    x, decay, initial = torch.randn(60, 4, 700), torch.rand(700), torch.randn(4, 700)
    v, k, a = torch.randn(60, 8, 20), torch.randn(60, 8, 33), torch.rand(60, 8, 33)
    results = []
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        for count in (1, 2):
            threads(count)
            y, grads = gradients(lambda *z: linear_scan(*z, rectified=True), x, decay, initial)
            m, outer = gradients(outer_scan, v, k, a)
            results.append((y, m, *grads, *outer))
    for result in results[1:]:
        assert all(same_bits(x, y) for x, y in zip(result, results[0], strict=True))


# The reference, and torch around it


def test_gradcheck_of_the_reference(monkeypatch):
    monkeypatch.delenv("BITSPIKE_STRICT")

    def double(*shape):
        return torch.rand(shape, dtype=torch.float64, requires_grad=True)

    x, a, i = double(4, 2, 3), double(3), double(2, 3)
    assert torch.autograd.gradcheck(linear_scan, (x, a, i))
    rectified = lambda x, a: linear_scan(x - 0.4, a, rectified=True)  # noqa: E731
    assert torch.autograd.gradcheck(rectified, (x, double(4, 2, 3)))
    assert torch.autograd.gradcheck(outer_scan, (x, double(4, 2, 5), double(4, 2, 5)))


def test_double_leaves_the_kernel():
    with pytest.raises(RuntimeError, match="float64"):
        linear_scan(torch.zeros(3, 2, dtype=torch.float64), torch.tensor(0.5))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled(dynamic):
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda x, a: linear_scan(x, a, rectified=True) * 2,
        fullgraph=True,
        backend="aot_eager",
        dynamic=dynamic,
    )
    x, a = torch.randn(5, 2, 6), torch.rand(6)
    eager, eager_gradients = gradients(lambda x, a: linear_scan(x, a, rectified=True) * 2, x, a)
    found, found_gradients = gradients(compiled, x, a)
    assert same_bits(found, eager)
    assert all(map(same_bits, found_gradients, eager_gradients))


ERRORS = {
    "time": (lambda: linear_scan(torch.tensor(1.0), torch.tensor(0.5)), "x must be a sequence"),
    "decay": (lambda: linear_scan(torch.zeros(3, 2), torch.ones(3)), r"decay has shape \(3,\)"),
    "axes": (lambda: linear_scan(torch.zeros(3), torch.ones(1, 3)), "decay has shape"),
    "initial": (
        lambda: linear_scan(torch.zeros(3, 2), torch.ones(()), torch.ones(3)),
        "initial has shape",
    ),
    "value": (lambda: outer_scan(*[torch.zeros(3, 2)] * 3), r"value must be \[T, B, D\]"),
    "key": (
        lambda: outer_scan(torch.zeros(3, 2, 1), torch.zeros(3, 1, 4), torch.zeros(3, 2, 4)),
        "key must be",
    ),
    "decay of keys": (
        lambda: outer_scan(torch.zeros(3, 2, 1), torch.zeros(3, 2, 4), torch.zeros(3, 2, 1)),
        "decay must be",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    call, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        call()
