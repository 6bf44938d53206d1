"""A whole sequence on a GPU, where the questions of run.py take longer than a kernel.

They are asked once for a neuron and tensors of the same sizes. What has been found out is used
again as long as nothing that it depends on is another: the neuron's attributes, the sizes, types
and places of its tensors and of the input, and of which of them autograd records a gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from bitspike.ops import route
from bitspike.program import triton_layer
from bitspike.program.capture import Captured
from bitspike.program.key import Known, known_of
from bitspike.program.layer import Call
from bitspike.program.tensors import learned_and_fixed
from bitspike.program.triton_plan import Plan
from bitspike.state import broadcasts, is_alive

from .programs import fits, program_of
from .run import Run
from .usual import Taken, is_usual


class Found(NamedTuple):
    """How calls run that are alike."""

    captured: Captured
    plan: Plan
    constants: list[Tensor] | None
    """The neuron's own; None if some are computed anew for each call."""


class Memory:
    """What has been found out about a neuron, as it is."""

    def __init__(self, neuron: Any, known: Known) -> None:
        self.known = known
        self.tensors = learned_and_fixed(neuron)
        self.found: dict[tuple[object, ...], Found | None] = {}


_memories: WeakKeyDictionary[Any, Memory] = WeakKeyDictionary()
_MOST = 64
"""How many kinds of calls are remembered for a neuron."""


def whole_sequence(neuron: Any, current: Any, given: tuple[Any, ...]) -> Taken | None:
    """A sequence as a kernel on a GPU, or None if anything about the call is unusual.

    Args:
        neuron: One whose class starts, runs and rests as most do.
        current: The input of the call.
        given: Its states.
    """
    if type(current) is not Tensor or not triton_layer.takes(current) or route.is_observed():
        return None
    initial = _initial(neuron, current, given)
    memory = _memory_of(neuron)
    if initial is None or memory is None or not is_usual(current):
        return None
    records = torch.is_grad_enabled()
    form: list[object] = [current.shape, current.device, records, current.requires_grad]
    form += [x.requires_grad for x in initial]
    for x in memory.tensors:
        form += (x.requires_grad, x.dtype, x.device)
    kind = tuple(form)
    try:
        found = memory.found[kind]
    except KeyError:
        found = _find(neuron, memory, current, initial)
        if len(memory.found) >= _MOST:
            memory.found.clear()
        memory.found[kind] = found
    if found is None:
        return None
    captured, plan, constants = found
    if constants is None:
        constants = captured.constants(neuron, current.device)
    if not current.is_contiguous():
        current = current.contiguous()
    spikes, *others = triton_layer.run_plan(neuron, plan, [current, *initial, *constants])
    count = plan.states
    return Taken([], Run(spikes, tuple(others[:-count]), tuple(others[-count:])))


def _initial(neuron: Any, current: Tensor, given: tuple[Any, ...]) -> list[Tensor] | None:
    """The states before the call, none if all start at 0; None if there is more to ask."""
    for state in given:
        if state is not None:
            return None
    own = neuron.__dict__
    if not own["init_hidden"]:
        return []
    kept = [own[name] for name in neuron.STATES]
    step = current.shape[1:]
    if all(x.shape != step for x in kept):
        return []
    usual = all(x.shape == step and is_usual(x) and x.is_contiguous() for x in kept)
    return kept if usual and all(x.device == current.device and is_alive(x) for x in kept) else None


def _memory_of(neuron: Any) -> Memory | None:
    """What is remembered of a neuron, empty if it is another; None where changes go unnoticed."""
    memory = _memories.get(neuron)
    if memory is not None and memory.known.holds(neuron):
        return memory
    known = known_of(neuron)
    if not known.is_whole:
        return None
    memory = _memories[neuron] = Memory(neuron, known)
    return memory


def _find(neuron: Any, memory: Memory, current: Tensor, initial: list[Tensor]) -> Found | None:
    """How calls like this one run, or None if not as kernels of Triton, or not as simply."""
    if current.dim() == 0 or neuron.order != "integrate_first" or not neuron.STATES:
        return None
    captured = program_of(neuron, current, initial, sequence=True)
    if captured is None or captured.draws:
        return None
    constants = captured.constants(neuron, current.device)
    step = current.shape[1:]
    for x in constants:
        simple = x.numel() == 1 or (broadcasts(x.shape, step) and triton_layer.is_repeated(x, step))
        if not (simple and x.is_contiguous() and x.dtype is torch.float32 and fits(x, current)):
            return None
    call = Call(captured, sequence=True, states=neuron.output or not neuron.init_hidden)
    tensors = [current, *initial, *constants]
    plan = triton_layer.plan_of(call, tensors, at_rest=not initial, carried=neuron.init_hidden)
    return Found(captured, plan, None if captured.computed else constants)
