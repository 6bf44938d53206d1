"""The Rust crate ``bitspike`` as Python sees it; what each function does is said there."""

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from bitspike.ops.conv import Convolution as _Convolution
from bitspike.ops.events import Options as _EventOptions
from bitspike.ops.pooling import Sizes as _Sizes
from bitspike.ops.program import ProgramArguments as _Program
from bitspike.ops.program import ProgramInputs as _ProgramInputs
from bitspike.ops.recurrent import FeedbackArguments as _Feedback
from bitspike.ops.scan import ScanArguments as _Scan
from bitspike.ops.sequence import LayerArguments as _Layer
from bitspike.ops.spike_times import Layer as _EventLayer
from bitspike.ops.spike_times import Trains as _Trains
from bitspike.ops.traces import LearningArguments as _Learning
from bitspike.ops.traces import PairArguments as _Pairs
from bitspike.ops.traces import TraceArguments as _Trace

__all__ = [
    "EventFrames",
    "EventReader",
    "EventWriter",
    "Fired",
    "Network",
    "NetworkState",
    "Program",
    "attend",
    "bernoulli",
    "convolve",
    "convolve_gradient_prefers_dense",
    "convolve_input_gradient",
    "convolve_prefers_dense",
    "convolve_weight_gradient",
    "count",
    "count_axis",
    "describe",
    "error_decay",
    "event_format",
    "event_formats",
    "force_isa",
    "from_events",
    "install_torch_pool",
    "gradient_prefers_dense",
    "input_gradient",
    "max_pool",
    "max_pool_gradient",
    "pack",
    "plane_product",
    "prefers_dense",
    "prefers_planes",
    "product",
    "program_backward",
    "program_forward",
    "recurrent_backward",
    "recurrent_forward",
    "scan_backward",
    "scan_forward",
    "sequence_backward",
    "sequence_forward",
    "small_dense_product",
    "spike_times",
    "spike_times_backward",
    "spike_times_forward",
    "spike_times_gradient",
    "stack_backward",
    "stack_forward",
    "sum_pool",
    "swap_axes",
    "to_events",
    "traces_filter",
    "traces_learn",
    "traces_sum",
    "traces_weighted_sums",
    "unpack",
    "weight_gradient",
    "write_network",
]

def describe() -> dict[str, Any]: ...
def force_isa(name: str | None) -> str: ...
def install_torch_pool(parallel_for: int, num_threads: int) -> bool: ...
def sequence_forward(
    layer: _Layer,
    packed: Tensor | None,
    dense: Tensor | None,
    states: Sequence[Tensor | None],
    last: Sequence[Tensor | None],
) -> None: ...
def sequence_backward(
    layer: _Layer,
    surrogate: tuple[str, Sequence[float]],
    spikes: Tensor | None,
    states: Sequence[Tensor | None],
    last: Sequence[Tensor | None],
    current: Tensor | None,
    initial: Sequence[Tensor | None],
    learned: tuple[Sequence[Tensor], Tensor, Tensor | None] | None,
    errors: tuple[Tensor, Tensor] | None,
) -> None: ...
def stack_forward(
    spikes: Tensor,
    shape: tuple[int, int, int],
    layers: Sequence[tuple[Tensor, Tensor | None, _Layer]],
    outputs: Sequence[tuple[Tensor, list[Tensor]]],
) -> bool: ...
def stack_backward(
    shape: tuple[int, int, int],
    layers: Sequence[
        tuple[
            tuple[Tensor, Tensor | None, _Layer],
            tuple[
                tuple[str, Sequence[float]],
                Tensor,
                Sequence[Tensor | None],
                tuple[Tensor | None, Tensor | None],
                Sequence[Tensor | None],
            ],
        ]
    ],
    spikes: Tensor | None,
    input: Tensor | None,
    at_a_time: int,
) -> None: ...
def error_decay(layer: _Layer, surrogate: tuple[str, Sequence[float]] | None) -> float | None: ...
def recurrent_forward(
    neurons: _Layer,
    feedback: _Feedback,
    packed: Tensor | None,
    states: Sequence[Tensor | None],
    last_spikes: Tensor | None,
    last: Sequence[Tensor | None],
) -> None: ...
def recurrent_backward(
    neurons: _Layer,
    feedback: _Feedback,
    surrogate: tuple[str, Sequence[float]],
    spikes: Tensor | None,
    states: Sequence[Tensor | None],
    last_spikes: Tensor | None,
    last: Sequence[Tensor | None],
    current: Tensor,
    initial: Sequence[Tensor | None],
    learned: tuple[Sequence[Tensor], Tensor] | None,
    one_to_one: Tensor | None,
) -> None: ...

