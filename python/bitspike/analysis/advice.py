"""What a diagnosis means, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bitspike.surrogate import Disabled

from .diagnosis import LayerDiagnosis
from .table import number, percent

MANY = 0.5
"""The share of dead or saturated neurons from which on there is a suggestion."""
ALL_AT_ONCE = 0.9
"""The share of spikes at the first step, likewise."""
NARROW = 1e-3
"""A surrogate that passes less of the gradient than this is too narrow for its membranes."""
VANISHED = 1e-3
"""The ratio of the gradients of the first and the last weights, or its inverse, likewise."""


def advice(
    rows: Sequence[LayerDiagnosis], *, silent_input: bool, no_gradient: str | None
) -> list[str]:
    """Suggestions, or that there is none.

    Args:
        rows: The layers in order.
        silent_input: Whether the input holds nothing but zeros.
        no_gradient: Why there is no gradient at all, if there is none.
    """
    found = ["the input holds no value but 0, so nothing makes the first layer fire"] * silent_input
    for before, row in zip((None, *rows), rows, strict=False):
        found += _of_rates(row, before)
    found += [no_gradient] if no_gradient else _of_gradients(rows)
    return found or [_all_is_well(rows)]


def _of_rates(row: LayerDiagnosis, before: LayerDiagnosis | None) -> list[str]:
    """What is wrong with how one layer fires."""
    if row.dead is None or row.saturated is None:
        return []
    found = []
    if row.firing_rate == 0 and before is not None and before.firing_rate == 0:
        found.append(f"{_name(row)}: it is silent because {_name(before)} in front of it is")
    elif row.dead >= MANY:
        norm = row.gradient_norm
        gradient = "" if norm is None else f"; the gradient of its weights is {number(norm)}"
        found.append(
            f"{_name(row)}: {percent(row.dead)} of its neurons never fire: lower the threshold, "
            f"raise its weights (snn.rescue) or its input{gradient}"
        )
    if row.saturated >= MANY:
        found.append(
            f"{_name(row)}: {percent(row.saturated)} of its neurons fire at nearly every step: "
            "raise the threshold, lower its weights, or add a penalty (functional.upper_neuron)"
        )
    elif row.first_step is not None and row.first_step >= ALL_AT_ONCE:
        found.append(
            f"{_name(row)}: {percent(row.first_step)} of its spikes come at the first step: its "
            "input is a single volley, or what resets it lets nothing fire again; spread the input "
            "over time, raise beta, or lower the threshold"
        )
    return found


def _of_gradients(rows: Sequence[LayerDiagnosis]) -> list[str]:
    """What is wrong with how gradients come back through the layers."""
    if not all(math.isfinite(row.gradient_norm or 0) for row in rows):
        worst = next(row for row in rows if not math.isfinite(row.gradient_norm or 0))
        return [
            f"{_name(worst)}: the gradient of its weights is {worst.gradient_norm}: lower the "
            "weights, clip the gradient, or shorten the sequence"
        ]
    blocked = [i for i, row in enumerate(rows) if _is_blocked(row)]
    if blocked:
        return [_of_a_block(rows, blocked[-1])]
    found = [
        f"{_name(row)}: its surrogate {row.surrogate} passes {row.passed:.2g} of the gradient: its "
        "membranes are seldom near the threshold for that width; widen the surrogate, or bring the "
        "currents nearer to the threshold"
        for row in rows
        if row.passed is not None and row.passed < NARROW and (row.dead or 0) < MANY
    ]
    weighted = [(row, row.gradient_norm) for row in rows if row.gradient_norm]
    if len(weighted) > 1:
        (first, at_first), (last, at_last) = weighted[0], weighted[-1]
        change = f"from {number(at_last)} in {_name(last)} to {number(at_first)} in {_name(first)}"
        if at_first < VANISHED * at_last:
            found.append(
                f"the gradient vanishes, {change}: widen the surrogates, normalise the currents "
                "(tdBN), or use fewer layers"
            )
        elif at_last < VANISHED * at_first:
            found.append(
                f"the gradient explodes, {change}: lower the weights, clip the gradient, or "
                "shorten the sequence"
            )
    return found


def _is_blocked(row: LayerDiagnosis) -> bool:
    """Whether no gradient reaches the current of a layer, although it could."""
    return row.step_gradients is not None and not row.step_gradients.any()


def _of_a_block(rows: Sequence[LayerDiagnosis], i: int) -> str:
    """Why no gradient reaches the current of layer ``i``, and those before it."""
    row = rows[i]
    if row.passed == 0:
        if row.surrogate == str(Disabled()):
            why = "its spikes pass no gradient, because surrogate_disable is set"
        else:
            why = f"its surrogate {row.surrogate} is 0 at all its membranes: widen it"
    elif i + 1 == len(rows):
        why = "no gradient comes from the loss, which is at a minimum or does not depend on it"
    else:
        why = f"no gradient comes back from {_name(rows[i + 1])}: is something between detached?"
    return f"{_name(row)}: {why}; neither its weights nor those before it learn"


def _all_is_well(rows: Sequence[LayerDiagnosis]) -> str:
    """That all is well, and the numbers that say so."""
    rates = [row.firing_rate for row in rows if row.firing_rate is not None]
    norms = [row.gradient_norm for row in rows if row.gradient_norm is not None]
    facts = []
    if rates:
        facts.append(f"rates are between {percent(min(rates))} and {percent(max(rates))}")
    if norms:
        facts.append(f"gradients between {number(min(norms))} and {number(max(norms))}")
    return ", ".join((*facts, "nothing to change"))


def _name(row: LayerDiagnosis) -> str:
    return f"layer {row.name} ({row.kind})"
