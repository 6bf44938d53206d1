"""Random operations as source text, for tensors of any shape: the steps of `fuzz.py`."""

import math
from random import Random


def any_step(random: Random, shape: tuple[int, ...]) -> str:
    """An expression of ``x``, a tensor of this shape."""
    kinds, weights = zip(*KINDS, strict=True)
    kind = random.choices(kinds, weights)[0]
    return kind(random, shape)


def view(random, shape):
    rank, axis, other = len(shape), an_axis(random, shape), an_axis(random, shape)
    size = shape[axis] if shape else 1
    index = random.randint(-size, max(size - 1, 0))
    start, stop, step = random.randint(-3, 3), random.randint(-3, 5), random.randint(1, 3)
    order = random.sample(range(rank), rank)
    return random.choice(
        [
            f"x[{index}]",
            f"x[{index}]",
            f"x[{start}:{stop}:{step}]",
            f"x[..., {index}]",
            f"x[..., {start}:{stop}]",
            f"x[:, {start}:{stop}]",
            "x[None]",
            "x[..., None]",
            f"x[torch.tensor({[random.randint(0, 2) for _ in range(random.randint(0, 3))]})]",
            f"x[torch.arange(len(x)) % {step} == 0]",
            f"x.select({axis}, {index})",
            f"x.narrow({axis}, {random.randint(0, 2)}, {random.randint(0, 2)})",
            f"x.unbind({axis})[{index}]",
            f"list(x)[{index}]",
            f"x.split({random.randint(1, 3)}, {axis})[-1]",
            f"x.chunk({random.randint(1, 3)}, {axis})[0]",
            f"x.index_select({axis}, torch.tensor({[0, size - 1, 0] if size else []}).long())",
            f"x.transpose({axis}, {other})",
            f"x.permute({order})",
            f"x.movedim({axis}, {other})",
            "x.t()",
            "x.mT",
            f"x.unsqueeze({random.randint(-rank - 1, rank)})",
            f"x.squeeze({axis})",
            "x.squeeze()",
            f"x.flatten({min(axis, other)}, {max(axis, other)})",
            "x.flatten()",
            f"x.reshape({sizes(random, shape)})",
            f"x.view({sizes(random, shape)})",
            f"x.unflatten({axis}, (1, -1))",
            f"x.expand(2, *{[-1] * rank})",
            "x.expand_as(torch.stack([x, x]))",
            f"x.unfold({axis}, 1, 2)",
            "x.diagonal()",
            "x.contiguous()",
            "x.clone()",
            "x.detach()",
            "x.as_strided(x.shape, x.stride())",
        ]
    )


def joined(random, shape):
    axis = an_axis(random, shape)
    return random.choice(
        [
            f"torch.cat([x, x], {axis})",
            f"torch.cat([x, numbers(*x.shape).to(x.dtype)], {axis})",
            f"torch.stack([x, x], {axis})",
            "torch.stack([numbers(*x.shape), x])",
            "torch.hstack([x, x])",
            f"x.roll(1, {axis})",
            f"x.flip({axis})",
            f"x.repeat(2, *{[1] * len(shape)})",
            f"x.repeat_interleave(2, {axis})",
            f"F.pad(x, (1, {random.randint(0, 2)}))",
            f"x.take_along_dim(torch.zeros({[1] * len(shape)}, dtype=torch.int64), {axis})",
        ]
    )


def reduction(random, shape):
    axis, other = an_axis(random, shape), an_axis(random, shape)
    keepdim = random.choice(["", ", keepdim=True"])
    return random.choice(
        [
            "x.sum()",
            f"x.sum({axis}{keepdim})",
            f"x.sum(({axis}, {other}){keepdim})",
            f"x.sum({axis}, dtype=torch.float64)",
            "x.mean()",
            f"x.mean({axis}{keepdim})",
            "x.count_nonzero()",
            f"x.count_nonzero({axis})",
            "(x > 0).sum()",
            f"x.amax({axis})",
            f"x.max({axis}).values",
            f"x.cumsum({axis})",
            f"x.prod({axis})",
            f"x.any({axis})",
            "x.all()",
            f"x.argmax({axis})",
            f"x.var({axis}, correction=0)",
            f"x.softmax({axis})",
            f"x.diff(dim={axis})",
            f"x.sort({axis}, stable=True).values",
            "x.norm()",
            "x.nonzero()",
            "x.unique()",
            "x.float().logsumexp(-1)",
        ]
    )