@final
class Program:
    def __new__(cls, arguments: _Program) -> Program: ...

def program_forward(
    program: Program,
    inputs: _ProgramInputs,
    packed: Tensor | None,
    dense: Tensor | None,
    states: Sequence[Tensor | None],
    last: Sequence[Tensor | None],
    outputs: Sequence[Tensor | None],
) -> None: ...
def program_backward(
    program: Program,
    adjoint: Program,
    inputs: _ProgramInputs,
    spikes: Tensor | None,
    states: Sequence[Tensor | None],
    last: Sequence[Tensor | None],
    sequences: Sequence[Tensor | None],
    initial: Sequence[Tensor | None],
    constants: Sequence[Tensor | None],
) -> None: ...
def scan_forward(scan: _Scan, outputs: Tensor) -> None: ...
def scan_backward(
    scan: _Scan,
    outputs: Tensor,
    grad: Tensor,
    input: Tensor | None,
    key: Tensor | None,
    decay: Tensor | None,
    initial: Tensor | None,
) -> None: ...
def traces_filter(
    spikes: Tensor, shape: tuple[int, int, int], trace: _Trace, state: Tensor, out: Tensor
) -> None: ...
def traces_learn(pairs: _Pairs, rule: _Learning, weights: Tensor) -> None: ...
def traces_sum(pairs: _Pairs, rise: Tensor, fall: Tensor, sums: Tensor) -> None: ...
def traces_weighted_sums(
    spikes: Tensor, shape: tuple[int, int, int], traces: int, weights: Tensor, sums: Tensor
) -> None: ...
def product(
    spikes: Tensor, rows: int, weights: Tensor, bias: Tensor | None, out: Tensor
) -> None: ...
def weight_gradient(
    spikes: Tensor, inputs: int, grad: Tensor, out: Tensor, bias: Tensor | None
) -> None: ...
def small_dense_product(data: Tensor, rows: int, weights: Tensor, out: Tensor) -> None: ...
def prefers_dense(spikes: Tensor | None, rows: int, inputs: int, outputs: int) -> bool: ...
def input_gradient(
    shape: tuple[int, int, int],
    active: Tensor,
    values: Tensor,
    decay: float,
    weights: Tensor,
    out: Tensor,
) -> bool: ...
def plane_product(
    spikes: Tensor,
    shape: tuple[int, int, int],
    planes: tuple[Tensor, Tensor | None],
    affine: tuple[Tensor, Tensor | None],
    out: Tensor,
) -> None: ...
def prefers_planes(spikes: Tensor, shape: tuple[int, int, int], planes: int) -> bool: ...
def gradient_prefers_dense(active: Tensor | None, rows: int, weights: tuple[int, int]) -> bool: ...
def attend(
    spikes: tuple[Tensor, Tensor, Tensor],
    shape: tuple[int, int, int],
    heads: int,
    scale: float,
    out: Tensor,
) -> None: ...
def convolve(
    words: Tensor,
    rows: int,
    described: _Convolution,
    channels_last: tuple[bool, bool],
    weight: Tensor,
    bias: Tensor | None,
    out: Tensor,
) -> None: ...
def convolve_weight_gradient(
    words: Tensor,
    rows: int,
    described: _Convolution,
    channels_last: tuple[bool, bool],
    grad: Tensor,
    weight: Tensor,
    bias: Tensor,
) -> bool: ...
def convolve_prefers_dense(
    words: Tensor, rows: int, described: _Convolution, weight: Tensor | None
) -> bool: ...
def convolve_input_gradient(
    shape: tuple[int, int, int],
    active: Tensor,
    values: Tensor,
    decay: float,
    described: _Convolution,
    channels_last: bool,
    weight: Tensor,
    out: Tensor,
) -> bool: ...
def convolve_gradient_prefers_dense(share: float, rows: int, described: _Convolution) -> bool: ...
def swap_axes(words: Tensor, rows: int, axes: tuple[int, int], swapped: Tensor) -> None: ...
def pack(numbers: Tensor, rows: int, neurons: int, words: Tensor) -> int: ...
def unpack(words: Tensor, rows: int, neurons: int, numbers: Tensor) -> None: ...
def count(words: Tensor) -> int: ...
def count_axis(
    words: Tensor, shape: tuple[int, int, int], neurons: int, counts: Tensor
) -> None: ...
def spike_times(words: Tensor, shape: tuple[int, int], neurons: int, times: Tensor) -> None: ...
def spike_times_gradient(
    times: Tensor, grad: Tensor, shape: tuple[int, int], to_spikes: Tensor
) -> None: ...
def max_pool(
    words: Tensor, rows: int, sizes: _Sizes, channels_last: bool, maxima: Tensor
) -> None: ...
def sum_pool(
    words: Tensor, rows: int, sizes: _Sizes, channels_last: bool, sums: Tensor
) -> None: ...
def max_pool_gradient(
    words: Tensor,
    rows: int,
    sizes: _Sizes,
    channels_last: bool,
    grad: Tensor,
    to_spikes: Tensor,
) -> None: ...
def from_events(
    t: Tensor, b: Tensor, n: Tensor, shape: tuple[int, int, int], words: Tensor
) -> None: ...
def to_events(
    words: Tensor, shape: tuple[int, int, int], t: Tensor, b: Tensor, n: Tensor
) -> None: ...
def bernoulli(
    seed: int,
    first: int,
    probabilities: Tensor,
    period: int,
    rows: int,
    neurons: int,
    words: Tensor,
) -> None: ...
def write_network(graph: str, tensors: Sequence[tuple[str, str, list[int], Tensor]]) -> bytes: ...

