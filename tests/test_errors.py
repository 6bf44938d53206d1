"""Bad input: the right answer, or an exception that names the argument; never a crash."""

import pytest
import snntorch
import torch
from compare import dense, same_bits
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from program import assert_succeeds

import bitspike as snn
from bitspike import _native
from bitspike.ops import _buffer


def whole(**arguments):
    return snn.Leaky(**(dict(beta=0.9, multi_step=True) | arguments))


# The module


@pytest.mark.parametrize("mechanism", ["hard", "", None, "Subtract"])
def test_unknown_reset(mechanism):
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.Leaky(beta=0.9, reset_mechanism=mechanism)
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.Leaky(beta=0.9).reset_mechanism = mechanism


def test_subtract_beta_at_once():
    with pytest.raises(ValueError, match="reset_delay"):
        snn.Leaky(beta=0.9, reset_mechanism="subtract_beta", reset_delay=False)


@pytest.mark.parametrize("name", ["beta", "threshold", "graded_spikes_factor"])
@pytest.mark.parametrize("shape", [(4,), (2, 1, 5), (5, 1), (0,)])
def test_parameters_that_do_not_broadcast(name, shape):
    neuron = whole(**{name: torch.rand(shape)})
    with pytest.raises(ValueError, match=name):
        neuron(torch.rand(3, 2, 5))
    neuron.multi_step = False
    with pytest.raises(ValueError, match=name):
        neuron(torch.rand(2, 5))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 4), (3, 2, 5), ()])
def test_states_of_another_shape(shape):
    with pytest.raises(ValueError, match="mem"):
        whole()(torch.rand(3, 2, 5), torch.rand(shape))


def test_complex_input():
    for neuron in (whole(), snn.Leaky(beta=0.9)):
        with pytest.raises(TypeError, match="input_ must be real"):
            neuron(torch.rand(3, 2, 5, dtype=torch.complex64))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_integers_are_currents(dtype):
    x = torch.randint(2, (6, 2, 5)).to(dtype)
    for a, b in zip(whole()(x), whole()(x.float()), strict=True):
        assert same_bits(a, b)


def test_a_number_is_no_sequence():
    with pytest.raises(ValueError, match="sequence"):
        whole()(torch.tensor(1.0))
    with pytest.raises(ValueError, match="sequence"):
        whole()(1.0)


@pytest.mark.parametrize("value", ["text", None, object(), [[1.0], [2.0, 3.0]]])
def test_what_is_no_tensor(value):
    for neuron in (whole(), snn.Leaky(beta=0.9)):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            neuron(value)


def test_meta_tensors():
    x = torch.empty(4, 2, 5, device="meta")
    for neuron in (whole().to("meta"), whole()):
        spikes, membranes = neuron(x)
        assert spikes.device.type == membranes.device.type == "meta"
        assert spikes.shape == membranes.shape == x.shape


@pytest.mark.isa
@pytest.mark.parametrize("name", ["beta", "threshold", "graded_spikes_factor"])
def test_nan_parameters_give_what_snntorch_gives(name):
    arguments = dict(beta=0.9) | {name: float("nan")}
    theirs, ours = snntorch.Leaky(**arguments), snn.Leaky(**arguments)
    x = torch.rand(6, 2, 5) * 2
    mem = wanted_mem = torch.zeros(2, 5)
    steps = []
    for current in x:
        wanted, wanted_mem = theirs(current, wanted_mem)
        spikes, mem = ours(current, mem)
        assert same_bits(wanted, spikes) and same_bits(wanted_mem, mem)
        steps.append((spikes, mem))
    spikes, membranes = whole(**arguments)(x)
    assert same_bits(dense(spikes), torch.stack([step[0] for step in steps]))
    assert same_bits(membranes, torch.stack([step[1] for step in steps]))


@pytest.mark.parametrize(
    "shape", [(0, 2, 5), (4, 0, 5), (4, 2, 0), (0, 0, 0), (0,), (0, 5), (4, 0)]
)
def test_empty_sequences(shape):
    x = torch.rand(shape, requires_grad=True)
    spikes, membranes = whole()(x)
    assert spikes.shape == membranes.shape == shape
    (spikes.sum() + membranes.sum()).backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("shape", [(0, 5), (4, 0), (0,)])
