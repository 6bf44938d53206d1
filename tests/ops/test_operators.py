"""The operators of torch.library, which compiled code calls."""

import pytest
import torch
from torch.library import opcheck

import bitspike as snn
from bitspike import SpikeTensor

# opcheck looks at gradients of tensors that are no leaves.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")

T, B, K, N = 7, 3, 20, 70


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def leaky(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, "multi_step": True, **kwargs})


def compiled(net, backend="aot_eager", **kwargs):
    return torch.compile(net, fullgraph=True, backend=backend, **kwargs)


def random(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def words(*shape):
    return SpikeTensor.from_dense(random(*shape)).words


LAYOUTS = {
    "contiguous": lambda: torch.randn(5, 3, 70),
    "expanded": lambda: torch.randn(3, 70).expand(5, 3, 70),
    "one value": lambda: torch.ones(()).expand(5, 3, 70),
    "strided": lambda: torch.randn(70, 3, 5).permute(2, 1, 0),
    "no steps": lambda: torch.randn(0, 3, 70),
    "no samples": lambda: torch.randn(5, 0, 70),
    "no neurons": lambda: torch.randn(5, 3, 0),
    "images": lambda: torch.randn(5, 3, 2, 4, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed, states", [(True, False), (False, True)])
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
def test_operator_forward(layout, packed, states, grad):
    current = LAYOUTS[layout]()
    constants = [torch.tensor(x, requires_grad=grad) for x in (0.9, 1.0, 1.0)]
    initial = [torch.randn(current.shape[1:], requires_grad=grad)]
    current = current.requires_grad_(grad)
    kind = ("leaky", "subtract", False, "atan", [2.0])
    arguments = (*kind, True, packed, states, current, constants, initial)
    # torch's check of gradients adds all outputs up, and trips over words, which are integers.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    every = (*checks, "test_aot_dispatch_dynamic")
    used = checks if packed and grad else every
    opcheck(torch.ops.bitspike.sequence_forward.default, arguments, test_utils=used)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wanted", [True, False])
def test_operator_backward(layout, wanted):
    current = LAYOUTS[layout]()
    constants = [torch.tensor(0.9), torch.tensor(1.0), torch.tensor(1.0)]
    initial = [torch.randn(current.shape[1:])]
    given = [torch.randn(current.shape), None][: 1 + wanted]
    arguments = (
        *("leaky", "zero", False, "atan", [2.0], True, True, wanted, wanted),
        *(
            current,
            constants,
            initial,
            LAYOUTS[layout](),
            given[-1:],
            [torch.randn(initial[0].shape)],
        ),
    )
    opcheck(torch.ops.bitspike.sequence_backward.default, arguments)


SCANS = {
    "varying decay": lambda x: (x[0], torch.rand(5, 2, 6), None, None, False),
    "constant decay": lambda x: (x[0], torch.rand(6), None, torch.randn(2, 6), True),
    "outer product": lambda x: (x[0], torch.rand(5, 2, 3), torch.randn(5, 2, 3), None, False),
    "empty": lambda x: (x[0][:0], torch.rand(6), None, None, False),
}


def scan_arguments(case, grad=False):
    arguments = SCANS[case](torch.randn(1, 5, 2, 6))
    return tuple(x.requires_grad_(grad) if isinstance(x, torch.Tensor) else x for x in arguments)


@pytest.mark.parametrize("case", SCANS)
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
def test_operator_scan_forward(case, grad):
    opcheck(torch.ops.bitspike.scan_forward.default, scan_arguments(case, grad))


@pytest.mark.parametrize("case", SCANS)
@pytest.mark.parametrize("wanted", [True, False])
def test_operator_scan_backward(case, wanted):
    x, decay, key, initial, rectified = arguments = scan_arguments(case)
    outputs = torch.ops.bitspike.scan_forward(*arguments)
    need = [True, wanted, wanted and key is not None, wanted]
    opcheck(
        torch.ops.bitspike.scan_backward.default,
        (outputs, x, decay, key, initial, rectified, need, torch.ones(()).expand_as(outputs)),
    )


def recurrent_arguments(connection, sequence, grad=False):
    shape = (4, 3, 70) if sequence else (3, 70)
    weight, bias, one_to_one = torch.randn(70, 70), torch.randn(70), torch.randn(70)
    tensors = (
        torch.randn(shape),
        [torch.rand(70), torch.ones(1)],
        [torch.randn(3, 70)],
        torch.randn(3, 70),
        *((weight, bias, None) if connection == "dense" else (None, None, one_to_one)),
    )
    for x in (*tensors[1], *tensors[2], tensors[0], *tensors[3:]):
        if x is not None:
            x.requires_grad_(grad)
    return tensors


KIND = ("leaky", "subtract", False, "atan", [2.0])
connections = pytest.mark.parametrize("connection", ["dense", "one to one"])


@connections
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
def test_operator_recurrent_forward(connection, sequence, states, grad):
    tensors = recurrent_arguments(connection, sequence, grad)
    arguments = (*KIND, sequence, states, *tensors)
    # As above: the words of a sequence are integers.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    used = checks if sequence and grad else (*checks, "test_aot_dispatch_dynamic")
    opcheck(torch.ops.bitspike.recurrent_forward.default, arguments, test_utils=used)


@connections
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_operator_recurrent_backward(connection, sequence, wanted):
    tensors = recurrent_arguments(connection, sequence)
    out = torch.ops.bitspike.recurrent_forward(*KIND, sequence, False, *tensors)
    spikes, grad = (out[0], torch.randn(4, 3, 70)) if sequence else (None, None)
    others = (spikes, grad, [None], torch.randn(3, 70), [torch.randn(3, 70)])
    opcheck(
        torch.ops.bitspike.recurrent_backward.default,
        (*KIND, sequence, wanted, wanted, wanted, *tensors, *others),
    )


@pytest.mark.parametrize(
    "rows, inputs, outputs", [(9, 70, 5), (0, 70, 5), (9, 0, 5), (9, 70, 0), (1, 1, 1)]
)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
def test_operator_product(rows, inputs, outputs, bias, grad):
    weights = torch.randn(inputs, outputs, requires_grad=grad)
    other = torch.randn(outputs, requires_grad=grad) if bias else None
    opcheck(torch.ops.bitspike.product.default, (words(rows, inputs), inputs, weights, other))


@pytest.mark.parametrize(
    "rows, inputs, outputs", [(9, 70, 5), (0, 70, 5), (9, 0, 5), (9, 70, 0), (1, 1, 1)]
)
@pytest.mark.parametrize("layout", ["expanded", "transposed", "with gradient"])
def test_operator_weight_gradient(rows, inputs, outputs, layout):
    grad = torch.randn(outputs, rows).t()
    if layout == "expanded":
        grad = torch.ones(()).expand(rows, outputs)
    elif layout == "with gradient":
        grad = torch.randn(rows, outputs, requires_grad=True)
    opcheck(torch.ops.bitspike.weight_gradient.default, (words(rows, inputs), inputs, grad))


@pytest.mark.parametrize("shape", [(5, 3, 70), (70,), (0, 70), (3, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_operator_unpack(shape, dtype):
    opcheck(torch.ops.bitspike.unpack.default, (words(*shape), shape[-1], dtype))
    opcheck(
        torch.ops.bitspike.unpack.default,
        (words(*shape).expand(2, *words(*shape).shape), shape[-1], dtype),
    )


@pytest.mark.parametrize("shape", [(5, 3, 70), (0, 3, 70), (3, 0, 70), (3, 2, 0)], ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_operator_count_axis(shape, axis):
    opcheck(torch.ops.bitspike.count_axis.default, (words(*shape), axis, shape[-1]))


CONVOLUTIONS = {
    "two tiles": ((9, 3, 6, 7), (70, 3, 3, 3), ([1, 1], [1, 1], [1, 1], 1)),
    "few outputs": ((9, 3, 6, 7), (5, 3, 2, 3), ([1, 1], [0, 2], [1, 1], 1)),
    "groups": ((9, 4, 6, 7), (6, 2, 3, 1), ([2, 3], [1, 0], [2, 1], 2)),
    "no samples": ((0, 3, 6, 7), (5, 3, 2, 3), ([1, 1], [0, 2], [1, 1], 1)),
    "no outputs": ((9, 3, 6, 7), (0, 3, 2, 3), ([1, 1], [0, 2], [1, 1], 1)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
@pytest.mark.parametrize("density", [0.1, 0.9])
def test_operator_convolve(case, grad, density):
    (rows, channels, *size), weight, options = CONVOLUTIONS[case]
    packed = SpikeTensor.from_dense(random(rows, channels, *size, density=density), 3).words
    opcheck(
        torch.ops.bitspike.convolve.default,
        (
            *(packed, channels, size, grad),
            torch.randn(weight, requires_grad=grad),
            torch.randn(weight[0], requires_grad=grad) if grad else None,
            *options,
        ),
    )


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("grad", [False, True], ids=["", "grad"])
@pytest.mark.parametrize("density", [0.1, 0.9])
def test_operator_convolve_weight_gradient(case, grad, density):
    (rows, channels, *size), weight, options = CONVOLUTIONS[case]
    packed = SpikeTensor.from_dense(random(rows, channels, *size, density=density), 3).words
    arguments = (packed, channels, size, grad)
    out = torch.ops.bitspike.convolve(*arguments, torch.randn(weight), None, *options)
    upstream = torch.randn(out.shape, requires_grad=grad)
    opcheck(
        torch.ops.bitspike.convolve_weight_gradient.default,
        (*arguments, upstream, list(weight[2:]), *options),
    )


@pytest.mark.parametrize("shape", [(5, 3, 70), (70,), (0, 70), (3, 0)], ids=str)
def test_operator_swap_axes(shape):
    opcheck(torch.ops.bitspike.swap_axes.default, (words(*shape), 7, shape[-1] // 7))


@pytest.mark.parametrize("density", [0.01, 0.9])
@pytest.mark.parametrize("function", [torch.nn.functional.linear, lambda x, w: x @ w.t()])
def test_operators_are_called_below_autograd(function, density):
    weights = torch.randn(9, N, requires_grad=True)

    def run(x, weights):
        return function(x, weights)

    x = SpikeTensor.from_dense(random(300, N, density=density))
    out = compiled(run)(x, weights)
    (gradient,) = torch.autograd.grad(out.sum(), weights)
    torch.testing.assert_close(gradient, x.sum(0).expand(9, N))


def test_operators_called_by_themselves_have_gradients():
    current = torch.randn(5, 3, 70, requires_grad=True)
    constants, initial = [torch.ones(1)] * 3, [torch.zeros(3, 70)]
    layer = ("leaky", "subtract", False, "atan", [2.0], True, False, False)
    spikes, _ = torch.ops.bitspike.sequence_forward(*layer, current, constants, initial)
    (gradient,) = torch.autograd.grad(spikes.sum(), current)
    by_module, _ = snn.Leaky(beta=1.0, multi_step=True)(current)
    (expected,) = torch.autograd.grad(by_module.sum(), current)
    assert torch.equal(gradient, expected)

    x, weights = random(9, 70, density=0.3), torch.randn(70, 5, requires_grad=True)
    out = torch.ops.bitspike.product(SpikeTensor.from_dense(x).words, 70, weights, None)
    (gradient,) = torch.autograd.grad(out.square().sum(), weights)
    (expected,) = torch.autograd.grad((x @ weights).square().sum(), weights)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64], ids=str)
def test_constants_of_one_element_have_the_dtype_of_all_others(dtype):
    one, x = torch.tensor(1.0), torch.ones(4, 2, 5)
    with pytest.raises(TypeError, match="decay must be torch.float32"):
        torch.ops.bitspike.scan_forward(x, one.to(dtype), None, None, False)
    layer = ("leaky", "subtract", False, "atan", [2.0], True, False, False, x)
    with pytest.raises(TypeError, match="constants must be torch.float32"):
        torch.ops.bitspike.sequence_forward(*layer, [one, one.to(dtype), one], [x[0]])


def test_every_operator_is_checked():
    names = {name for name in dir(torch.ops.bitspike) if not name.startswith("_")}
    checked = {name.removeprefix("test_operator_") for name in globals()}
    checked |= {"program_forward", "program_backward"}  # by test_program.py
    for name in names - {"name"}:
        assert name in checked or name.removeprefix("sequence_") in checked
