"""Every torch operation on spikes gives the dense result; those in the table give bits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
from bitspike import SpikeTensor, _aten

aten = torch.ops.aten
T, B, N = 5, 3, 70


def random(*shape, density=0.4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape or (1,), generator=generator) < density).float().view(shape)


def plain(x):
    return x.dense() if type(x) is SpikeTensor else x


def leaves(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def check(operation, *operands, packed=None, exact=True):
    """Runs an operation on spikes and on the same dense tensors, and compares.

    ``packed`` says whether the results are bits; None leaves it open.
    """
    expected = leaves(operation(*operands))
    got = leaves(operation(*(SpikeTensor.from_dense(x) for x in operands)))
    assert len(got) == len(expected)
    for x, y in zip(got, expected, strict=True):
        if not isinstance(y, torch.Tensor):
            assert x == y
            continue
        if packed is not None:
            assert type(x) is (SpikeTensor if packed else torch.Tensor)
        x = plain(x)
        assert x.shape == y.shape and x.dtype == y.dtype
        tolerance = 0 if exact else 1e-5
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance, equal_nan=True)


def refused_alike(operation, *operands):
    """Asserts that an operation raises on spikes what it raises on dense tensors."""
    with pytest.raises(Exception) as expected:
        operation(*operands)
    with pytest.raises(Exception) as got:
        operation(*(SpikeTensor.from_dense(x) for x in operands))
    assert got.type is expected.type


@pytest.fixture
def unpacked():
    """The operations that unpack during the test."""
    before = snn.unpacked_operations()

    def since():
        after = snn.unpacked_operations()
        return {
            name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)
        }

    return since


# The table

PACKED = {
    aten.detach.default: lambda f, x: f(x),
    aten.alias.default: lambda f, x: f(x),
    aten.clone.default: lambda f, x: f(x),
    aten._to_copy.default: lambda f, x: f(x, dtype=torch.bfloat16),
    aten.view.default: lambda f, x: f(x, [T * B, N]),
    aten._unsafe_view.default: lambda f, x: f(x, [B, T, N]),
    aten.reshape.default: lambda f, x: f(x, [T, B, 7, 10]),
    aten.transpose.int: lambda f, x: f(x, 1, 0),
    aten.permute.default: lambda f, x: f(x, [1, 0, 2]),
    aten.expand.default: lambda f, x: f(x, [4, T, B, N]),
    aten.unsqueeze.default: lambda f, x: f(x, 1),
    aten.squeeze.dim: lambda f, x: f(x[:, :1], 1),
    aten.select.int: lambda f, x: f(x, 0, 2),
    aten.slice.Tensor: lambda f, x: f(x, 0, 1, -1, 2),
    aten.narrow.default: lambda f, x: f(x, 1, 1, 2),
    aten.index_select.default: lambda f, x: f(x, 0, torch.tensor([3, 0, 3])),
    aten.split.Tensor: lambda f, x: f(x, 2),
    aten.split_with_sizes.default: lambda f, x: f(x, [1, 2], 1),
    aten.unbind.int: lambda f, x: f(x, 1),
    aten.index.Tensor: lambda f, x: f(x, [None, torch.tensor([2, 0])]),
    aten.cat.default: lambda f, x: f([x, x], 1),
    aten.stack.default: lambda f, x: f([x, x], 2),
}
REDUCED = {
    aten.sum.default: lambda f, x: f(x),
    aten.sum.dim_IntList: lambda f, x: f(x, [0]),
    aten.mean.default: lambda f, x: f(x),
    aten.mean.dim: lambda f, x: f(x, [0, 1], True),
    aten.count_nonzero.default: lambda f, x: f(x),
}
WEIGHTS = torch.arange(4.0 * N).view(4, N) % 7 - 3
PRODUCTS = {
    aten.mm.default: lambda f, x: f(x[0], WEIGHTS.t()),
    aten.addmm.default: lambda f, x: f(torch.arange(4.0), x[0], WEIGHTS.t()),
    aten.linear.default: lambda f, x: f(x, WEIGHTS, torch.arange(4.0)),
}
TURNED = {aten.t.default: lambda f, x: f(x[0])}
POOLED = {aten.avg_pool2d.default, aten.avg_pool2d_backward.default}
"""They take feature maps: tests/layers/test_pooling.py."""


def test_every_operation_of_the_table_is_tested():
    assert set(_aten._TABLE) == {*PACKED, *REDUCED, *PRODUCTS, *TURNED, *POOLED}


@pytest.mark.parametrize("function", [*PACKED, *TURNED], ids=str)
def test_packed_operations_keep_bits(function, unpacked):
    call = (PACKED | TURNED)[function]
    check(lambda x: call(function, x), random(T, B, N), packed=True)
    assert unpacked() == {}


@pytest.mark.parametrize("function", [*REDUCED, *PRODUCTS], ids=str)
def test_reductions_and_products_read_bits(function, unpacked):
    call = (REDUCED | PRODUCTS)[function]
    check(lambda x: call(function, x), random(T, B, N), packed=False)
    assert unpacked() == {}


@pytest.mark.parametrize("function", [*PACKED, *REDUCED, *PRODUCTS, *TURNED], ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_modes_without_gradient(function, mode, unpacked):
    call = (PACKED | REDUCED | PRODUCTS | TURNED)[function]
    dense = random(T, B, N)
    outside = SpikeTensor.from_dense(dense)
    expected = leaves(call(function, dense))
    with mode():
        for x in (outside, SpikeTensor.from_dense(dense)):
            got = leaves(call(function, x))
            assert all(torch.equal(plain(x), y) for x, y in zip(got, expected, strict=True))
            assert not any(x.requires_grad for x in got)
    assert unpacked() == {}


# Methods, as users write them

METHODS = {
    "flatten(0, 1)": lambda x: x.flatten(0, 1),
    "reshape(-1, N)": lambda x: x.reshape(-1, N),
    "view(T * B, -1)": lambda x: x.view(T * B, -1),
    "unflatten features": lambda x: x.unflatten(2, (7, 10)),
    "unflatten time": lambda x: x.unflatten(0, (1, -1)),
    "x[0]": lambda x: x[0],
    "x[-1, 1]": lambda x: x[-1, 1],
    "x[1:3]": lambda x: x[1:3],
    "x[::2, 1:]": lambda x: x[::2, 1:],
    "x[..., None, :]": lambda x: x[..., None, :],
    "x[None]": lambda x: x[None],
    "x[...]": lambda x: x[...],
    "x[[3, 0]]": lambda x: x[[3, 0]],
    "x[:, [2, 0]]": lambda x: x[:, [2, 0]],
    "x[[0, 1], [2, 0]]": lambda x: x[[0, 1], [2, 0]],
    "x[mask of time]": lambda x: x[torch.arange(T) % 2 == 0],
    "x[:, mask of batch]": lambda x: x[:, torch.arange(B) > 0],
    "x[mask of both]": lambda x: x[(torch.arange(T)[:, None] + torch.arange(B)) % 2 == 0],
    "x[matrix of indices]": lambda x: x[torch.tensor([[0, 1], [2, 4]])],
    "chunk": lambda x: x.chunk(2),
    "split in batch": lambda x: x.split(2, -2),
    "tensor_split": lambda x: x.tensor_split(3),
    "unbind": lambda x: x.unbind(-3),
    "iteration": lambda x: list(x),
    "movedim": lambda x: x.movedim(0, 1),
    "swapaxes": lambda x: x.swapaxes(-2, -3),
    "contiguous": lambda x: x.transpose(0, 1).contiguous(),
    "x[0].T": lambda x: x[0].T,
    "x[0].mT": lambda x: x[0].mT,
    "x[0].t().t()": lambda x: x[0].t().t(),
    "transposed clone": lambda x: x[0].t().clone(),
    "expand_as": lambda x: x[:1].expand_as(x),
    "broadcast_to": lambda x: x.broadcast_to(2, T, B, N),
    "expand(-1)": lambda x: x[:, :1].expand(-1, 4, -1),
    "squeeze, nothing to do": lambda x: x.squeeze(0),
    "unsqueeze(-1)": lambda x: x.unsqueeze(-1),
    "float": lambda x: x.float(),
    "half": lambda x: x.half(),
    "to": lambda x: x.to("cpu", torch.bfloat16, copy=True),
    "vstack": lambda x: torch.vstack([x, x]),
    "cat in time": lambda x: torch.cat([x[1:], x[:1]]),
    "stack": lambda x: torch.stack([x[1], x[0]]),
    "take one row": lambda x: x.select(-2, 0),
    "dropout at rest": lambda x: torch.nn.functional.dropout(x, 0.5, training=False),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_keep_bits(name, unpacked):
    check(METHODS[name], random(T, B, N), packed=True)
    assert unpacked() == {}
    with torch.inference_mode():
        check(METHODS[name], random(T, B, N), packed=True)
    assert unpacked() == {}


OTHERS = {
    "x + 1": lambda x: x + 1,
    "2 * x": lambda x: 2 * x,
    "1 - x": lambda x: 1 - x,
    "-x": lambda x: -x,
    "x + x": lambda x: x + x,
    "x * x": lambda x: x * x,
    "x / 2": lambda x: x / 2,
    "x ** 2": lambda x: x**2,
    "x > 0": lambda x: x > 0,
    "x == x": lambda x: x == x,
    "exp": torch.exp,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "clamp": lambda x: x.clamp(0, 0.5),
    "double": lambda x: x.double(),
    "long": lambda x: x.long(),
    "bool": lambda x: x.bool(),
    "any": lambda x: x.any(),
    "all": lambda x: x.all(0),
    "max": lambda x: x.max(),
    "max over time": lambda x: x.max(0),
    "argmax": lambda x: x.argmax(0),
    "amax": lambda x: x.amax((0, 1)),
    "cumsum": lambda x: x.cumsum(0),
    "var": lambda x: x.var(0),
    "norm": lambda x: x.norm(),
    "prod": lambda x: x.prod(0),
    "sum in double": lambda x: x.sum(0, dtype=torch.float64),
    "sum of features": lambda x: x.sum(-1),
    "mean of features": lambda x: x.mean(2, keepdim=True),
    "count of features": lambda x: x.count_nonzero(2),
    "count of two axes": lambda x: x.count_nonzero((0, 1)),
    "where": lambda x: torch.where(x > 0, 2.0, x),
    "masked_fill": lambda x: x.masked_fill(x > 0, 3),
    "masked_select": lambda x: x.masked_select(x > 0),
    "x[x > 0]": lambda x: x[x > 0],
    "x[..., 0]": lambda x: x[..., 0],
    "x[:, :, 3:65]": lambda x: x[:, :, 3:65],
    "x[:, :, [1, 69]]": lambda x: x[:, :, [1, 69]],
    "x[1, 2, 69]": lambda x: x[1, 2, 69],
    "select feature": lambda x: x.select(2, 5),
    "split features": lambda x: x.split(32, 2),
    "unbind features": lambda x: x[:, :, :3].unbind(2),
    "cat of features": lambda x: torch.cat([x, x], -1),
    "cat with floats": lambda x: torch.cat([x, torch.full((1, B, N), 0.5)]),
    "stack with floats": lambda x: torch.stack([torch.full((T, B, N), 0.5), x]),
    "stack behind features": lambda x: torch.stack([x, x], -1),
    "flatten": lambda x: x.flatten(),
    "flatten(1)": lambda x: x.flatten(1),
    "permute features": lambda x: x.permute(2, 0, 1),
    "transpose features": lambda x: x.transpose(1, 2),
    "x.mT": lambda x: x.mT,
    "expand features": lambda x: x[:, :, None].expand(T, B, 2, N),
    "roll": lambda x: x.roll(1, 0),
    "flip": lambda x: x.flip(0),
    "repeat": lambda x: x.repeat(2, 1, 1),
    "gather": lambda x: x.gather(0, torch.ones(1, B, N, dtype=torch.int64)),
    "take_along_dim": lambda x: x.take_along_dim(torch.ones(1, B, N, dtype=torch.int64), 0),
    "sort": lambda x: x.sort(dim=2, stable=True),
    "topk": lambda x: x.topk(3, dim=2)[0],
    "nonzero": lambda x: x.nonzero(),
    "unique": lambda x: x.unique(),
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(0, 2, 1),
    "diff": lambda x: x.diff(dim=0),
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "new_zeros": lambda x: x.new_zeros(3),
    "full_like": lambda x: torch.full_like(x, 2),
    "pad": lambda x: torch.nn.functional.pad(x, (1, 2)),
    "one-dimensional convolution": lambda x: torch.nn.functional.conv1d(x, torch.ones(2, B, 3)),
    "convolution": lambda x: torch.nn.functional.conv2d(
        x.view(T, B, 7, 10), torch.ones(2, B, 3, 3)
    ),
    "max_pool2d": lambda x: torch.nn.functional.max_pool2d(x.view(T, B, 7, 10), 2),
    "avg_pool1d": lambda x: torch.nn.functional.avg_pool1d(x, 2),
    "softmax": lambda x: x.softmax(-1),
    "cross entropy": lambda x: torch.nn.functional.cross_entropy(x.sum(0), torch.tensor([0, 1, 2])),
    "mse": lambda x: torch.nn.functional.mse_loss(x, torch.full((T, B, N), 0.5)),
    "batch norm": lambda x: torch.nn.functional.batch_norm(
        x, torch.zeros(B), torch.ones(B), training=False
    ),
    "layer norm": lambda x: torch.nn.functional.layer_norm(x, (N,)),
    "bmm": lambda x: torch.bmm(x, WEIGHTS.t().expand(T, N, 4)),
    "matrix times vector": lambda x: x[0] @ WEIGHTS[0],
    "vector times matrix": lambda x: x[0, 0] @ WEIGHTS.t(),
    "dot": lambda x: x[0, 0] @ x[1, 0],
    "spikes times spikes": lambda x: x[0] @ x[1].t(),
    "einsum": lambda x: torch.einsum("tbk,nk->tbn", x, WEIGHTS),
    "scaled addmm": lambda x: torch.addmm(torch.ones(4), x[0], WEIGHTS.t(), alpha=2),
    "addmm with a matrix": lambda x: torch.addmm(torch.ones(B, 4), x[0], WEIGHTS.t()),
    "outer": lambda x: torch.outer(x[0, 0], x[1, 0]),
    "transposed sum": lambda x: x[0].t().sum(0),
    "transposed mean": lambda x: x[0].t().mean(1),
    "transposed index": lambda x: x[0].t()[3],
    "transposed flatten": lambda x: x[0].t().flatten(),
    "transposed cat": lambda x: torch.cat([x[0].t(), x[1].t()]),
    "transposed stack": lambda x: torch.stack([x[0].t(), x[1].t()]),
    "isnan": torch.isnan,
    "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x),
    "numel": lambda x: x.numel(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_operations_give_the_dense_result(name):
    check(OTHERS[name], random(T, B, N), exact=name not in ("norm", "cross entropy", "mse"))
    with torch.inference_mode():
        check(OTHERS[name], random(T, B, N), exact=name not in ("norm", "cross entropy", "mse"))


def test_unpacking_is_counted(unpacked):
    x = SpikeTensor.from_dense(random(T, B, N))
    x.exp(), x.exp(), x + 1
    x.flatten(0, 1).sum(0)
    assert unpacked() == {"aten.exp.default": 2, "aten.add.Tensor": 1}
    counts = list(snn.unpacked_operations().values())
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(
    "name", ["sum", "sum(0)", "mean(0)", "mean", "count_nonzero", "count_nonzero(0)"]
)
def test_reductions_in_half_precision(name, dtype):
    function = {
        "sum": lambda x: x.sum(),
        "sum(0)": lambda x: x.sum(0),
        "mean(0)": lambda x: x.mean(0),
        "mean": lambda x: x.mean(),
        "count_nonzero": lambda x: x.count_nonzero(),
        "count_nonzero(0)": lambda x: x.count_nonzero(0),
    }[name]
    check(function, random(701, 2, 5, density=0.9).to(dtype), packed=False)


def test_counting_is_exact_beyond_float32():
    ones = SpikeTensor(torch.full((2**18, 1), -1), (64,))
    last = SpikeTensor(torch.ones(1, 1, dtype=torch.int64), (64,))
    assert torch.cat([ones, last]).count_nonzero() == 2**24 + 1


# Any shape, any axis

shapes = st.lists(st.integers(0, 3), min_size=0, max_size=3).flatmap(
    lambda lead: st.sampled_from([0, 1, 3, 64, 66]).map(lambda n: (*lead, n))
)


@st.composite
def spikes(draw, min_dim=1):
    shape = draw(shapes.filter(lambda shape: len(shape) >= min_dim))
    return random(*shape, seed=draw(st.integers(0, 99)))


def an_axis(draw, rank):
    return draw(st.integers(-rank, rank - 1))


@given(st.data(), spikes(), st.booleans(), st.sampled_from(["sum", "mean"]))
def test_reductions(data, x, keepdim, name):
    rank = x.dim()
    axes = data.draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank))
    axes = [axis - rank if data.draw(st.booleans()) else axis for axis in axes]
    check(lambda x: getattr(x, name)(axes, keepdim=keepdim), x, packed=False)
    check(lambda x: x.count_nonzero(axes[0] if axes else None), x, packed=False)


@given(st.data(), spikes())
def test_selections(data, x):
    axis = an_axis(data.draw, x.dim())
    packed = axis % x.dim() < SpikeTensor.from_dense(x).rows or None
    size = x.shape[axis]
    start, stop = data.draw(st.integers(-4, 4)), data.draw(st.integers(-4, 4))
    step = data.draw(st.integers(1, 3))
    check(lambda x: aten.slice.Tensor(x, axis, start, stop, step), x, packed=packed)
    if size:
        index = data.draw(st.integers(-size, size - 1))
        check(lambda x: x.select(axis, index), x, packed=packed)
        check(lambda x: x.unbind(axis), x, packed=packed)
        chosen = torch.tensor(
            data.draw(st.lists(st.integers(0, size - 1), max_size=4)), dtype=torch.int64
        )
        check(lambda x: x.index_select(axis, chosen), x, packed=packed)
    width = data.draw(st.integers(1, 4))
    check(lambda x: x.split(width, axis), x, packed=packed)
    check(lambda x: x.chunk(width, axis), x, packed=packed)
    check(lambda x: x.squeeze(axis), x)


@given(st.data(), spikes())
def test_indices_of_all_kinds(data, x):
    items = []
    for size in x.shape:
        kinds = ["slice", "none", "mask"] + ["integer", "list"] * (size > 0)
        kind = data.draw(st.sampled_from(kinds))
        if kind == "slice":
            items.append(slice(data.draw(st.integers(-3, 3)), None, data.draw(st.integers(1, 2))))
        elif kind == "none":
            items += [None, slice(None)]
        elif kind == "mask":
            items.append(torch.ones(size, dtype=torch.bool))
        elif kind == "integer":
            items.append(data.draw(st.integers(-size, size - 1)))
        else:
            items.append(torch.tensor([data.draw(st.integers(-size, size - 1))]))
    cut = data.draw(st.integers(0, len(items)))
    items = items[:cut]
    if data.draw(st.booleans()):
        items.insert(data.draw(st.integers(0, cut)), ...)
    try:
        x[tuple(items)]
    except IndexError:
        refused_alike(lambda x: x[tuple(items)], x)
    else:
        check(lambda x: x[tuple(items)], x)


@given(st.data(), spikes())
def test_joins(data, x):
    for join, rank in ((torch.cat, x.dim()), (torch.stack, x.dim() + 1)):
        axis = an_axis(data.draw, rank)
        check(lambda x: join([x, x, x], axis), x)  # noqa: B023
        check(lambda x: join([x, torch.full(x.shape, 0.5)], axis), x, packed=False)  # noqa: B023


@given(st.data(), spikes())
def test_rearrangements(data, x):
    rank = x.dim()
    first, second = an_axis(data.draw, rank), an_axis(data.draw, rank)
    axes = data.draw(st.permutations(range(rank)))
    check(lambda x: x.transpose(first, second), x)
    check(lambda x: x.permute(axes), x)
    check(lambda x: x.permute(axes).contiguous(), x)
    check(lambda x: x.transpose(first, second).sum(0), x)
    check(lambda x: x.unsqueeze(an_axis(data.draw, 1) if rank == 0 else first), x, packed=True)
    lead = data.draw(st.lists(st.integers(0, 3), max_size=2))
    size = [4 if n == 1 and data.draw(st.booleans()) else -1 for n in x.shape]
    check(lambda x: x.expand(*lead, *size), x)


@given(st.data(), spikes())
def test_views(data, x):
    numel = x.numel()
    size, left = [], numel
    for _ in range(data.draw(st.integers(0, 4))):
        divisors = [d for d in range(1, left + 1) if left % d == 0] if left else [0, 1, 2]
        size.append(data.draw(st.sampled_from(divisors)))
        left = left // size[-1] if size[-1] else 0
    if numel:
        size.append(left)
        if data.draw(st.booleans()):
            size[data.draw(st.integers(0, len(size) - 1))] = -1
    elif 0 not in size:
        size.append(0)
    check(lambda x: x.view(size), x)
    check(lambda x: x.reshape(size), x)
    start, end = sorted(
        (data.draw(st.integers(0, x.dim() - 1)), data.draw(st.integers(0, x.dim() - 1)))
    )
    check(lambda x: x.flatten(start, end), x)


def test_no_axes_at_all():
    x = torch.tensor(1.0)
    for function in (
        lambda x: x.sum(),
        lambda x: x.sum(0),
        lambda x: x.mean(-1),
        lambda x: x.count_nonzero(0),
        lambda x: x.squeeze(0),
        lambda x: x.unsqueeze(0),
        lambda x: x.transpose(0, -1),
        lambda x: x.index_select(0, torch.tensor([0])),
        lambda x: x.view(1, 1),
        lambda x: x.expand(2, 3),
        lambda x: x[...],
        lambda x: x[None],
        lambda x: torch.stack([x, x]),
    ):
        check(function, x)
    refused_alike(lambda x: x.unbind(0), x)


BAD = {
    "sum": lambda x: x.sum(3),
    "sum, negative": lambda x: x.sum(-4),
    "sum, twice": lambda x: x.sum((0, -3)),
    "mean": lambda x: x.mean(3),
    "count_nonzero": lambda x: x.count_nonzero(3),
    "transpose": lambda x: x.transpose(0, 5),
    "permute": lambda x: x.permute(0, 1, 5),
    "permute, twice": lambda x: x.permute(0, 0, 2),
    "permute, few": lambda x: x.permute(0, 1),
    "unsqueeze": lambda x: x.unsqueeze(5),
    "squeeze": lambda x: x.squeeze(5),
    "select": lambda x: x.select(3, 0),
    "select, far": lambda x: x[T],
    "slice": lambda x: aten.slice.Tensor(x, 3, 0, 1),
    "narrow": lambda x: x.narrow(0, 2, T),
    "index_select": lambda x: x.index_select(3, torch.tensor([0])),
    "index_select, far": lambda x: x.index_select(0, torch.tensor([T])),
    "index, far": lambda x: x[torch.tensor([T])],
    "index, many": lambda x: x[0, 0, 0, 0],
    "index, wrong mask": lambda x: x[torch.ones(T + 1, dtype=torch.bool)],
    "unbind": lambda x: x.unbind(3),
    "split": lambda x: x.split(2, 3),
    "split, wrong sum": lambda x: x.split([1, 1]),
    "cat": lambda x: torch.cat([x, x], 3),
    "cat, unequal": lambda x: torch.cat([x, x[:, :1]]),
    "stack": lambda x: torch.stack([x, x], 4),
    "stack, unequal": lambda x: torch.stack([x, x[1:]]),
    "expand": lambda x: x.expand(7, B, N),
    "expand, few": lambda x: x.expand(N),
    "expand features": lambda x: x.expand(T, B, N + 1),
    "view": lambda x: x.view(11, -1),
    "view, twice": lambda x: x.view(-1, -1),
    "view, negative": lambda x: x.view(-2, 3),
    "mm": lambda x: torch.mm(x[0], torch.ones(N + 1, 2)),
    "mm, vector": lambda x: torch.mm(x[0], torch.ones(N)),
    "mm, double": lambda x: torch.mm(x[0], torch.ones(N, 2).double()),
    "mm, three axes": lambda x: torch.mm(x, torch.ones(N, 2)),
    "addmm, bias": lambda x: torch.addmm(torch.ones(3), x[0], torch.ones(N, 2)),
    "linear": lambda x: torch.nn.functional.linear(x, torch.ones(2, N + 1)),
    "linear, bias": lambda x: torch.nn.functional.linear(x, torch.ones(2, N), torch.ones(3)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_torch_refuses_is_refused(name):
    refused_alike(BAD[name], random(T, B, N))
    with torch.inference_mode():
        refused_alike(BAD[name], random(T, B, N))


# Autograd above the table

DIFFERENTIABLE = {
    **{name: METHODS[name] for name in METHODS if name not in ("float", "half", "to")},
    **{
        name: OTHERS[name]
        for name in ("x + 1", "2 * x", "x * x", "exp", "x[..., 0]", "flatten(1)", "sum of features")
    },
    "sum": lambda x: x.sum(),
    "sum(0)": lambda x: x.sum(0),
    "mean((0, 1))": lambda x: x.mean((0, 1)),
    "linear": lambda x: torch.nn.functional.linear(x, WEIGHTS),
    "x[0].T @ G": lambda x: x[0].T @ torch.ones(B, 2),
    "sum(0)[idx] of cat": lambda x: torch.cat([x, x[:1]]).sum(0)[[1, 0]],
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name):
    gradients = []
    for make in (lambda x: x, SpikeTensor.from_dense):
        x = make(random(T, B, N)).requires_grad_()
        outputs = leaves(DIFFERENTIABLE[name](x))
        sum((y * (torch.arange(y.numel()).view(y.shape) % 5)).sum() for y in outputs).backward()
        gradients.append(x.grad)
    assert type(gradients[1]) is torch.Tensor
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-6, atol=1e-6)
