"""In which order the calls of a loop run, if each runs over all steps at once where it can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from torch import nn

from bitspike.graph import Earlier, Fixed, Loop, Node, Output, Source, Varying
from bitspike.graph.values import leaves, values_of
from bitspike.neurons.base.recurrent import Recurrent
from bitspike.ops.route import has_hooks

from .neurons import is_steppable


class Part(NamedTuple):
    """Calls of the body of a loop that run together."""

    positions: tuple[int, ...]
    """In the order of the program."""
    is_loop: bool
    """Whether they need the steps before, and so run step by step."""


def parts(loop: Loop) -> list[Part]:
    """The body of a loop in parts, each of which needs only those in front of it.

    A part is a single call, or calls that feed each other from step to step. Calls that draw random
    numbers do so in the order of the program, except for masks of dropout, which are drawn before.
    """
    edges = _edges(loop)
    return [
        Part(tuple(sorted(group)), len(group) > 1 or group[0] in edges[group[0]])
        for group in _sorted(_components(len(loop.body), edges), edges)
    ]


def _edges(loop: Loop) -> dict[int, set[int]]:
    """Which calls need which others, in whatever step."""
    edges: dict[int, set[int]] = defaultdict(set)
    for position in range(len(loop.body)):
        for source in _needed(loop, position):
            if isinstance(source, Earlier):
                edges[source.place.position].add(position)
            else:
                # What is not regular runs step by step, together with what it needs.
                for other in _irregular(loop, source):
                    _tie(edges, [other, position])
    draws = [i for i, calls in enumerate(loop.body) if calls[0].draws]
    if not all(is_dropout(loop.body[i][0]) for i in draws):
        _tie(edges, draws)
    for touching in _touching(loop):
        passed = (continues_itself(loop, i) and not is_kept(loop.given(i)) for i in touching)
        if all(passed):
            for before, after in zip(touching, touching[1:], strict=False):
                edges[before].add(after)  # the last call leaves the state
        else:
            _tie(edges, touching)
    return edges


def _needed(loop: Loop, position: int) -> list[Source]:
    """Where the arguments of a call come from, without states that a neuron gets of itself."""
    args, kwargs = loop.arguments(position)
    found = list(leaves((args, kwargs)))
    return found[:1] if continues_itself(loop, position) else found


def _tie(edges: dict[int, set[int]], positions: Sequence[int]) -> None:
    """Has calls run in the same loop, in the order of the program."""
    if len(positions) > 1:
        for before, after in zip(positions, positions[1:], strict=False):
            edges[before].add(after)
        edges[positions[-1]].add(positions[0])


def _irregular(loop: Loop, source: Source) -> Iterator[int]:
    """The calls of the loop that an argument refers to in no regular way."""
    entries = source.entries if isinstance(source, Varying) else (source.value,)  # type: ignore[union-attr]
    for value in values_of(list(entries)):
        if isinstance(value, Output) and value in loop.places:
            yield loop.places[value][1].position


def continues_itself(loop: Loop, position: int) -> bool:
    """Whether a neuron gets its own states of the step before: passed, or kept by itself."""
    node = loop.body[position][0]
    if not (is_steppable(node.target) and node.args):
        return False
    given = loop.given(position)
    if is_kept(given):
        return True
    returned = list(values_of(node.result))
    returned = returned if isinstance(node.target, Recurrent) else returned[1:]
    return all(
        isinstance(x, Earlier)
        and x.lag == 1
        and x.place.position == position
        and node.outputs[x.place.output] in (node.states[i], *returned[i : i + 1])
        for i, x in enumerate(given)
    )


def is_kept(given: Sequence[Source]) -> bool:
    """Whether no states are passed."""
    return all(isinstance(x, Fixed) and x.value is None for x in given)


def is_dropout(node: Node) -> bool:
    """Whether a call draws a mask that depends on the shape of its input alone."""
    module = node.target
    return node.draws and type(module) is nn.Dropout and not has_hooks(module) and node.on_cpu


def _touching(loop: Loop) -> Iterator[list[int]]:
    """Calls that change the same module, if there are several: neurons, normalisations."""
    by_module: dict[nn.Module, list[int]] = defaultdict(list)
    for position, calls in enumerate(loop.body):
        node = calls[0]
        if node.module is not None and (node.stateful is not None or node.writes):
            by_module[node.module].append(position)
    return (positions for positions in by_module.values() if len(positions) > 1)


def _components(count: int, edges: dict[int, set[int]]) -> list[list[int]]:
    """Strongly connected components (Tarjan 1972), by reachability: bodies are short."""
    reach = {i: _reachable(i, edges) for i in range(count)}
    found: list[list[int]] = []
    seen: set[int] = set()
    for i in range(count):
        if i not in seen:
            group = [i, *(j for j in sorted(reach[i]) if j != i and i in reach[j])]
            seen.update(group)
            found.append(group)
    return found


def _reachable(start: int, edges: dict[int, set[int]]) -> set[int]:
    found: set[int] = set()
    stack = list(edges[start])
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(edges[node])
    return found


def _sorted(groups: list[list[int]], edges: dict[int, set[int]]) -> Iterator[list[int]]:
    """Groups in an order in which each comes behind what it needs, else that of the program."""
    group_of = {position: i for i, group in enumerate(groups) for position in group}
    needs: dict[int, set[int]] = {i: set() for i in range(len(groups))}
    for position, others in edges.items():
        for other in others:
            if group_of[position] != group_of[other]:
                needs[group_of[other]].add(group_of[position])
    waiting = sorted(needs, key=lambda i: min(groups[i]))
    done: set[int] = set()
    while waiting:
        ready: Iterable[int] = (i for i in waiting if needs[i] <= done)
        chosen = next(iter(ready))
        waiting.remove(chosen)
        done.add(chosen)
        yield groups[chosen]
