"""Methods on spikes, as users write them, give the dense result; so does autograd above them."""

import pytest
import torch

import bitspike as snn
from bitspike import SpikeTensor
from helpers.alike import WEIGHTS, B, N, T, check, leaves, random

aten = torch.ops.aten


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