@final
class Network:
    def __new__(cls, data: bytes) -> Network: ...
    @property
    def digest(self) -> str: ...
    @property
    def dt(self) -> float: ...
    @property
    def input(self) -> tuple[list[int], bool]: ...
    @property
    def outputs(self) -> list[str]: ...
    def value(self, name: str) -> tuple[list[int], bool]: ...
    def is_integers(self, name: str) -> bool: ...
    def memory(self, samples: int) -> int: ...
    def state(self, samples: int, names: list[str]) -> NetworkState: ...

@final
class NetworkState:
    @property
    def samples(self) -> int: ...
    @property
    def steps(self) -> int: ...
    def step_events(self, events: Tensor, outputs: Sequence[Tensor]) -> None: ...
    def step_words(self, words: Tensor, outputs: Sequence[Tensor]) -> None: ...
    def step_dense(self, numbers: Tensor, outputs: Sequence[Tensor]) -> None: ...
    def read(self, name: str, out: Tensor) -> None: ...
    def counts(self, name: str, out: Tensor) -> None: ...
    def reset(self) -> None: ...
    def save(self) -> bytes: ...
    def restore(self, data: bytes) -> None: ...

@final
class Fired:
    def __len__(self) -> int: ...
    def write(self, starts: Tensor, times: Tensor, neurons: Tensor, slopes: Tensor) -> None: ...

def spike_times_forward(layer: _EventLayer, inputs: _Trains) -> Fired: ...
def spike_times_backward(
    layer: _EventLayer,
    inputs: _Trains,
    fired: _Trains,
    slopes: Tensor,
    upstream: Tensor,
    *,
    weights: Tensor | None,
    delays: Tensor | None,
    times: Tensor | None,
    recurrent_weights: Tensor | None,
    recurrent_delays: Tensor | None,
) -> None: ...
def event_formats() -> list[str]: ...
def event_format(data: bytes) -> str | None: ...

@final
class EventReader:
    def __new__(cls, arguments: _EventOptions) -> EventReader: ...
    def push(self, data: bytes | None) -> int: ...
    def scan(self, data: bytes | None) -> tuple[tuple[int, int] | None, int]: ...
    def take(self, t: Tensor, x: Tensor, y: Tensor, p: Tensor) -> None: ...
    def meta(self) -> tuple[str, tuple[int, int] | None, str | None] | None: ...
    def report(self) -> tuple[int, int, int, int]: ...

@final
class EventWriter:
    def __new__(
        cls, format: str, size: tuple[int, int] | None, arguments: _EventOptions
    ) -> EventWriter: ...
    def write(self, t: Tensor, x: Tensor, y: Tensor, p: Tensor) -> bytes: ...
    def finish(self) -> bytes: ...

@final
class EventFrames:
    def __new__(
        cls,
        sensor: tuple[int, int],
        polarity: str,
        window: tuple[str, int, int | None],
        *,
        start: int | None,
        cells: str,
        filters: Sequence[tuple[str, Any]],
        limit: int,
    ) -> EventFrames: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def row(self) -> int: ...
    def push(self, t: Tensor, x: Tensor, y: Tensor, p: Tensor) -> None: ...
    def read(self, reader: EventReader, data: bytes | None, out: Tensor) -> None: ...
    def append(self, reader: EventReader, data: bytes | None) -> None: ...
    def reach(self, time: int) -> None: ...
    def steps(self, incomplete: bool) -> int: ...
    def give(self, steps: int, out: Tensor) -> None: ...
    def placed(self) -> list[int]: ...
