"""Operations on spikes of any shape, along any axis, and what they refuse."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import SpikeTensor
from helpers.alike import B, N, T, check, random, refused_alike

aten = torch.ops.aten


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
