"""Spikes as a tensor that costs one bit each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Size, Tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from bitspike.arguments import as_tensor
from bitspike.ops import spikes as ops
from bitspike.ops.buffer import CPU
from bitspike.ops.route import defers_to_other_operand, is_traced

from ._in_place import OutOfPlace
from ._memory import NoMemory
from ._words import (
    arranged,
    channels_last_strides,
    expect_padded,
    pack_dense,
    pack_events,
    unpack_events,
    version,
)
from .gradient import DenseGradient


class SpikeTensor(OutOfPlace, NoMemory, torch.Tensor):
    """A tensor of zeros and ones that holds one bit per element.

    It is logically float32 (bfloat16 or float16 under autocast) of shape ``[T, B, *features]``,
    and any torch operation takes it: ``nn.Linear``, ``nn.Conv1d`` and ``nn.Conv2d``, products,
    sums over time, slices of time and batch work on the bits; every other operation unpacks and
    gives the dense result (:func:`bitspike.unpacked_operations` counts them). Gradients with
    respect to it are dense.

    Neuron ``n`` of a row is bit ``n % 64`` of int64 word ``n // 64``; a row is all features of one
    sample at one step, padded with zeros to whole words. Feature maps ``[C, H, W]`` that come from
    a current in torch's ``channels_last`` memory, which some networks ask for, are in its order,
    ``[H, W, C]``: then ``channels_last`` is True, and :meth:`channels_first` gives the same spikes
    in the order of their axes.

    Writing into it raises ``RuntimeError``, and so does writing into what is selected from it, also
    where that is an unpacked copy. What may give a new tensor does: ``spikes += x``, and modules
    with ``inplace=True``. It lives on the CPU: on another device it arrives as an ordinary tensor,
    though as bits on its way. It has no memory of numbers: ``data_ptr`` raises.

    Args:
        words: int64 ``[*rows, ceil(N / 64)]`` with ``N`` the product of ``features``, on the CPU.
            They are shared. If they are written after an operation that needs them for its
            gradient, ``backward`` raises ``RuntimeError``.
        features: The shape of one row.
        dtype: The logical dtype.

    Raises:
        ValueError: if the words do not fit the features, or have bits behind the last neuron.
        TypeError: for another logical dtype.

    Example:
        >>> import torch, bitspike as snn
        >>> spikes = snn.SpikeTensor.from_dense(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
        >>> spikes
        SpikeTensor(shape=(2, 3), density=0.5, 16 bytes)
        >>> spikes.sum(0)
        tensor([0., 1., 2.])
    """

    call: ClassVar[Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]]
    """Calls a torch function, above autograd; ``table.py`` sets it."""
    dispatch: ClassVar[Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]]
    """Runs an operation below autograd; ``table.py`` sets it."""

    words: Tensor
    features: Size
    is_transposed: bool
    channels_last: bool
    """Whether the neurons of a row lie with the first feature, the channel, last."""
    words_version: int | None
    """The version counter of the words when this tensor was made; None if torch keeps none."""

    @staticmethod
    def __new__(
        cls,
        words: Tensor,
        features: Sequence[int],
        dtype: torch.dtype = torch.float32,
        _transposed: bool = False,
        _channels_last: bool = False,
    ) -> SpikeTensor:
        """Wraps words, which are shared and not copied; see the class for the arguments."""
        if dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise TypeError(f"dtype must be float32, bfloat16 or float16, not {dtype}")
        features = Size(features)
        expect_padded(words, features)
        return wrapped(words, features, dtype, _transposed, _channels_last)

    @staticmethod
    def from_dense(dense: Tensor, features: int | None = None) -> SpikeTensor:
        """Packs a tensor of zeros and ones.

        Args:
            dense: ``[T, B, *features]``, or with fewer axes in front; float32, float64, bfloat16,
                float16, uint8 or bool; a tensor or what ``torch.as_tensor`` takes.
            features: How many trailing axes are one row of neurons; by default all behind the
                first two, but at least one.

        Raises:
            TypeError: if the dtype has no packed form.
            ValueError: if a value is neither 0 nor 1.

        Example:
            >>> SpikeTensor.from_dense(torch.eye(3)).density()
            0.3333333333333333
        """
        dense = as_tensor(dense, "dense")
        numbers = dense.dense() if isinstance(dense, SpikeTensor) else dense.detach()
        words, shape = pack_dense(numbers, features)
        dtype = dense.dtype if dense.dtype in (torch.bfloat16, torch.float16) else torch.float32
        return of_words(words, shape, dtype)

    @staticmethod
    def from_events(t: Tensor, b: Tensor, n: Tensor, shape: tuple[int, int, int]) -> SpikeTensor:
        """Spikes ``[T, B, N]`` at the given steps, samples and neurons, in any order.

        Args:
            t: Steps, integers ``[E]``.
            b: Samples, likewise.
            n: Neurons, likewise.
            shape: ``(T, B, N)``.

        Raises:
            ValueError: if the lengths differ or a coordinate lies outside the shape.

        Example:
            >>> SpikeTensor.from_events([0, 2], [0, 0], [4, 9], (3, 1, 10)).count_nonzero()
            tensor(2)
        """
        return of_words(pack_events(t, b, n, shape), Size(shape[2:]))

    def to_events(self) -> tuple[Tensor, Tensor, Tensor]:
        """Step, sample and neuron of every spike, int64, sorted: the inverse of ``from_events``.

        Raises:
            ValueError: if the tensor is not ``[T, B, N]``.
        """
        if self.dim() != 3 or len(self.features) != 1:
            raise ValueError(f"events have three coordinates, but the shape is {tuple(self.shape)}")
        return unpack_events(self.words, self.neurons)

    def to_indices(self, one_based: bool = False) -> list[Tensor]:
        """Per row of neurons, in order, the positions of its spikes.

        Example:
            >>> train = SpikeTensor.from_dense(torch.tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 1.0]))
            >>> train.to_indices(one_based=True)
            [tensor([ 5, 10])]
        """
        rows = self.words.flatten(0, -2).unsqueeze(1) if self.rows else self.words.view(1, 1, -1)
        row, _, neuron = unpack_events(rows, self.neurons)
        counts = torch.bincount(row, minlength=rows.shape[0]).tolist()
        return list((neuron + int(one_based)).split(counts))

    @property
    def shape(self) -> Size:  # type: ignore[override]
        """The logical shape, which torch would ask `__torch_function__` for."""
        shape = self.words.shape[:-1] + self.features
        return shape[::-1] if self.is_transposed else shape

    @property
    def neurons(self) -> int:
        """How many neurons a row has."""
        return self.features.numel()

    @property
    def rows(self) -> int:
        """How many axes lie in front of the features."""
        return self.words.dim() - 1

    def dense(self) -> Tensor:
        """The same values as an ordinary tensor, which autograd does not record."""
        with torch.no_grad():
            return self._arranged(ops.unpack(self.words, self.neurons, self.dtype))

    def _arranged(self, flat: Tensor) -> Tensor:
        """Numbers ``[*rows, neurons]`` in the order of the bits, in the shape of this tensor."""
        plain = arranged(flat, self.words.shape[:-1], self.features, self.channels_last)
        return plain.t() if self.is_transposed else plain

    def channels_first(self) -> SpikeTensor:
        """The same spikes, with the bits of a row in the order of its axes."""
        if not self.channels_last:
            return self
        channels = self.features[0]
        pixels = self.features[1:].numel()
        return of_words(ops.swap_axes(self.words, pixels, channels), self.features, self.dtype)

    def density(self) -> float:
        """The share of ones; 0 for an empty tensor."""
        if not self.numel():
            return 0.0
        traced = is_traced(self.words)
        count = int(self.dense().count_nonzero()) if traced else ops.count(self.words)
        return count / self.numel()

    def like(self, words: Tensor, features: Sequence[int] | None = None) -> SpikeTensor:
        """A `SpikeTensor` of other words, in the logical dtype of this one.

        Args:
            words: int64 ``[*rows, words]``, shared and not checked.
            features: The shape of one row; by default that of this tensor, whose order is kept.
        """
        same = features is None or Size(features) == self.features
        features = self.features if features is None else Size(features)
        return of_words(words, features, self.dtype, False, same and self.channels_last)

    def saved_words(self) -> Tensor:
        """The words, for backward.

        Raises:
            RuntimeError: if they were written since this tensor was made.
        """
        if self.words_version is not None and self.words_version != self.words._version:
            raise RuntimeError(
                f"the words of a SpikeTensor of shape {tuple(self.shape)}, which the gradient of "
                "an operation needs, were written after that operation"
            )
        return self.words

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        gradient = ", requires_grad=True" if self.requires_grad else ""
        kind = "" if self.dtype == torch.float32 else f", {self.dtype}"
        if is_traced(self.words):
            return f"SpikeTensor(shape={tuple(self.shape)}{kind}{gradient})"
        density = f"density={self.density():.3g}, {self.words.nbytes} bytes"
        return f"SpikeTensor(shape={tuple(self.shape)}, {density}{kind}{gradient})"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        state = (self.words, tuple(self.features), self.dtype, self.is_transposed)
        return _rebuild, (*state, self.requires_grad, self.channels_last)

    def __deepcopy__(self, memo: dict[int, Any]) -> SpikeTensor:
        if not self.is_leaf:
            raise RuntimeError("only tensors that are leaves of the graph can be deep-copied")
        order = self.is_transposed, self.channels_last
        copied = wrapped(self.words.clone(), self.features, self.dtype, *order)
        copied.requires_grad_(self.requires_grad)
        copied.grad = copy.deepcopy(self.grad, memo)
        if getattr(self, "_is_param", False):  # as nn.Parameter marks them
            copied._is_param = True
        memo[id(self)] = copied
        return copied

    def share_memory_(self) -> SpikeTensor:
        """Moves the bits to shared memory."""
        self.words.share_memory_()
        return self

    def __tensor_flatten__(self) -> tuple[list[str], Any]:
        order = self.is_transposed, self.channels_last
        return ["words"], (tuple(self.features), self.dtype, *order)

    @staticmethod
    def __tensor_unflatten__(
        inner: dict[str, Tensor], meta: Any, outer_size: Any, outer_stride: Any
    ) -> SpikeTensor:
        return SpikeTensor(inner["words"], *meta)

    def __coerce_tangent_metadata__(self) -> Tensor:
        # What AOTAutograd shall expect as the gradient of a compiled graph's output.
        return DenseGradient(torch.empty(self.shape, dtype=self.dtype, device=self.device))

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if defers_to_other_operand(types):
            return NotImplemented
        return cls.call(func, args, kwargs or {})

    @classmethod  # which torch declares as an attribute
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return cls.dispatch(func, args, kwargs or {})


def of_words(
    words: Tensor,
    features: Size,
    dtype: torch.dtype = torch.float32,
    transposed: bool = False,
    channels_last: bool = False,
) -> SpikeTensor:
    """The spikes of words that are known to fit, and to be padded with zeros."""
    if torch.compiler.is_compiling():  # Dynamo knows what a class is.
        return SpikeTensor(words, features, dtype, transposed, channels_last)
    return wrapped(words, features, dtype, transposed, channels_last)


def wrapped(
    words: Tensor,
    features: Size,
    dtype: torch.dtype,
    transposed: bool,
    channels_last: bool = False,
) -> SpikeTensor:
    """The same, for code that Dynamo does not trace."""
    shape = words.shape[:-1] + features
    strides: tuple[int, ...] | None = None
    if transposed:
        shape, strides = shape[::-1], (1, features.numel())
    elif channels_last:
        strides = channels_last_strides(words.shape[:-1], features)
    spikes: SpikeTensor = torch.Tensor._make_wrapper_subclass(
        SpikeTensor, shape, strides=strides, dtype=dtype, device=CPU
    )
    plain = type(words) is Tensor
    if plain:
        # Without a message torch would return address 0, and reading it would be a crash.
        torch._C._set_storage_access_error_msg(
            spikes, "a SpikeTensor has no memory of numbers; take that of its .dense()"
        )
    spikes.words = words
    spikes.features = features
    spikes.is_transposed = transposed
    spikes.channels_last = channels_last
    spikes.words_version = version(words) if plain else None
    return spikes


def _rebuild(
    words: Tensor,
    features: tuple[int, ...],
    dtype: torch.dtype,
    transposed: bool,
    grad: bool,
    channels_last: bool = False,  # which files of before lack
) -> SpikeTensor:
    # A file may be read onto another device, which has no packed spikes.
    spikes = SpikeTensor(words.cpu(), features, dtype, transposed, channels_last)
    return spikes.requires_grad_(grad)  # type: ignore[return-value]


def _collate(batch: list[SpikeTensor], *, collate_fn_map: Any = None) -> Tensor:
    return torch.stack(batch)  # type: ignore[arg-type]


torch.serialization.add_safe_globals([_rebuild, SpikeTensor])
# A DataLoader's workers would stack into shared dense memory.
default_collate_fn_map[SpikeTensor] = _collate