def test_empty_steps(shape):
    x = torch.rand(shape, requires_grad=True)
    spikes, mem = snn.Leaky(beta=0.9)(x)
    (spikes.sum() + mem.sum()).backward()
    assert spikes.shape == mem.shape == x.grad.shape == shape


# The native module. Addresses are ints, so that a wrong one is found before it is followed.

ALIGNED = torch.zeros(64)
SIZES = st.sampled_from([0, 1, 2, 7, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1])


def layer(shape, current, parameter=None, initial=None, **names):
    one = ((ALIGNED.data_ptr(), 1), 0, 0, False)
    return (
        names.get("neuron", "leaky"),
        names.get("mechanism", "subtract"),
        False,
        shape,
        current,
        [parameter or one],
        one,
        one,
        [initial or one],
    )


def view(length, time=0, sample=0, per_neuron=True, address=None):
    return (ALIGNED.data_ptr() if address is None else address, length), time, sample, per_neuron


def forward(arguments, dense_length=24):
    out = torch.zeros(dense_length)
    _native.sequence_forward(arguments, None, _buffer.buffer(out), [None], [None])


def test_a_correct_raw_call_works():
    forward(layer((2, 3, 4), view(24, 12, 4)))


@pytest.mark.parametrize(
    "arguments",
    [
        layer((2, 3, 4), view(23, 12, 4)),
        layer((2, 3, 4), view(24, 13, 4)),
        layer((2, 3, 4), view(24, 12, 4, address=0)),
        layer((2, 3, 4), view(24, 12, 4, address=ALIGNED.data_ptr() + 2)),
        layer((2, 3, 4), view(2**62, 12, 4)),
        layer((2, 3, 4), view(24, 2**63, 2**63)),
        layer((2, 3, 4), view(24, 12, 4), parameter=view(3)),
        layer((2, 3, 4), view(24, 12, 4), initial=view(11, 0, 4)),
        layer((2**40, 2**40, 4), view(24, 0, 0)),
        layer((2**63, 2, 1), view(24, 0, 0)),
        layer((2, 3, 4), view(24, 12, 4), neuron="nobody"),
        layer((2, 3, 4), view(24, 12, 4), mechanism="hard"),
        (*layer((2, 3, 4), view(24, 12, 4))[:5], [], *layer((2, 3, 4), view(24, 12, 4))[6:]),
        (*layer((2, 3, 4), view(24, 12, 4))[:8], []),
    ],
    ids=[
        "short",
        "stride",
        "null",
        "unaligned",
        "longer than memory",
        "strides overflow",
        "parameter",
        "state",
        "sizes overflow",
        "size overflows",
        "neuron",
        "reset",
        "no parameter",
        "no state",
    ],
)
def test_wrong_raw_layers(arguments):
    with pytest.raises(ValueError):
        forward(arguments)


@pytest.mark.parametrize("length", [0, 23, 25])
def test_wrong_raw_outputs(length):
    with pytest.raises(ValueError):
        forward(layer((2, 3, 4), view(24, 12, 4)), dense_length=length)


def test_wrong_raw_surrogates():
    arguments = layer((2, 3, 4), view(24, 12, 4))
    zero = view(1, per_neuron=False)
    for kind in (("nobody", []), ("atan", []), ("atan", [1.0, 2.0])):
        with pytest.raises(ValueError):
            _native.sequence_backward(arguments, kind, zero, [zero], [zero], None, [None], None)


def test_wrong_types_are_type_errors():
    for arguments in (None, (), layer((2, 3), view(24, 12, 4)), layer((2, -3, 4), view(24, 12, 4))):
        with pytest.raises((TypeError, OverflowError, ValueError)):
            forward(arguments)


