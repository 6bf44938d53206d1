"""The order of the nodes of a graph, and which edges carry values of the step before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .records import Edge


class Order(NamedTuple):
    """Nodes in the order in which they compute a step."""

    groups: list[list[str]]
    """Nodes that feed each other in a circle stand together, every other node alone."""
    backward: set[Edge]
    """Edges that close a circle: they carry what their node made one step before."""


def arrange(nodes: Iterable[str], edges: Sequence[Edge], inputs: Iterable[str]) -> Order:
    """Orders a graph.

    A walk from the inputs, which follows edges in the order in which they are listed, decides: an
    edge to a node through which the walk has come closes a circle.

    Example:
        >>> arrange(["x", "a", "b"], [("x", "a"), ("a", "b"), ("b", "a")], ["x"])
        Order(groups=[['x'], ['a', 'b']], backward={('b', 'a')})
    """
    after, before = defaultdict(list), defaultdict(list)
    for a, b in edges:
        after[a].append(b)
        before[b].append(a)
    backward: set[Edge] = set()
    finished = list(_walk([*inputs, *nodes], after, set(), backward))
    order = finished[::-1]
    place = {name: i for i, name in enumerate(order)}
    # Who reaches a node that comes first among those left, and is reached by it (Kosaraju).
    seen: set[str] = set()
    groups = [sorted(_walk([name], before, seen, set()), key=place.__getitem__) for name in order]
    return Order([group for group in groups if group], backward)


def _walk(
    starts: Iterable[str], after: Mapping[str, list[str]], seen: set[str], backward: set[Edge]
) -> Iterable[str]:
    """Goes through a graph, and yields each node when all behind it have been; without recursion.

    Args:
        starts: Where to begin.
        after: The nodes behind each.
        seen: Nodes that are left out; those that it meets are added.
        backward: Where it notes edges to nodes through which it has come.
    """
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(after.get(start, ())))]
        through = {start}
        while path:
            name, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                through.discard(name)
                yield name
            elif following in through:
                backward.add((name, following))
            elif following not in seen:
                seen.add(following)
                through.add(following)
                path.append((following, iter(after.get(following, ()))))
