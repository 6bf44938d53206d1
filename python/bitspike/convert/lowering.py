"""From a program to a list of calls that spikes can stand for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import Output, capture
from bitspike.graph.values import leaves

from . import parts
from .errors import ConversionError
from .parts import Model, Part
from .reading import Reader


def lower(model: nn.Module, x: Tensor, *, pool_currents: bool = True) -> Model:
    """A model as calls that spikes can stand for, in eval mode, on copies of its layers.

    Batch normalisations are folded into the layers in front of them, and dropouts vanish.

    Args:
        model: Any program that `graph.capture` takes.
        x: A batch ``[B, *]``, for shapes.
        pool_currents: Whether max pools may stand in front of the first rectifiers.

    Raises:
        ConversionError: for a call that spikes cannot stand for.
        GraphError: if the program cannot be captured.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, not {type(model).__name__}")
    with _as_used(model), torch.no_grad():
        graph = capture(model, x)
        outputs = list(leaves(graph.result))
        if len(outputs) != 1 or not isinstance(outputs[0], Output):
            raise ConversionError(graph.name, "a model must return one tensor that it computes")
        reader = Reader(len(x), graph.nodes, outputs[0])
        made = reader.read(graph.inputs[0])
        _order_pools(made, pool_currents)
        expected = model(x)
        found = made.values(x)[made.output]
    if not torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
        raise ConversionError(
            graph.name, "its calls, one after another, do not compute what the model returns"
        )
    return made


@contextmanager
def _as_used(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, with no module that writes into its input; afterwards as before."""
    modes = {module: module.training for module in model.modules()}
    in_place: list[Any] = [x for x in model.modules() if getattr(x, "inplace", False) is True]
    model.eval()
    for module in in_place:
        module.inplace = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for module in in_place:
            module.inplace = True


def _order_pools(model: Model, pool_currents: bool) -> None:
    """Puts max pools behind rectifiers, or in front of the first ones of all.

    The maximum of rectified values is the rectified maximum. Neurons fire for values alone, so that
    pools are theirs; but where currents are constant, the neuron with the largest has fired as
    often as any at all times, and the current can be chosen once.
    """
    uses, behind = model.uses(), set[Part]()
    for part in model:
        source = part.sources[0]
        if behind.intersection(part.sources) or parts.is_rectifier(source.module):
            behind.add(part)
        first = source.sources[0] if source.sources else source
        constant = pool_currents and not (first in behind or parts.is_rectifier(first.module))
        pair = (part, source) if constant else (source, part)
        if (
            uses[source] == 1
            and isinstance(pair[0].module, parts.MAX_POOLS)
            and parts.is_rectifier(pair[1].module)
        ):
            # What reads the second of both reads what the first was: they exchange what they are.
            part.module, source.module = source.module, part.module
            part.name, source.name = source.name, part.name
            assert source.module is not None
            source.shape = source.module(torch.zeros(1, *first.shape)).shape[1:]