@given(
    shape=st.tuples(SIZES, SIZES, SIZES), length=SIZES, time=SIZES, sample=SIZES, own=st.booleans()
)
@settings(max_examples=300)
def test_any_sizes_end_in_an_error_or_in_nothing(shape, length, time, sample, own):
    # Nothing may be accepted that is longer than the memory, 64 elements.
    assume(shape[0] > 0)
    length = min(length, 64) if length < 2**62 else length
    try:
        forward(layer(shape, view(length, time, sample, own)), dense_length=0)
    except ValueError:
        return
    assert 0 in shape


WRONG_CALLS = [
    "_native.pack('float32', (0, 4), 2, 2, (0, 2))",
    "_native.pack('float32', (p, 4), 2**63, 2**63, (p, 2))",
    "_native.pack('float32', (p, 4), 2, 3, (p, 2))",
    "_native.unpack('float32', (p, 3), 2, 2, (p, 4))",
    "_native.unpack('float32', (p + 1, 2), 2, 2, (p, 4))",
    "_native.count((0, 1))",
    "_native.count((p + 4, 1))",
    "_native.count((p, 2**61))",
    "_native.count_axis((p, 2), (2**32, 2**32, 1), 4, (p, 4))",
    "_native.count_axis((p, 2), (1, 2, 1), 65, (p, 4))",
    "_native.bernoulli(0, 0, (p, 4), 3, 4, 1, (p, 4))",
    "_native.bernoulli(0, 0, (p, 4), 0, 4, 1, (p, 4))",
    "_native.from_events((p, 1), (p, 2), (p, 1), (1, 1, 1), (p, 1))",
    "_native.from_events((p, 1), (p, 1), (p, 1), (2**63, 2**63, 1), (p, 1))",
    "_native.from_events((n, 1), (p, 1), (p, 1), (1, 1, 1), (p, 1))",
    "_native.to_events((p, 1), (1, 1, 1), (p, 0), (p, 0), (p, 1))",
    "_native.product((p, 2), 2, ((p, 6), (3, 2), (2, 1)), None, (p, 5))",
    "_native.product((p, 2), 2, ((p, 5), (3, 2), (2, 1)), None, (p, 4))",
    "_native.product((p, 2), 2**63, ((p, 6), (3, 2**63), (2, 1)), None, (p, 4))",
    "_native.product((p, 2), 2, ((p, 6), (3, 2), (2**63, 2**63)), None, (p, 4))",
    "_native.product((p, 2), 2, ((p, 6), (3, 2), (2, 1)), (p, 1), (p, 4))",
    "_native.weight_gradient((p, 2), 3, ((p, 6), (3, 2), (2, 1)), (p, 6), None)",
    "_native.weight_gradient((p, 3), 3, ((p, 6), (3, 2), (2, 1)), (p, 6), (p, 1))",
    "_native.weight_gradient((p, 2), 2**63, ((p, 4), (2, 2), (2, 1)), (p, 6), None)",
]


def test_wrong_raw_calls():
    """In a process of its own, which may crash without taking the tests along."""
    assert_succeeds(f"""
        import torch
        from bitspike import _native
        memory, negative = torch.zeros(64, dtype=torch.int64), torch.full((64,), -1)
        p, n = memory.data_ptr(), negative.data_ptr()
        for call in {WRONG_CALLS}:
            print(call, flush=True)
            try:
                eval(call)
            except ValueError as error:
                print("   ", error)
            else:
                raise SystemExit("no error")
            assert not memory.any() and _native.count((p, 2)) == 0
    """)


def test_unknown_dtypes():
    with pytest.raises((TypeError, ValueError), match="nothing"):
        _native.pack("nothing", (0, 0), 0, 0, (0, 0))


def test_no_steps_of_a_huge_layer():
    assert_succeeds("""
        import torch
        from bitspike import _native
        memory = torch.zeros(1)
        one = ((memory.data_ptr(), 1), 0, 0, False)
        layer = ("leaky", "subtract", False, (0, 1, 2**60), one, [one], one, one, [one])
        try:
            _native.sequence_forward(layer, None, None, [None], [None])
        except ValueError as error:
            print(error)
    """)


def test_torch_functions_at_address_zero():
    with pytest.raises(ValueError):
        _native.install_torch_pool(0, 0)
