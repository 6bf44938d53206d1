"""Unusual tensors: each kind makes one of an ordinary tensor, and says what must come of it.

What a function makes of an unusual tensor is either right or an exception that names the argument.
Right is what it makes of an ordinary one with the same numbers, or, where there are no numbers,
what has its shape.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

import bitspike as snn


@dataclass(frozen=True)
class Use:
    """A valid call of something public, as a function of one of its tensors."""

    of: Any
    """What is called: a function, a class, or a method of one."""
    parameter: str
    """The name of the argument, as in the signature."""
    example: Tensor
    """An ordinary tensor that it takes."""
    call: Callable[[Any], Any]
    """The call. Its result is a tree of tensors and numbers."""
    named: str = ""
    """What errors call the argument, a regular expression; by default what the signature does."""
    random: bool = False
    """Whether the result depends on random numbers, which other dtypes draw otherwise."""
    says: str = ""
    """What tells this use from others of the same argument."""
    without: tuple[str, ...] = ()
    """Kinds of tensors that what else takes part in the call has no answer to."""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.of.__qualname__, self.parameter, self.says)))


OF_A_MODEL = r"x\b|on the same device"
"""What errors of a function say that runs a model: torch names the device of its weights."""


def itself(x: Tensor) -> Tensor:
    return x


def close(got: Tensor, wanted: Tensor, tolerance: float) -> bool:
    if got.is_meta:
        return False
    numbers = [x.detach().cpu().double() for x in (got, wanted)]
    return got.shape == wanted.shape and torch.allclose(
        *numbers, rtol=tolerance, atol=tolerance, equal_nan=True
    )


@dataclass(frozen=True)
class Kind:
    """A kind of unusual tensor."""

    make: Callable[[Tensor], Any]
    """Of an ordinary tensor; raises `Inapplicable` if there is none of its dtype or shape."""
    plain: Callable[[Tensor], Tensor] = itself
    """The ordinary tensor with the same numbers."""
    run: Callable[[Callable[[Any], Any], Any], Any] = lambda call, x: call(x)
    """How to call with it."""
    same_dtype: bool = True
    """Whether results have the dtype that they have for the ordinary tensor."""
    same_draws: bool = True
    """Whether it takes the random numbers that the ordinary tensor takes."""
    tolerance: float = 1e-6
    right: Callable[[Tensor, Tensor, float], bool] = close
    """Whether a result is right, given the wanted one."""


HIDDEN = "must have values to look at"
"""What errors say of tensors without values. Where all tensors are fake, they may name others."""


class Inapplicable(Exception):
    """There is no such tensor of this dtype or shape."""


def outcome(use: Use, kind: Kind) -> str | None:
    """What is wrong with what a use makes of a kind of tensor, or None."""
    try:
        plain, unusual = kind.plain(use.example.clone()), kind.make(use.example.clone())
    except Inapplicable:
        return None
    torch.manual_seed(1)
    try:
        wanted = _leaves(use.call(plain))
    except Exception:  # Also the ordinary tensor has numbers that are refused.
        wanted = None
    torch.manual_seed(1)
    try:
        got = _leaves(kind.run(use.call, unusual))
    except (TypeError, ValueError, RuntimeError) as error:
        named = rf"\b({use.named or use.parameter})\b|{HIDDEN}"
        return None if re.search(named, str(error)) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if wanted is None:
        return "the same numbers in an ordinary tensor are refused"
    if len(got) != len(wanted):
        return f"{len(got)} results, not {len(wanted)}"
    if use.random and not kind.same_draws:
        return None if [x.shape for x in got] == [x.shape for x in wanted] else "other shapes"
    for a, b in zip(got, wanted, strict=True):
        if kind.same_dtype and a.dtype != b.dtype:
            return f"{a.dtype}, not {b.dtype}"
        if not kind.right(a, b, kind.tolerance):
            return f"{a}, not {b}"
    return None


def _leaves(result: Any) -> list[Tensor]:
    """The tensors of a result, packed or not, and its numbers."""
    leaves = [x for x in tree_leaves(result) if x is not None]
    return [_dense(x) if isinstance(x, Tensor) else torch.as_tensor(x) for x in leaves]


def _dense(x: Tensor) -> Tensor:
    if isinstance(x, snn.SpikeTensor):
        return x if x.words.is_meta or isinstance(x.words, FakeTensor) else x.dense()
    return x if x.layout is torch.strided else x.to_dense()


# Memory that is read in another way than it seems.


def negative(x: Tensor) -> Tensor:
    if x.dtype == torch.bool:
        raise Inapplicable
    return torch._neg_view(-x)


def imaginary(x: Tensor) -> Tensor:
    if not x.is_floating_point():
        raise Inapplicable
    return torch.complex(torch.zeros_like(x), -x).conj().imag


def misaligned(x: Tensor) -> Tensor:
    """The same numbers, one byte behind an address that suits them."""
    if not x.numel():
        raise Inapplicable
    memory = bytearray(1) + bytearray(x.contiguous().numpy().tobytes())
    return torch.frombuffer(memory, dtype=x.dtype, offset=1).view(x.shape)


def spread_out(x: Tensor) -> Tensor:
    return torch.stack([x, torch.ones_like(x), x], -1)[..., 2]


def backwards(x: Tensor) -> Tensor:
    axes = tuple(reversed(range(x.dim())))
    return x.permute(axes).contiguous().permute(axes)


def first(x: Tensor) -> Tensor:
    """Of the same shape, with the numbers of the first row everywhere."""
    if not x.dim() or not len(x):
        raise Inapplicable
    return x[:1].expand(x.shape)


# Tensors of other types, and what is none.


class Subclass(Tensor):
    pass


def in_inference_mode(x: Tensor) -> Tensor:
    with torch.inference_mode():
        return x.clone()


def leaf(x: Tensor) -> Tensor:
    if not x.is_floating_point():
        raise Inapplicable
    return x.requires_grad_()


def binary(x: Tensor) -> Tensor:
    return (x > 0.5).float()


def packed(x: Tensor) -> Tensor:
    return snn.SpikeTensor.from_dense(binary(x))


# What has no numbers, or hides them.


def as_meta(x: Tensor) -> Tensor:
    return x.to("meta")


def has_its_shape(got: Tensor, wanted: Tensor, _: float) -> bool:
    words = got.words if isinstance(got, snn.SpikeTensor) else got
    return got.shape == wanted.shape and (words.is_meta or isinstance(words, FakeTensor))


def among_fakes(call: Callable[[Any], Any], x: Tensor) -> Any:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return call(mode.from_tensor(x))


def batched(call: Callable[[Any], Any], x: Tensor) -> Any:
    both = torch.func.vmap(call, randomness="different")(torch.stack([x, x]))
    return [result[1] for result in tree_leaves(both)]


def differentiated(call: Callable[[Any], Any], x: Tensor) -> Any:
    if not x.is_floating_point():
        return call(x)

    def function(x: Tensor) -> tuple[Tensor, Any]:
        result = tree_leaves(call(x))
        return (x * 0).sum(), [torch.as_tensor(leaf) for leaf in result]

    return torch.func.grad(function, has_aux=True)(x)[1]


# Numbers of other dtypes.


def cast(dtype: torch.dtype) -> Kind:
    """Halves and whole numbers have all bits of float32 here, so that results are as exact."""
    wide = dtype if dtype == torch.float64 else torch.float32
    return Kind(
        lambda x: x.to(dtype),
        lambda x: x.to(dtype).to(wide),
        same_dtype=False,
        same_draws=False,
        tolerance=2e-2 if dtype in (torch.bfloat16, torch.float16) else 1e-6,
    )


def as_complex(x: Tensor) -> Tensor:
    return torch.complex(x.float(), torch.zeros(x.shape))


# Memory of other layouts.


def compressed(x: Tensor) -> Tensor:
    if x.dim() != 2:
        raise Inapplicable
    return x.to_sparse_csr()


def quantised(x: Tensor) -> Tensor:
    return torch.quantize_per_tensor(x.float(), 1.0, 0, torch.qint8)


def of_mkldnn(x: Tensor) -> Tensor:
    if not x.dim() or x.dtype != torch.float32:
        raise Inapplicable
    return x.to_mkldnn()


# Another state of torch.


def by_default(**defaults: Any) -> Kind:
    """An ordinary tensor, where memory without a dtype or a device is other than usual."""

    def run(call: Callable[[Any], Any], x: Tensor) -> Any:
        with default(**defaults):
            return call(x)

    return Kind(itself, run=run, tolerance=0)


@contextlib.contextmanager
def default(dtype: torch.dtype = torch.float32, device: str = "cpu"):
    """``torch.set_default_dtype`` and ``torch.set_default_device``, for the context."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device) if device != "cpu" else contextlib.nullcontext():
            yield
    finally:
        torch.set_default_dtype(before)


