"""One step of a neuron, and its gradient, as torch's own tracer records them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from logging import getLogger
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch._subclasses.fake_tensor import DynamicOutputShapeException as DynamicShape
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode as DataDependentGuard

from .arithmetic import RULES
from .errors import ProgramError
from .tensors import lent, tensors_of
from .translate import IN_PLACE

SIZES = ((2, 3, 5, 7, 11, 13), (3, 5, 7, 11, 13, 17))
"""Sizes of the axes of one step in two traces; a step that asks for them has two programs."""


class Trace(NamedTuple):
    """What was recorded."""

    nodes: list[fx.Node]
    """All calls, in the order in which they ran."""
    names: tuple[str, ...]
    """Of the states."""
    step: tuple[int, ...]
    """The shape of one step."""
    current: fx.Node
    states: list[fx.Node]
    constants: dict[str, fx.Node]
    grads: list[fx.Node]
    """The gradients of the spikes and of each state after the step."""
    forward: set[fx.Node]
    """The calls of the step; the others are those of its gradient."""
    results: list[fx.Node]
    """Spikes, and each state after the step."""
    gradients: list[fx.Node | None]
    """Of the current, the states and the constants; empty without them."""


def trace(neuron: nn.Module, rank: int, gradient: bool, sizes: Sequence[int]) -> Trace:
    """Records a step and, if wanted, its gradient.

    Args:
        neuron: It has ``STATES`` and ``step``.
        rank: How many axes one step has.
        gradient: Whether all tensors require gradients.
        sizes: Of the axes; those that are used must differ.

    Raises:
        ProgramError: if the step cannot be recorded.
    """
    shape = tuple(sizes[:rank])
    names = _states(neuron, shape)
    own = tensors_of(neuron)
    constants = {name: _example(x, shape) for name, x in own.items()}
    count = 1 + len(names)
    marks: list[int] = []

    def run(*inputs: Tensor) -> list[Any]:
        leaves = [_leaf(x) for x in inputs[:-count]] if gradient else list(inputs[:-count])
        with torch.set_grad_enabled(gradient):
            with lent(neuron, dict(zip(constants, leaves[count:], strict=True))):
                results = _results(neuron, leaves[:count], shape)
            marks.append(_calls_so_far())
            found = _gradients(results, leaves, inputs[-count:]) if gradient else []
        return [*results, *found]

    like = torch.empty(shape)
    examples = [like.clone() for _ in range(count)]
    try:
        # Hooks of torch's checkpoint would count what is saved here, which is not saved again.
        with _without_log(), torch.autograd.graph.saved_tensors_hooks(_itself, _itself):
            graph = make_fx(run, tracing_mode="fake", decomposition_table=_decompositions())(
                *examples, *constants.values(), *(like.clone() for _ in range(count))
            ).graph
    except Exception as error:
        raise ProgramError(_reason(error)) from error
    *calls, output = graph.nodes
    inputs = [node for node in calls if node.op == "placeholder"]
    returned = list(output.args[0])
    return Trace(
        nodes=[node for node in calls if node.op != "placeholder"],
        names=names,
        step=shape,
        current=inputs[0],
        states=inputs[1:count],
        constants=dict(zip(constants, inputs[count:-count], strict=True)),
        grads=inputs[-count:],
        forward=set(calls[: marks[0]]),
        results=returned[:count],
        gradients=returned[count:],
    )


def _itself(x: Tensor) -> Tensor:
    return x


def _states(neuron: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The names of a neuron's states.

    Raises:
        ProgramError: if they are not each of a step's shape.
    """
    kind = type(neuron).__name__
    if not hasattr(neuron, "step") or not hasattr(neuron, "STATES"):
        raise ProgramError(f"{kind} has no step from states to states")
    for name, x in vars(neuron).items():
        if isinstance(x, FunctionType | MethodType) and hasattr(type(neuron), name):
            raise ProgramError(f"{name} was replaced on this {kind}, and may do more than compute")
    try:
        shapes = neuron.state_shapes(torch.Size(shape))
    except ValueError:
        shapes = ()
    if not all(x == shape for x in shapes) or len(shapes) != len(neuron.STATES):
        raise ProgramError(f"{kind} has states of another shape than its input")
    return tuple(neuron.STATES)


@contextmanager
def _without_log() -> Iterator[None]:
    """Without torch's log of an error that is caught here."""
    log = getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _example(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor that repeats over the same axes of a step as one of the neuron does."""
    if x.dim() > len(shape):
        return torch.empty([1 if size == 1 else 4 for size in x.shape], dtype=_dtype(x))
    axes = shape[len(shape) - x.dim() :]
    sizes = [1 if size == 1 else axis for size, axis in zip(x.shape, axes, strict=True)]
    return torch.empty(sizes, dtype=_dtype(x))


def _dtype(x: Tensor) -> torch.dtype:
    return torch.float32 if x.is_floating_point() else x.dtype


def _leaf(x: Tensor) -> Tensor:
    return x.detach().requires_grad_() if x.is_floating_point() else x.detach()


def _results(neuron: Any, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> list[Tensor]:
    spikes, states = neuron.step(*inputs)
    results = [spikes, *states]
    if len(results) != len(inputs):
        raise ProgramError(f"step returns {len(states)} states, not {len(inputs) - 1}")
    for x in results:
        if not isinstance(x, Tensor) or x.shape != shape or x.dtype != torch.float32:
            raise ProgramError(f"step returns something else than {list(shape)} of float32")
    return results


def _gradients(
    results: list[Tensor], leaves: list[Tensor], grads: Sequence[Tensor]
) -> list[Tensor | None]:
    pairs = [pair for pair in zip(results, grads, strict=True) if pair[0].requires_grad]
    wanted = [x for x in leaves if x.requires_grad]
    if not pairs:
        return [None] * len(leaves)
    found = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            wanted,
            [grad for _, grad in pairs],
            allow_unused=True,
        )
    )
    return [next(found) if x.requires_grad else None for x in leaves]


def _calls_so_far() -> int:
    mode = get_proxy_mode()
    assert mode is not None
    return len(mode.tracer.graph.nodes)


@cache
def _decompositions() -> dict[Any, Any]:
    """How torch takes those functions apart that are not translated as they are."""
    table: dict[Any, Any] = core_aten_decompositions()
    return {
        target: rule
        for target, rule in table.items()
        if target._schema.name.partition("::")[2].rstrip("_") not in RULES
        and target._schema.name.endswith("_backward")
    }


def _reason(error: Exception) -> str:
    """Why a step could not be recorded."""
    if isinstance(error, ProgramError):
        return str(error)
    if isinstance(error, DataDependentOutputException | DynamicShape | DataDependentGuard):
        return "the numbers of a tensor decide what step does"
    text = str(error)
    if "in-place" in text or "inplace" in text:
        return IN_PLACE
    if "convert all Tensors to FakeTensors" in text:
        return "step uses a tensor that is neither a parameter nor a buffer of the neuron"
    line = text.strip().partition("\n")[0]
    return f"step cannot be traced: {line}"
