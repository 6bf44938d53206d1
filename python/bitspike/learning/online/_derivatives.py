"""Derivatives of one step of a neuron, whose specification autograd differentiates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bitspike.neurons.base.recurrent import Recurrent
from bitspike.neurons.leaky_integrator import LI


class Derivatives(NamedTuple):
    """Derivatives of a step's results, its spikes and then its states; all are elementwise."""

    by_state: list[list[Tensor | None]]
    """``[result][state before]``"""
    by_drive: list[list[Tensor | None]]
    """``[result][drive]``: the current, and what came back from the layer itself."""
    by_number: list[dict[str, Tensor | None]]
    """``[result][name]``: the parameters of the neuron's equation."""


class _Step(nn.Module):
    """A function of a neuron as a call of a module, whose parameters can be replaced."""

    def __init__(self, neuron: Any, function: Callable[..., tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.neuron = neuron
        self.function = function

    def forward(self, *args: Any) -> tuple[Tensor, ...]:
        return self.function(self.neuron, *args)


def one_step(
    neuron: Any, current: Tensor, states: Sequence[Tensor], feedback: Tensor | None
) -> tuple[Tensor, ...]:
    """Spikes, and the states after: the specification of a neuron, at one step or at several.

    Args:
        neuron: The module.
        current: ``[*]``
        states: Those before, each ``[*]``.
        feedback: For a recurrent neuron what came back from the layer, ``[*]``.
    """
    if feedback is None:
        spikes, after = neuron.step(current, *states)
        return (spikes, *after)
    spikes, after = neuron.equation(current, *states[1:], feedback)
    return (spikes, spikes, *after)


def each_step(
    neuron: Any, current: Tensor, states: Sequence[Tensor], feedback: Tensor | None
) -> tuple[Tensor, ...]:
    """`one_step` of a block ``[K, B, *]``, in a kernel where the neuron has one.

    Each step starts from the states before it, so that a block is one step of ``K·B`` samples.
    """
    if feedback is not None or isinstance(neuron, LI):
        return one_step(neuron, current, states, feedback)
    flat = current.flatten(0, 1).unsqueeze(0)
    before = [state.flatten(0, 1) for state in states]
    spikes, _, after = neuron.run(flat, before, sequence=True, states=False)
    block = current.shape[:2]
    return tuple(torch.unflatten(x, 0, block) for x in (spikes.squeeze(0), *after))


def fixed_step(neuron: Any, *args: Any) -> tuple[Tensor, ...]:
    """`each_step` of these arguments, without gradients of the neuron's parameters."""
    fixed = {f"neuron.{name}": x.detach() for name, x in neuron.named_parameters()}
    results: tuple[Tensor, ...] = functional_call(_Step(neuron, each_step), fixed, args)
    return results


def learned_numbers(neuron: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a neuron's own equation that are learned."""
    own = neuron.named_parameters(recurse=False)
    return {name: number for name, number in own if number.requires_grad and name != "V"}


def derivatives(
    neuron: Any,
    current: Tensor,
    states: Sequence[Tensor],
    feedback: Tensor | None = None,
    numbers: Sequence[str] = (),
) -> Derivatives:
    """Derivatives at these values, by all that is given to one step.

    Args:
        neuron: Its ``step`` is elementwise, except for what comes back from the layer.
        current: ``[*]``, of a step or of several.
        states: The states before, each ``[*]``.
        feedback: For a recurrent neuron what came back from the layer, ``[*]``.
        numbers: Parameters by which to differentiate too.
    """
    with torch.enable_grad():
        drives = [x.detach().requires_grad_() for x in (current, feedback) if x is not None]
        before = [x.detach().requires_grad_() for x in states]
        expanded = {
            name: getattr(neuron, name).detach().expand(current.shape).requires_grad_()
            for name in numbers
        }
        replaced = {f"neuron.{name}": x for name, x in expanded.items()}
        arguments = drives[0], before, None if feedback is None else drives[1]
        if replaced:
            results = functional_call(_Step(neuron, one_step), replaced, arguments)
        else:
            results = one_step(neuron, *arguments)
        wanted = [*drives, *before, *expanded.values()]
        found: list[tuple[Tensor | None, ...]] = [
            torch.autograd.grad(result.sum(), wanted, retain_graph=True, allow_unused=True)
            if result.requires_grad
            else (None,) * len(wanted)
            for result in results
        ]
    first, second = len(drives), len(drives) + len(before)
    return Derivatives(
        [list(row[first:second]) for row in found],
        [list(row[:first]) for row in found],
        [dict(zip(expanded, row[second:], strict=True)) for row in found],
    )


def is_linear(neuron: Any, states: Sequence[int], dtype: torch.dtype) -> bool:
    """Whether the derivatives of these states are the same numbers whatever the neuron does.

    They are looked at where neurons fire and where they do not: a reset that erases the membrane,
    or that has a gradient, shows there.
    """
    if any(
        x.numel() != 1
        for name, x in (*neuron.named_parameters(recurse=False), *neuron.named_buffers())
        if not name.startswith("recurrent") and name not in ("V", "reset_mechanism_val")
    ):
        return False
    drawn = torch.Generator("cpu").manual_seed(0)
    scale = 2 * neuron.threshold.detach().double().abs().nan_to_num(posinf=1.0).item() + 0.1
    size = 2 + len(neuron.STATES), 256
    values = torch.randn(size, generator=drawn, dtype=dtype, device="cpu") * scale
    values = values.to(neuron.threshold.device)
    found = _anywhere(neuron, values)
    for state in states:
        row = [*found.by_drive[1 + state], *(found.by_state[1 + state][k] for k in states)]
        if any(x is not None and not bool((x == x[0]).all()) for x in row):
            return False
    return True


class Constants(NamedTuple):
    """The derivatives of a linear neuron's states, by states before and by drives."""

    by_state: list[list[float]]
    by_drive: list[list[float]]


def constants(neuron: Any, states: Sequence[int], dtype: torch.dtype) -> Constants:
    """The derivatives of these states of a linear neuron, as numbers."""
    found = _anywhere(neuron, neuron.threshold.new_zeros(2 + len(neuron.STATES), 1, dtype=dtype))
    by_state = [[_number(found.by_state[1 + i][k]) for k in states] for i in states]
    return Constants(by_state, [[_number(x) for x in found.by_drive[1 + i]] for i in states])


def _anywhere(neuron: Any, values: Tensor) -> Derivatives:
    """Derivatives at a current, a feedback and states of no layer."""
    current, feedback, *states = values.unbind(0)
    is_recurrent = isinstance(neuron, Recurrent)
    return derivatives(neuron, current, states, feedback if is_recurrent else None)


def _number(x: Tensor | None) -> float:
    return 0.0 if x is None else x.item()
