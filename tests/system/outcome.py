"""What must come of a call with an unusual tensor.

It is either right or an exception that names the argument. Right is what comes of an ordinary
tensor with the same numbers, or, where there are no numbers, what has its shape.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
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
