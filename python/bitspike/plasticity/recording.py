"""What synapses and the neurons behind them have seen since a rule last looked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.monitors import InputMonitor, OutputMonitor

Synapse = nn.Linear | nn.Conv1d | nn.Conv2d


def alone(complaint: str, x: Any) -> Tensor:
    """A recorded tensor without its graph, if it is one.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(x, Tensor):
        given = f"{len(x)} tensors" if isinstance(x, tuple) else type(x).__name__
        raise TypeError(f"{complaint}, not {given}")
    return x.detach()


def first(complaint: str, x: Any) -> Tensor:
    """The same of what may be a tuple, whose first element counts: neurons return spikes first."""
    return alone(complaint, x[0] if isinstance(x, tuple) and x else x)


def monitors(
    synapse: nn.Module, neuron: nn.Module, spikes: Callable[[Any], Tensor]
) -> tuple[InputMonitor, OutputMonitor]:
    """Records of what goes into a synapse and of what a neuron returns."""
    takes = partial(alone, "synapse must take its input alone")
    return (
        InputMonitor(synapse, function_on_input=takes),
        OutputMonitor(neuron, function_on_output=spikes),
    )


def sequences(
    axes: int, taken: Sequence[Tensor], given: Sequence[Tensor], name: str = "sn"
) -> Iterator[tuple[Tensor, Tensor]]:
    """The records as sequences ``[T, B, *]``, in which single steps that follow each other are one.

    Args:
        axes: How many axes one step has, with that of samples.
        taken: What went into the synapse, call by call.
        given: What the neuron returned.
        name: How the neuron is called in errors.

    Raises:
        ValueError: if the two sides do not fit each other.
    """
    if len(taken) != len(given):
        raise ValueError(
            f"synapse was called {len(taken)} times and {name} {len(given)} times since the last "
            "step or reset"
        )
    run: list[tuple[Tensor, Tensor]] = []
    for in_spike, out_spike in zip(taken, given, strict=True):
        is_step = out_spike.dim() != axes + 1
        if run and not (is_step and _alike(run[-1], (in_spike, out_spike))):
            yield _stacked(run)
            run = []
        if is_step:
            run.append((in_spike, out_spike))
        else:
            yield _with_time(axes, in_spike, out_spike, name), out_spike
    if run:
        yield _stacked(run)


def _alike(before: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor]) -> bool:
    pairs = zip(before, now, strict=True)
    return all(a.shape == b.shape and type(a) is type(b) and a.dtype == b.dtype for a, b in pairs)


def _stacked(steps: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    in_spikes, out_spikes = zip(*steps, strict=True)
    return torch.stack(in_spikes), torch.stack(out_spikes)


def _with_time(axes: int, in_spike: Tensor, out_spike: Tensor, name: str) -> Tensor:
    """The input of a sequence of outputs, with time in front."""
    steps, batch = out_spike.shape[:2]
    if in_spike.dim() == axes and len(in_spike) == steps * batch:
        in_spike = in_spike.unflatten(0, (steps, batch))  # time was folded into the batch
    elif in_spike.dim() == axes and len(in_spike) == batch:
        in_spike = in_spike.expand(steps, *in_spike.shape)  # constant, so unroll ran one step
    if in_spike.dim() != axes + 1 or len(in_spike) != steps:
        raise ValueError(
            f"{name} returned {steps} steps, {list(out_spike.shape)}, for which the input of "
            f"synapse cannot be {list(in_spike.shape)}"
        )
    return in_spike
