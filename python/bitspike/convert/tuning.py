"""Training that goes on after conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.arguments import expect_choice

from .network import RateNetwork

_LEARN = ("thresholds", "biases", "all")
_LEAST = 1e-3
"""The share of itself that a threshold keeps at least."""


def fine_tune(
    net: RateNetwork,
    loader: Iterable[Any],
    *,
    learn: str = "all",
    epochs: int = 1,
    lr: float = 1e-3,
    num_steps: int | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
) -> list[float]:
    """Trains a converted network with surrogate gradients, for as few steps as it shall run.

    Conversion starts where few epochs are left to go. What it has done well remains if thresholds
    or biases alone are learned, which are few, and of which small data sets cannot make too much.
    All are ordinary parameters: a training loop of your own does as well.

    Args:
        net: What `ann_to_snn` has returned; it changes.
        loader: Batches ``(inputs [B, *], targets)``.
        learn: ``"thresholds"``, ``"biases"``, or ``"all"``, which adds the weights.
        epochs: How often to go through the loader.
        lr: The learning rate of Adam. That of a threshold is in proportion to it.
        num_steps: How many steps to run; by default those of the network.
        loss: Of outputs and targets.

    Returns:
        The mean loss of each epoch.

    Raises:
        TypeError: if ``net`` is no converted network.
        ValueError: for an unknown ``learn``, no batches, or a loss that is not finite.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> x, labels = torch.rand(20, 4), torch.randint(3, (20,))
        >>> net, _ = snn.convert.ann_to_snn(ann, [x], num_steps=4)
        >>> losses = snn.convert.fine_tune(net, [(x, labels)], learn="thresholds", epochs=5)
        >>> len(losses)
        5
    """
    if not isinstance(net, RateNetwork):
        raise TypeError(
            f"net must be a RateNetwork, which ann_to_snn returns, not {type(net).__name__}"
        )
    expect_choice("learn", learn, _LEARN)
    thresholds = [neuron.threshold for neuron in net.neurons().values()]
    floors = [_LEAST * x.detach() for x in thresholds]
    groups: list[dict[str, Any]] = [
        # Adam moves a number by the learning rate: thresholds by that share of themselves.
        {"params": [x], "lr": lr * float(x.detach().mean())}
        for x in thresholds
        if learn != "biases"
    ]
    if learn != "thresholds":
        groups.append({"params": list(_layers(net, learn)), "lr": lr})
    losses = []
    with _learning(net, groups):
        optimizer = torch.optim.Adam(groups)
        for _ in range(epochs):
            found = []
            for inputs, targets in loader:
                optimizer.zero_grad()
                value = loss(net(inputs, num_steps), targets)
                if not bool(torch.isfinite(value)):
                    raise ValueError("the loss is not finite; lower lr, or look at the data")
                value.backward()
                optimizer.step()
                with torch.no_grad():
                    for threshold, floor in zip(thresholds, floors, strict=True):
                        threshold.copy_(torch.maximum(threshold, floor))
                found.append(float(value.detach()))
            if not found:
                raise ValueError("loader has no batch to learn from")
            losses.append(sum(found) / len(found))
    return losses


def _layers(net: RateNetwork, learn: str) -> Iterator[nn.Parameter]:
    """The parameters to learn, other than thresholds."""
    for name, parameter in net.named_parameters():
        kind = name.rpartition(".")[2]
        if kind in ("bias", "shift") or (learn == "all" and kind != "threshold"):
            yield parameter


@contextmanager
def _learning(net: RateNetwork, groups: list[dict[str, Any]]) -> Iterator[None]:
    """Gradients of these parameters, and of no other; afterwards as before."""
    asked = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    learned = {parameter for group in groups for parameter in group["params"]}
    for parameter, _ in asked:
        parameter.requires_grad_(parameter in learned)
    try:
        yield
    finally:
        for parameter, needs in asked:
            parameter.requires_grad_(needs)
            parameter.grad = None
