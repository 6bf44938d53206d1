"""Memory for results: the only way in which the native module gets something to write into.

What a kernel fills is allocated here, for that call, with dtype and device stated: they follow
neither ``torch.set_default_dtype`` nor ``torch.set_default_device``. What a kernel reads may be any
tensor; ``rust/python/src/tensor.rs`` takes or refuses it.
"""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

CPU = torch.device("cpu")


_SMALLEST = 1 << 20
"""Bytes below which the allocator of the C library keeps blocks by itself."""


class _Recycler:
    """Memory of large results, used again once nobody holds it.

    The allocator of the C library returns large blocks to the kernel, and fresh pages cost as much
    as the arithmetic that fills them: at 64 MB, more. A training loop asks for the same sizes in
    every iteration, so a few blocks serve it for ever.
    """

    LIMIT = 1 << 30
    """Bytes of idle blocks that are kept."""

    def __init__(self) -> None:
        # Replaced as a whole, and never locked: a forked child would wait for a thread that it does
        # not have, and a signal handler for the code that it interrupts. A block that a race loses
        # is not used again, and that is all.
        self._blocks: tuple[torch.UntypedStorage, ...] = ()

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        size = math.prod(shape) * dtype.itemsize
        # A block that went into shared memory, to another process, is not ours any more.
        blocks = self._blocks = tuple(block for block in self._blocks if not block.is_shared())
        # Search from the last: the most recently used block may still be in the caches, and blocks
        # of sizes that are no longer asked for move to the front, where they are dropped first.
        for i in reversed(range(len(blocks))):
            if blocks[i].nbytes() == size and _is_idle(blocks, i):
                result = _tensor(blocks[i], shape, dtype)
                if _tensors(blocks[i]) == 1:
                    self._blocks = (*blocks[:i], *blocks[i + 1 :], blocks[i])
                    return result
                break  # another thread took it at the same time, and sees so as well
        self._trim(self.LIMIT)
        block = torch.empty(size, dtype=torch.uint8, device=CPU).untyped_storage()
        result = _tensor(block, shape, dtype)
        self._blocks = (*self._blocks, block)
        return result

    def _trim(self, limit: int) -> None:
        """Lets go of idle blocks, oldest first, until they hold at most ``limit`` bytes."""
        blocks = self._blocks
        idle = [i for i in range(len(blocks)) if _is_idle(blocks, i)]
        excess = sum(blocks[i].nbytes() for i in idle) - limit
        dropped = set()
        for i in idle:
            if excess <= 0:
                break
            excess -= blocks[i].nbytes()
            dropped.add(i)
        self._blocks = tuple(block for i, block in enumerate(blocks) if i not in dropped)

    def clear(self) -> None:
        self._trim(0)


def _tensor(block: torch.UntypedStorage, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(0, dtype=dtype, device=CPU).set_(block, 0, shape)  # type: ignore[call-overload, no-any-return]


def _uses(block: torch.UntypedStorage) -> int:
    return torch._C._storage_Use_Count(block._cdata)


def _references(blocks: tuple[torch.UntypedStorage, ...], i: int) -> int:
    """How many Python references a block has, with those that this call adds."""
    return sys.getrefcount(blocks[i])


_UNUSED = (torch.UntypedStorage(0, device=CPU),)
# The counts of a block that only its tuple holds.
_IDLE_USES, _IDLE_REFERENCES = _uses(_UNUSED[0]), _references(_UNUSED, 0)


def _tensors(block: torch.UntypedStorage) -> int:
    """How many tensors hold a block."""
    return _uses(block) - _IDLE_USES


def _is_idle(blocks: tuple[torch.UntypedStorage, ...], i: int) -> bool:
    """Whether nothing refers to a block, in this process or, by shared memory, in another."""
    unused = _tensors(blocks[i]) == 0 and _references(blocks, i) == _IDLE_REFERENCES
    return unused and not blocks[i].is_shared()


_recycler = _Recycler()


def empty(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Uninitialised memory on the CPU for a result."""
    if math.prod(shape) * dtype.itemsize < _SMALLEST:
        return torch.empty(shape, dtype=dtype, device=CPU)
    return _recycler.empty(shape, dtype)


def empty_like(x: Tensor) -> Tensor:
    """Uninitialised memory for a result in the shape of a float32 tensor on the CPU."""
    if x.numel() * 4 < _SMALLEST:
        # Twice as fast as to ask for the same sizes.
        return torch.empty_like(x, memory_format=torch.contiguous_format)
    return _recycler.empty(x.shape, torch.float32)


_NUMBER = torch.zeros((), dtype=torch.float32, device=CPU)


def number() -> Tensor:
    """Uninitialised memory on the CPU for a result that is one float32 number."""
    return torch.empty_like(_NUMBER)  # three times as fast as to ask for its size


def joined(parts: tuple[Tensor, ...]) -> Tensor:
    """Rows one after another, of one dtype; a single part as it is."""
    if len(parts) == 1:
        return parts[0]
    rows = sum(x.shape[0] for x in parts)
    return torch.cat(parts, out=empty((rows, *parts[0].shape[1:]), parts[0].dtype))


def empty_cache() -> None:
    """Gives the idle memory that is kept for large results back to the system.

    Example:
        >>> import bitspike as snn
        >>> snn.empty_cache()
    """
    _recycler.clear()
