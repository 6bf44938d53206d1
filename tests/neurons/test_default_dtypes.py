"""Neurons under other default dtypes and devices, and inputs that are unusual tensors."""

import copy

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import bitspike as snn
from bitspike.spikes.dense import as_dense_spikes
from helpers.cases import CASES
from helpers.three import OTHERS, flat, make

WITH_A_PRODUCT = (
    *("LinearLeaky", "LeakyParallel", "AssociativeLeaky", "SLSTM"),
    *("BatchNormTT", "BatchNormTT in use"),
)

modules = pytest.mark.parametrize("name", [*map(str, CASES), *OTHERS])


@pytest.fixture(params=["float64", "bfloat16", "meta"])
def elsewhere(request):
    """Another default dtype or device, for as long as the test runs."""
    if request.param == "meta":
        with torch.device("meta"):
            yield
        return
    torch.set_default_dtype(getattr(torch, request.param))
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def case(request):
    """A module made under the usual defaults, its input, and what training with it gives."""
    torch.manual_seed(0)
    module, x = make(request.param)
    return module, x, train(copy.deepcopy(module), x)


def train(module, x):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        leaf = x.clone().requires_grad_()
        results = [y * 1 for y in flat(module(leaf))]
        sum(y.square().sum() for y in results).backward()
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    return [*(y.detach() for y in results), leaf.grad, *grads]


@pytest.mark.parametrize("case", [*map(str, CASES), *OTHERS], indirect=True)
def test_a_module_computes_the_same_under_other_defaults(case, elsewhere):
    module, x, wanted = case
    for one in (module, copy.deepcopy(module)):
        for got, expected in zip(train(one, x), wanted, strict=True):
            assert got.dtype == expected.dtype and got.device == expected.device
            assert torch.equal(got, expected)
        one.zero_grad()


@pytest.mark.parametrize("case", ["Leaky", "Synaptic", "RLeaky", "SynapticDelay"], indirect=True)
def test_so_do_its_single_steps_and_resets(case, elsewhere):
    module, x, _ = case
    step = {"multi_step": False} if hasattr(module, "multi_step") else {"step_mode": True}
    for name, value in step.items():
        setattr(module, name, value)
    results = []
    for _ in range(2):
        module.reset_mem()
        results.append([y * 1 for current in x for y in flat(module(current))])
    for one, other in zip(*results, strict=True):
        assert one.device.type == "cpu" and one.dtype == torch.float32
        assert torch.equal(one, other)


# Inputs


@modules
def test_a_meta_input_gives_the_shapes(name):
    module, x = make(name)
    wanted = flat(module(x))
    got = flat(copy.deepcopy(module).to("meta")(x.to("meta")))
    assert [(y.shape, y.dtype, y.device.type) for y in got] == [
        (y.shape, y.dtype, "meta") for y in wanted
    ]


@modules
def test_a_fake_input_gives_the_shapes(name):
    module, x = make(name)
    wanted = flat(module(x))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        got = flat(module(mode.from_tensor(x)))
    assert [tuple(y.shape) for y in got] == [tuple(y.shape) for y in wanted]


UNUSUAL = {
    "negated": lambda x: torch._neg_view(-x),
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "expanded": lambda x: x[:1].expand(x.shape),
    "misaligned": lambda x: torch.cat([x.flatten()[:1], x.flatten()])[1:].view(x.shape),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "parameter": lambda x: torch.nn.Parameter(x),
    "packed": lambda x: snn.SpikeTensor.from_dense((x > x.mean()).float()),
    "spikes": lambda x: as_dense_spikes((x > x.mean()).float()),
    "boolean": lambda x: x > x.mean(),
}


@pytest.mark.parametrize("kind", UNUSUAL)
@modules
def test_unusual_inputs_count_their_numbers(name, kind):
    module, x = make(name)
    if name == "TimeDropout":
        module.eval()
    unusual = UNUSUAL[kind](x)
    plain = unusual.dense() if isinstance(unusual, snn.SpikeTensor) else unusual.detach() * 1.0
    plain = plain.as_subclass(torch.Tensor).clone(memory_format=torch.contiguous_format)
    if kind == "boolean" and name in WITH_A_PRODUCT:
        pytest.skip("torch multiplies no booleans")
    for got, wanted in zip(flat(module(unusual)), flat(module(plain)), strict=True):
        assert torch.allclose(got * 1.0, wanted * 1.0, rtol=1e-4, atol=1e-5)


REFUSED = {
    "sparse": lambda x: x.to_sparse(),
    "compressed": lambda x: x[0].to_sparse_csr(),
    "quantised": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
    "complex": lambda x: x.to(torch.complex64),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.filterwarnings("ignore:.*quantize")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("multi", [False, True])
def test_what_has_no_dense_numbers_is_refused_by_name(case, kind, multi):
    neuron = case.neuron(3, case.kind.RESETS[0], True, multi_step=multi)
    with pytest.raises(TypeError, match="input_ must be"):
        neuron(REFUSED[kind](torch.rand(5, 2, 3)))