def product(random, shape):
    width = shape[-1] if shape else 1
    height = shape[-2] if len(shape) > 1 else 1
    return random.choice(
        [
            f"x @ numbers({width}, 3).to(x.dtype)",
            f"numbers(2, {height}).to(x.dtype) @ x",
            f"x @ numbers({width}).to(x.dtype)",
            f"F.linear(x, numbers(3, {width}))",
            f"F.linear(x, numbers(3, {width}).to(x.dtype), numbers(3).to(x.dtype))",
            f"F.linear(x, weight({width}))",
            f"torch.addmm(numbers(3), x, numbers({width}, 3))",
            f"torch.einsum('...k,nk->...n', x, numbers(3, {width}))",
            "x @ x.mT",
            "torch.outer(x, x)",
            f"F.conv1d(x, numbers(2, {height}, 1))",
            "F.max_pool2d(x, 2)",
            "F.avg_pool2d(x, (2, 1))",
            "F.max_pool1d(x, 2)",
            f"F.layer_norm(x, ({width},))",
            "F.cosine_similarity(x, numbers(*x.shape), -1)",
        ]
    )


def arithmetic(random, shape):
    return random.choice(
        [
            "x + 1",
            "1 - x",
            "2 * x",
            "x * numbers(*x.shape)",
            "x - x",
            "x / 3",
            "1 / (x + 1)",
            "x ** 2",
            "x // 2",
            "x % 2",
            "-x",
            "x.exp()",
            "x.clamp(0.25, 0.75)",
            "torch.relu(x)",
            "torch.where(x > 0, x, 2.0)",
            "x.masked_fill(x > 0, 3)",
            "x[x > 0]",
            "torch.maximum(x, numbers(*x.shape).to(x.dtype))",
            "x.lerp(numbers(*x.shape).to(x.dtype), 0.5)",
            "x == x",
            "x.logical_not()",
            "F.relu(x, inplace=True)",
            "F.dropout(x, 0.0, inplace=True)",
            "F.hardtanh(x, -0.5, 0.5, inplace=True)",
            "torch.fft.rfft(x.float())",
        ]
    )


def augmented(random, shape):
    name = random.choice(["iadd", "isub", "imul", "itruediv", "ipow"])
    return f"operator.{name}(x, {random.choice(['2', 'numbers(*x.shape)', 'x', 'x.double()'])})"


def converted(random, shape):
    return random.choice(
        [
            *(f"x.{name}()" for name in ("float", "half", "bfloat16", "double", "int", "bool")),
            "x.to(torch.float16, copy=True)",
            "x.type_as(numbers(1))",
            "torch.as_tensor(x)",
            "torch.zeros_like(x) + x",
            "torch.from_numpy(x.detach().float().numpy())",
            "torch.from_dlpack(x.detach())",
            "copy.copy(x)",
            "copy.deepcopy(x.detach())",
            "pickle.loads(pickle.dumps(x.detach()))",
            "torch.tensor(x.tolist())",
            "x.numel() + torch.tensor(len(x))",
        ]
    )


def write(random, shape):
    """A statement that raises where ``x`` are spikes, or selected from such."""
    return random.choice(
        [
            "x.add_(1)",
            "x.mul_(x)",
            "x.fill_(1)",
            "x.zero_()",
            "x.copy_(1 - x)",
            "x.view(-1).fill_(1)",
            "x.unsqueeze(-1).select(-1, 0).fill_(1)",
            "x.clamp_(2, 3)",
            "torch.add(x, 1, out=x)",
            "torch.neg(torch.ones(x.shape), out=x[...])",
            "x.masked_fill_(x > -1, 7)",
            "x.__setitem__(..., 7)",
            "torch._foreach_add_([x], 1)",
            "torch.relu_(x)",
        ]
    )


KINDS = (
    (view, 10),
    (joined, 2),
    (reduction, 3),
    (product, 3),
    (arithmetic, 2),
    (augmented, 1),
    (converted, 2),
)


def an_axis(random, shape):
    return random.randrange(len(shape)) if shape else 0


def sizes(random, shape):
    """Sizes of another shape of as many elements."""
    left, result = math.prod(shape), []
    for _ in range(random.randint(0, 2)):
        divisors = [d for d in range(1, left + 1) if left % d == 0] if left else [0, 1, 2]
        result.append(random.choice(divisors))
        left = left // result[-1] if result[-1] else 0
    result.append(random.choice([-1, left]) if left else left)
    return tuple(result)
