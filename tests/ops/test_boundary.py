"""What the native module makes of any tensors that it is given: the right numbers, or an error."""

import sys

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import bitspike as snn
from bitspike.ops import _native
from helpers.program import assert_succeeds

SIZES = st.sampled_from([0, 1, 2, 7, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
ONE = torch.ones(())


def layer(shape, current, parameter=ONE, initial=None, **names):
    initial = torch.zeros(shape[1:]) if initial is None else initial
    return (
        names.get("neuron", "leaky"),
        names.get("mechanism", "subtract"),
        False,
        shape,
        (True, True),
        current,
        [parameter],
        ONE,
        ONE,
        [initial],
    )


def forward(arguments, dense=None):
    dense = torch.empty(24) if dense is None else dense
    _native.sequence_forward(arguments, None, dense, [None], [None])
    return dense


CURRENT = (torch.arange(24.0) / 9).view(2, 3, 4)
SPIKES = forward(layer((2, 3, 4), CURRENT))


def test_the_right_call():
    membranes = CURRENT[0], CURRENT[0] + CURRENT[1] - (CURRENT[0] > 1).float()
    assert torch.equal(SPIKES.view(2, 3, 4), (torch.stack(membranes) > 1).float())


def misaligned(x):
    """The same numbers at an address that is no multiple of their size."""
    memory = bytearray(x.nbytes + 8)
    start = 1 - torch.frombuffer(memory, dtype=torch.uint8).data_ptr() % 2
    view = torch.frombuffer(memory, dtype=x.dtype, offset=start, count=x.numel()).view(x.shape)
    assert view.data_ptr() % 2 == 1
    view.copy_(x)
    return view


def pending(x):
    """The same numbers, negated twice, once of it on paper."""
    view = torch._neg_view(-x)
    assert view.is_neg()
    return view


LAYOUTS = {
    "misaligned": misaligned,
    "negation pending": pending,
    "time last": lambda x: x.permute(1, 2, 0).contiguous().permute(2, 0, 1),
    "features last but one": lambda x: x.mT.contiguous().mT,
    "a slice": lambda x: torch.stack([x, x + 1])[0],
    "every other": lambda x: x.repeat_interleave(2, 2)[..., ::2],
    "copied on write": torch._lazy_clone,
    "an inference tensor": torch.inference_mode()(torch.clone),
    "a parameter": torch.nn.Parameter,
    "dense spikes": lambda x: x.as_subclass(snn.DenseSpikes),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_currents_of_any_layout(kind):
    assert torch.equal(forward(layer((2, 3, 4), LAYOUTS[kind](CURRENT))), SPIKES)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_matrices_of_any_layout(kind):
    spikes = (torch.rand(24, 70) < 0.3).float()
    words = snn.SpikeTensor.from_dense(spikes).words
    weights, out = torch.randn(70, 5), torch.empty(24, 5)
    three = weights.view(1, 70, 5)
    _native.product(words, 24, LAYOUTS[kind](three)[0], None, out)
    wanted = torch.empty(24, 5)
    _native.product(words, 24, weights, None, wanted)
    assert torch.equal(out, wanted) and torch.allclose(out, spikes @ weights, atol=1e-5)


def test_repeated_values_are_read_in_place():
    step = CURRENT[0]
    assert torch.equal(
        forward(layer((2, 3, 4), step.expand(2, 3, 4))),
        forward(layer((2, 3, 4), torch.stack([step, step]))),
    )


REFUSED = {
    "float64": lambda: CURRENT.double(),
    "float16": lambda: CURRENT.half(),
    "complex": lambda: CURRENT.to(torch.complex64),
    "int32": lambda: CURRENT.int(),
    "meta": lambda: CURRENT.to("meta"),
    "sparse": lambda: CURRENT.to_sparse(),
    "sparse rows": lambda: CURRENT[0].to_sparse_csr(),
    "zeros without memory": lambda: torch._efficientzerotensor((2, 3, 4)),
    "packed spikes": lambda: snn.SpikeTensor.from_dense((CURRENT > 1).float()),
    "fake": lambda: torch._subclasses.FakeTensorMode().from_tensor(CURRENT),
}


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("kind", REFUSED)
def test_other_memory_is_refused(kind):
    with pytest.raises(TypeError, match="current must be torch.float32 in dense memory"):
        forward(layer((2, 3, 4), REFUSED[kind]()))


@pytest.mark.filterwarnings("ignore")  # torch says that there will be no more of these
def test_quantised_memory_is_refused():
    quantised = torch.quantize_per_tensor(CURRENT, 0.1, 0, torch.quint8)
    with pytest.raises(TypeError, match="current must be"):
        forward(layer((2, 3, 4), quantised))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_memory_of_a_gpu_is_refused():
    with pytest.raises(TypeError, match="current must be .* not torch.float32.* on cuda"):
        forward(layer((2, 3, 4), CURRENT.cuda()))
    with pytest.raises(TypeError, match="dense must be"):
        forward(layer((2, 3, 4), CURRENT), torch.empty(24, device="cuda"))


def test_wrapped_memory_is_refused():
    def inside(x):
        forward(layer((2, 3, 4), x))
        return x.sum()

    for transform in (torch.func.grad, torch.vmap):
        with pytest.raises(TypeError, match="current must be"):
            transform(inside)(CURRENT)


@pytest.mark.parametrize("value", [None, 1, (140_000_000_000, 24), [1.0], CURRENT.numpy()])
def test_what_is_no_tensor(value):
    with pytest.raises(TypeError):
        forward(layer((2, 3, 4), value))


WRONG_LAYERS = {
    "short": layer((2, 3, 4), torch.zeros(23)),
    "strides reach too far": layer((2, 3, 4), torch.zeros(48)[::2][:23]),
    "fewer axes": layer((2, 3, 4), torch.zeros(4)[::2]),
    "parameter": layer((2, 3, 4), CURRENT, parameter=torch.zeros(3)),
    "state": layer((2, 3, 4), CURRENT, initial=torch.zeros(11)),
    "sizes overflow": layer((2**40, 2**40, 4), ONE.expand(2, 3, 4), initial=ONE),
    "size overflows": layer((2**63, 2, 1), ONE.expand(2, 3, 4), initial=ONE),
    "neuron": layer((2, 3, 4), CURRENT, neuron="nobody"),
    "reset": layer((2, 3, 4), CURRENT, mechanism="hard"),
    "no parameter": (*layer((2, 3, 4), CURRENT)[:6], [], *layer((2, 3, 4), CURRENT)[7:]),
    "no state": (*layer((2, 3, 4), CURRENT)[:9], []),
}


@pytest.mark.parametrize("kind", WRONG_LAYERS)
def test_wrong_layers(kind):
    with pytest.raises(ValueError):
        forward(WRONG_LAYERS[kind])


@pytest.mark.parametrize(
    "dense", [torch.empty(0), torch.empty(23), torch.empty(25), torch.empty(48)[::2]]
)
def test_wrong_results(dense):
    with pytest.raises(ValueError):
        forward(layer((2, 3, 4), CURRENT), dense)


def test_results_are_not_copied():
    with pytest.raises(ValueError, match="dense must be contiguous and aligned"):
        forward(layer((2, 3, 4), CURRENT), misaligned(torch.zeros(24)))
    with pytest.raises(TypeError, match=r"dense must be torch.float32"):
        forward(layer((2, 3, 4), CURRENT), torch.empty(24, dtype=torch.float64))


@pytest.mark.parametrize("kind", [("nobody", []), ("atan", []), ("atan", [1.0, 2.0])])
def test_wrong_surrogates(kind):
    with pytest.raises(ValueError):
        _native.sequence_backward(
            layer((2, 3, 4), CURRENT), kind, None, [None], [None], None, [None], None, None
        )


def test_wrong_types_are_type_errors():
    for arguments in (None, (), layer((2, 3), CURRENT), layer((2, -3, 4), CURRENT, initial=ONE)):
        with pytest.raises((TypeError, OverflowError, ValueError)):
            forward(arguments)


@given(
    shape=st.tuples(SIZES, SIZES, SIZES),
    sizes=st.tuples(*[st.integers(0, 3)] * 3),
    strides=st.tuples(*[st.integers(0, 9)] * 3),
)
@settings(max_examples=300)
def test_any_sizes_end_in_an_error_or_in_nothing(shape, sizes, strides):
    assume(shape[0] > 0)
    current = torch.zeros(64).as_strided(sizes, strides)
    try:
        forward(layer(shape, current, initial=ONE), torch.empty(0))
    except ValueError:
        return
    assert 0 in shape


WRONG_CALLS = [
    "_native.pack(x[:4], 2**63, 2**63, p[:2])",
    "_native.pack(x[:4], 2, 3, p[:2])",
    "_native.pack(p[:4], 2, 2, p[4:6])",
    "_native.unpack(p[:3], 2, 2, x[:4])",
    "_native.unpack(p[:2], 2, 2, x[:3])",
    "_native.count(x[:1])",
    "_native.count_axis(p[:2], (2**32, 2**32, 1), 4, x[:4])",
    "_native.count_axis(p[:2], (1, 2, 1), 65, x[:4])",
    "_native.bernoulli(0, 0, x[:4], 3, 4, 1, p[:4])",
    "_native.bernoulli(0, 0, x[:4], 0, 4, 1, p[:4])",
    "_native.from_events(p[:1], p[:2], p[:1], (1, 1, 1), p[:1])",
    "_native.from_events(p[:1], p[:1], p[:1], (2**63, 2**63, 1), p[:1])",
    "_native.from_events(n[:1], p[:1], p[:1], (1, 1, 1), p[:1])",
    "_native.to_events(p[:1], (1, 1, 1), p[:0], p[:0], p[:1])",
    "_native.product(p[:2], 2, x[:6].view(3, 2), None, x[6:11])",
    "_native.product(p[:2], 2, x[:6], None, x[6:10])",
    "_native.product(p[:2], 2**63, x[:1].expand(3, 2**60), None, x[6:10])",
    "_native.product(p[:2], 2, x[:6].view(3, 2), x[:1], x[6:10])",
    "_native.weight_gradient(p[:2], 3, x[:6].view(3, 2), x[6:12], None)",
    "_native.weight_gradient(p[:3], 3, x[:6].view(3, 2), x[6:12], x[:1])",
    "_native.weight_gradient(p[:2], 2**63, x[:4].view(2, 2), x[6:12], None)",
    "_native.max_pool(p[:2], 2, ((1, 4, 4), (5, 1), (1, 1)), p[2:4])",
    "_native.sum_pool(p[:2], 2**63, ((1, 4, 4), (2, 2), (2, 2)), x[2:4])",
    "_native.spike_times(p[:4], (2**62, 4), 3, x)",
    "_native.spike_times_gradient(x[:4], x[:5], (2, 2), x[6:10])",
]


def test_wrong_calls():
    """In a process of its own, which may crash without taking the tests along."""
    assert_succeeds(f"""
        import torch
        from bitspike.ops import _native
        p, n, x = torch.zeros(64, dtype=torch.int64), torch.full((64,), -1), torch.zeros(64)
        for call in {WRONG_CALLS}:
            print(call, flush=True)
            try:
                eval(call)
            except (ValueError, TypeError) as error:
                print("   ", error)
            else:
                raise SystemExit("no error")
            assert not p.any() and not x.any() and _native.count(p[:2]) == 0
    """)


def test_no_steps_of_a_huge_layer():
    assert_succeeds("""
        import torch
        from bitspike.ops import _native
        one = torch.zeros(1)
        shape = (0, 1, 2**60), (True, True)
        layer = ("leaky", "subtract", False, *shape, one, [one], one, one, [one])
        try:
            _native.sequence_forward(layer, None, None, [None], [None])
        except ValueError as error:
            print(error)
    """)


def test_torch_functions_at_address_zero():
    with pytest.raises(ValueError):
        _native.install_torch_pool(0, 0)


def test_a_tensor_lives_as_long_as_the_call():
    """A temporary is held by nobody but the call."""
    words = torch.full((1000, 64), -1)
    before = sys.getrefcount(words)
    for _ in range(20):
        assert _native.count(words[:, ::2]) == 1000 * 32 * 64
    assert sys.getrefcount(words) == before
