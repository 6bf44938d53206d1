"""Unusual tensors: each kind makes one of an ordinary tensor."""

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from outcome import Inapplicable, Kind, itself
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

import bitspike as snn

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
