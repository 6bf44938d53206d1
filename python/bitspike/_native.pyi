"""The Rust crate ``bitspike`` as Python sees it; what each function does is said there."""

from collections.abc import Sequence
from typing import Any

__all__ = [
    "bernoulli",
    "count",
    "count_axis",
    "describe",
    "force_isa",
    "from_events",
    "install_torch_pool",
    "max_pool",
    "max_pool_gradient",
    "pack",
    "prefers_dense",
    "product",
    "recurrent_backward",
    "recurrent_forward",
    "scan_backward",
    "scan_forward",
    "sequence_backward",
    "sequence_forward",
    "spike_times",
    "spike_times_gradient",
    "sum_pool",
    "to_events",
    "unpack",
    "weight_gradient",
]

_Buffer = tuple[int, int]
_View = tuple[_Buffer, int, int, bool]
_PoolSizes = tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]
_Matrix = tuple[_Buffer, tuple[int, int], tuple[int, int]]
_Scan = tuple[tuple[int, int, int], int, bool, _View, _View, _View | None, _View]
_Layer = tuple[
    str,
    str,
    bool,
    tuple[int, int, int],
    _View,
    Sequence[_View],
    _View,
    _View,
    Sequence[_View],
]
_Feedback = tuple[tuple[_Matrix, _Buffer | None] | None, _View | None, _View]

def describe() -> dict[str, Any]: ...
def force_isa(name: str | None) -> str: ...
def install_torch_pool(parallel_for: int, num_threads: int) -> bool: ...
def sequence_forward(
    layer: _Layer,
    packed: _Buffer | None,
    dense: _Buffer | None,
    states: Sequence[_Buffer | None],
    last: Sequence[_Buffer | None],
) -> None: ...
def sequence_backward(
    layer: _Layer,
    surrogate: tuple[str, Sequence[float]],
    spikes: _View,
    states: Sequence[_View],
    last: Sequence[_View],
    current: _Buffer | None,
    initial: Sequence[_Buffer | None],
    learned: tuple[Sequence[_Buffer], _Buffer, _Buffer] | None,
) -> None: ...
def recurrent_forward(
    neurons: _Layer,
    feedback: _Feedback,
    packed: _Buffer | None,
    states: Sequence[_Buffer | None],
    last_spikes: _Buffer | None,
    last: Sequence[_Buffer | None],
) -> None: ...
def recurrent_backward(
    neurons: _Layer,
    feedback: _Feedback,
    surrogate: tuple[str, Sequence[float]],
    spikes: _View,
    states: Sequence[_View],
    last_spikes: _View,
    last: Sequence[_View],
    current: _Buffer,
    initial: Sequence[_Buffer | None],
    learned: tuple[Sequence[_Buffer], _Buffer, _Buffer | None] | None,
) -> None: ...
def scan_forward(scan: _Scan, outputs: _Buffer) -> None: ...
def scan_backward(
    scan: _Scan,
    outputs: _Buffer,
    grad: _View,
    input: _Buffer | None,
    key: _Buffer | None,
    decay: _Buffer | None,
    initial: _Buffer | None,
) -> None: ...
def product(
    spikes: _Buffer, rows: int, weights: _Matrix, bias: _Buffer | None, out: _Buffer
) -> None: ...
def weight_gradient(
    spikes: _Buffer, inputs: int, grad: _Matrix, out: _Buffer, bias: _Buffer | None
) -> None: ...
def prefers_dense(density: float, rows: int, outputs: int) -> bool: ...
def pack(dtype: str, numbers: _Buffer, rows: int, neurons: int, words: _Buffer) -> int: ...
def unpack(dtype: str, words: _Buffer, rows: int, neurons: int, numbers: _Buffer) -> None: ...
def count(words: _Buffer) -> int: ...
def count_axis(
    words: _Buffer, shape: tuple[int, int, int], neurons: int, counts: _Buffer
) -> None: ...
def spike_times(words: _Buffer, shape: tuple[int, int], neurons: int, times: _Buffer) -> None: ...
def spike_times_gradient(
    times: _Buffer, grad: _Buffer, shape: tuple[int, int], to_spikes: _Buffer
) -> None: ...
def max_pool(words: _Buffer, rows: int, sizes: _PoolSizes, maxima: _Buffer) -> None: ...
def sum_pool(words: _Buffer, rows: int, sizes: _PoolSizes, sums: _Buffer) -> None: ...
def max_pool_gradient(
    words: _Buffer, rows: int, sizes: _PoolSizes, grad: _Buffer, to_spikes: _Buffer
) -> None: ...
def from_events(
    t: _Buffer, b: _Buffer, n: _Buffer, shape: tuple[int, int, int], words: _Buffer
) -> None: ...
def to_events(
    words: _Buffer, shape: tuple[int, int, int], t: _Buffer, b: _Buffer, n: _Buffer
) -> None: ...
def bernoulli(
    seed: int,
    first: int,
    probabilities: _Buffer,
    period: int,
    rows: int,
    neurons: int,
    words: _Buffer,
) -> None: ...