# Numbers at the edge.


def with_a(number: float) -> Kind:
    def make(x: Tensor) -> Tensor:
        if not x.is_floating_point() or not x.numel():
            raise Inapplicable
        x.flatten()[-1] = number
        return x

    return Kind(make, make)


def lone(x: Tensor) -> Tensor:
    return x.flatten()[0]


def empty(x: Tensor) -> Tensor:
    if not x.dim():
        raise Inapplicable
    return x[:0]


def parameter(x: Tensor) -> Tensor:
    return torch.nn.Parameter(x, requires_grad=x.is_floating_point())


ON_CUDA = Kind(Tensor.cuda, same_draws=False)

KINDS = {
    "negative": Kind(negative),
    "imaginary": Kind(imaginary),
    "misaligned": Kind(misaligned),
    "spread out": Kind(spread_out),
    "backwards": Kind(backwards),
    "expanded": Kind(first, lambda x: first(x).clone()),
    "array": Kind(Tensor.numpy),
    "list": Kind(Tensor.tolist),
    "subclass": Kind(lambda x: x.as_subclass(Subclass)),
    "parameter": Kind(parameter),
    "leaf": Kind(leaf),
    "of a graph": Kind(lambda x: leaf(x) * 1),
    "inference": Kind(in_inference_mode),
    "DenseSpikes": Kind(lambda x: binary(x).as_subclass(snn.DenseSpikes), binary),
    "SpikeTensor": Kind(packed, binary),
    "meta": Kind(as_meta, right=has_its_shape),
    "fake": Kind(itself, run=among_fakes, right=has_its_shape),
    "vmap": Kind(itself, run=batched, same_draws=False),
    "func.grad": Kind(itself, run=differentiated),
    "complex": Kind(as_complex, Tensor.float),
    "conjugated": Kind(lambda x: as_complex(x).conj(), Tensor.float),
    "sparse": Kind(Tensor.to_sparse),
    "compressed": Kind(compressed),
    "quantised": Kind(quantised, lambda x: quantised(x).dequantize()),
    "mkldnn": Kind(of_mkldnn),
    "nested": Kind(lambda x: torch.nested.nested_tensor([x, x]), lambda x: torch.stack([x, x])),
    "default float64": by_default(dtype=torch.float64),
    "default bfloat16": by_default(dtype=torch.bfloat16),
    "default device": by_default(device="meta"),
    "NaN": with_a(float("nan")),
    "inf": with_a(float("inf")),
    "-inf": with_a(float("-inf")),
    "no axis": Kind(lone, lone),
    "empty": Kind(empty, empty),
    **{
        str(dtype).removeprefix("torch."): cast(dtype)
        for dtype in (
            torch.bool,
            torch.int8,
            torch.uint8,
            torch.uint16,
            torch.int64,
            torch.float64,
            torch.bfloat16,
            torch.float16,
            torch.float8_e4m3fn,
        )
    },
}
