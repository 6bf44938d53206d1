"""Tensors as addresses: the only file that calls ``data_ptr``.

The contract is written in ``rust/python/src/buffer.rs``: a tensor stays alive while a native call
runs, and what a call writes was allocated for it.
"""

from __future__ import annotations

import math
import sys
import threading

import torch
from torch import Tensor

Buffer = tuple[int, int]
"""Address and number of elements."""

View = tuple[Buffer, int, int, bool]
"""A sequence ``[T, B, N]``: memory, strides of time and sample, whether neurons have own values."""

Matrix = tuple[Buffer, tuple[int, int], tuple[int, int]]
"""Memory, shape and strides of a matrix."""


def buffer(x: Tensor) -> Buffer:
    """The memory of a contiguous tensor."""
    return x.data_ptr(), x.numel()


def matrix(x: Tensor) -> Matrix:
    """The memory of a matrix with any strides."""
    (rows, columns), (row, column) = x.shape, x.stride()
    reach = (rows - 1) * row + (columns - 1) * column + 1 if x.numel() else 0
    return (x.data_ptr(), reach), (rows, columns), (row, column)


def contiguous_view(x: Tensor, time: int, sample: int) -> View:
    """A view of contiguous ``[T, B, *features]`` or ``[B, *features]``, given its strides."""
    return (x.data_ptr(), x.numel()), time, sample, True


def strided_view(x: Tensor, batched: bool) -> tuple[Tensor, View]:
    """A view of ``x``, ``[T, B, *features]`` or, if not ``batched``, ``[T, *features]``.

    Strides of time and sample are free, so an expanded gradient is read in place. Features must lie
    side by side or all share one value; where they do not, the tensor is copied.

    Returns:
        The tensor that holds the memory, which must outlive the view, and the view.
    """
    lead = 2 if batched else 1
    step = _feature_stride(x, lead)
    if step is None:
        x, step = x.contiguous(), 1
    sizes, strides = x.shape[:lead], x.stride()[:lead]
    strides = tuple(0 if n == 1 else stride for n, stride in zip(sizes, strides, strict=True))
    time, sample = strides if batched else (strides[0], 0)
    features = math.prod(x.shape[lead:]) if step else 1
    last = sum((n - 1) * stride for n, stride in zip(sizes, strides, strict=True))
    reach = last + features if x.numel() else 0
    return x, ((x.data_ptr(), reach), time, sample, bool(step))


def _feature_stride(x: Tensor, lead: int) -> int | None:
    """1 if the features are contiguous, 0 if all share one value, else None."""
    expected = 1
    strides = set()
    for size, stride in reversed(list(zip(x.shape[lead:], x.stride()[lead:], strict=True))):
        if size != 1:
            strides.add(0 if stride == 0 else 1 if stride == expected else -1)
        expected *= size
    if len(strides) > 1 or -1 in strides:
        return None
    return strides.pop() if strides else 1


def constant_view(x: Tensor) -> View:
    """A view that shows the one element of ``x`` everywhere."""
    return (x.data_ptr(), 1), 0, 0, False


def row_view(x: Tensor, features: int) -> View:
    """A view of ``x``, contiguous ``[B, *features]`` or ``[*features]``, the same at all steps."""
    sample = features if x.numel() > features else 0
    return (x.data_ptr(), x.numel()), 0, sample, True


def column_view(x: Tensor, rows: int) -> View:
    """A view of contiguous ``[T, *rows]``, in which all neurons of a row share its value."""
    return (x.data_ptr(), x.numel()), rows, 1, False


class _Recycler:
    """Memory of large results, used again once nobody holds it.

    The allocator of the C library returns large blocks to the kernel, and fresh pages cost as much
    as the arithmetic that fills them: at 64 MB, more. A training loop asks for the same sizes in
    every iteration, so a few blocks serve it for ever.
    """

    SMALLEST = 1 << 20
    """Bytes below which the allocator keeps blocks by itself."""

    LIMIT = 1 << 30
    """Bytes of idle blocks that are kept."""

    def __init__(self) -> None:
        self._blocks: list[torch.UntypedStorage] = []
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        size = math.prod(shape) * dtype.itemsize
        if size < self.SMALLEST:
            return torch.empty(shape, dtype=dtype)
        with self._lock:
            return torch.empty(0, dtype=dtype).set_(self._take(size), 0, shape)  # type: ignore[call-overload, no-any-return]

    def _take(self, size: int) -> torch.UntypedStorage:
        # A block that went into shared memory, to another process, is not ours any more.
        self._blocks = blocks = [block for block in self._blocks if not block.is_shared()]
        # The most recently used are last, and caches may still hold them; the first are what the
        # program has forgotten.
        for i in reversed(range(len(blocks))):
            if blocks[i].nbytes() == size and _is_idle(blocks, i):
                blocks.append(blocks.pop(i))
                return blocks[-1]
        self._trim(self.LIMIT)
        self._blocks.append(torch.empty(size, dtype=torch.uint8).untyped_storage())
        return self._blocks[-1]

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
        self._blocks = [block for i, block in enumerate(blocks) if i not in dropped]

    def clear(self) -> None:
        with self._lock:
            self._trim(0)


def _references(blocks: list[torch.UntypedStorage], i: int) -> tuple[int, int]:
    """How many tensors and how many Python names hold a block, each counted with an offset."""
    return torch._C._storage_Use_Count(blocks[i]._cdata), sys.getrefcount(blocks[i])


# The counts of a block that only its list holds; whatever else holds it raises one of them.
_IDLE = _references([torch.UntypedStorage(0)], 0)


def _is_idle(blocks: list[torch.UntypedStorage], i: int) -> bool:
    """Whether nothing refers to a block, in this process or, by shared memory, in another."""
    return _references(blocks, i) == _IDLE and not blocks[i].is_shared()


_recycler = _Recycler()


def empty(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Uninitialised memory on the CPU for a result."""
    return _recycler.empty(shape, dtype)


def empty_cache() -> None:
    """Gives the idle memory that is kept for large results back to the system.

    Example:
        >>> import bitspike as snn
        >>> snn.empty_cache()
    """
    _recycler.clear()
