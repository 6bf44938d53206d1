"""Training for one epoch with backpropagation through time, step by step.

The loop calls the network once per step, so it works for any network. A loop of one's own around
`bitspike.unroll` runs whole sequences and is faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, with_values
from bitspike.neurons.leaky_integrator import LI

from . import utils

OF_SPIKES = (
    "ce_rate_loss",
    "ce_count_loss",
    "ce_latency_loss",
    "ce_temporal_loss",
    "mse_count_loss",
    "mse_rate_loss",
    "mse_temporal_loss",
    "mse_relative_temporal_loss",
)
"""Criteria that take the spikes of the last layer."""

OF_MEMBRANES = ("ce_max_membrane_loss", "mse_membrane_loss")
"""Criteria that take its membrane."""


def TBPTT(
    net: nn.Module,
    dataloader: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[[Tensor, Tensor], Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Callable[[Tensor], Tensor] | bool = False,
    device: torch.device | str = "cpu",
    K: int | bool = 1,
) -> Tensor:
    """One epoch of truncated backpropagation through time (Williams and Peng, 1990).

    The weights are updated after every ``K`` steps of a sequence, with the gradient of the loss
    over these steps. The hidden states go on with their numbers, cut off their graph, so no
    gradient reaches the steps before. A sequence ends with a shorter chunk if ``K`` does not divide
    it. The network starts each batch from rest.

    Args:
        net: Called with one step ``[B, *]``; its neurons have ``init_hidden=True``. Returns spikes
            first and the membrane last, as a last neuron with ``output=True`` does. Spikes alone
            suffice for a criterion of spikes, and the membrane of a last `LI` for one of membranes.
        dataloader: Gives batches ``(data, targets)``, tensors or what ``torch.as_tensor`` takes:
            data ``[T, B, *]``, or ``[B, *]`` if
            ``time_var`` is False.
        optimizer: Of the parameters of ``net``.
        criterion: A loss of ``bitspike.functional``, or another callable whose ``__name__`` is in
            `OF_SPIKES` or `OF_MEMBRANES`. It takes a chunk ``[K, B, *]`` of spikes or of membranes,
            and the targets; those with a true ``time_var_targets`` take the chunk's part of targets
            ``[T, B, *]``.
        num_steps: How often static data are presented.
        time_var: Whether data have a time axis.
        time_first: False for data ``[B, T, *]``. Targets in time keep it in front.
        regularization: A function of the chunk's spikes that is added to the loss, or False.
        device: Where to train.
        K: Steps per update; False for whole sequences.

    Returns:
        The mean loss of a step, without graph: chunks count by their length, and batches equally.

    Raises:
        ValueError: if ``num_steps`` is given with data that have a time axis, or is missing for
            static ones; if ``K`` is not positive or above ``num_steps``; if ``time_first`` is False
            for static data; if a neuron is ``multi_step``; or if there is no batch or no step.
        TypeError: if the criterion is none of the above, or the network does not return what it
            takes.

    Example:
        >>> from torch import nn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True, output=True)
        >>> net = nn.Sequential(nn.Linear(4, 2), lif)
        >>> def ce_count_loss(spikes, targets):
        ...     return nn.functional.cross_entropy(spikes.sum(0), targets)
        >>> batches = [(torch.rand(10, 3, 4), torch.tensor([0, 1, 1]))]
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> loss = snn.backprop.TBPTT(net, batches, optimizer, ce_count_loss, K=4)
        >>> loss.shape, loss.requires_grad
        (torch.Size([]), False)
    """
    _check(net, num_steps, time_var, time_first, K)
    pick = _picker(net, criterion)
    targets_in_time = bool(getattr(criterion, "time_var_targets", False))
    home = torch.device(device)
    net = net.to(home)
    net.train()
    losses = []
    for data, targets in dataloader:
        data = with_values(as_tensor(data, "data", home), "data")
        targets = with_values(as_tensor(targets, "targets", home), "targets")
        axis = 0 if time_first else 1
        if time_var and data.dim() <= axis:
            raise ValueError(f"data must have time on axis {axis}, but are {tuple(data.shape)}")
        steps = data.shape[axis] if time_var else int(num_steps)
        if not steps:
            raise ValueError(f"data must have steps, but their shape is {tuple(data.shape)}")
        size = steps if K is False else int(K)
        mean: Tensor | float = 0.0
        utils.reset(net)
        for start in range(0, steps, size):
            stop = min(start + size, steps)
            chunk = [net(data.select(axis, t) if time_var else data) for t in range(start, stop)]
            wanted = targets[start:stop] if targets_in_time else targets
            loss = criterion(torch.stack([pick(result) for result in chunk]), wanted)
            if callable(regularization):
                loss = loss + regularization(torch.stack([_first(result) for result in chunk]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            utils.detach(net)
            mean = mean + loss.detach() * ((stop - start) / steps)
        losses.append(mean)
    if not losses:
        raise ValueError("dataloader must give batches (data, targets), but it gave none")
    return torch.stack([torch.as_tensor(loss) for loss in losses]).mean(0)


def BPTT(
    net: nn.Module,
    dataloader: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[[Tensor, Tensor], Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Callable[[Tensor], Tensor] | bool = False,
    device: torch.device | str = "cpu",
) -> Tensor:
    """One epoch of backpropagation through time: one update per batch, after its last step.

    It is `TBPTT` with whole sequences as chunks; arguments, result and errors are explained there.

    Example:
        >>> from torch import nn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True, output=True)
        >>> net = nn.Sequential(nn.Linear(4, 2), lif)
        >>> def mse_membrane_loss(membranes, targets):
        ...     return (membranes - targets).square().mean()
        >>> batches = [(torch.rand(3, 4), torch.zeros(2))]
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> loss = snn.backprop.BPTT(
        ...     net, batches, optimizer, mse_membrane_loss, num_steps=10, time_var=False
        ... )
    """
    return TBPTT(
        net,
        dataloader,
        optimizer=optimizer,
        criterion=criterion,
        num_steps=num_steps,
        time_var=time_var,
        time_first=time_first,
        regularization=regularization,
        device=device,
        K=False,
    )


def RTRL(
    net: nn.Module,
    dataloader: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    criterion: Callable[[Tensor, Tensor], Tensor],
    num_steps: int | bool = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Callable[[Tensor], Tensor] | bool = False,
    device: torch.device | str = "cpu",
) -> Tensor:
    """`TBPTT` with ``K=1``, under the name that snnTorch gives it.

    It is not real-time recurrent learning (Williams and Zipser, 1989), which carries derivatives of
    the states with respect to the weights along and so sees the whole past, as
    ``bitspike.learning.online.RTRL`` does; here an update sees one step. Arguments, result and
    errors are those of `TBPTT`; a ``UserWarning`` says what it is.

    Example:
        >>> import warnings
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(4, 2), snn.Leaky(beta=0.9, init_hidden=True))
        >>> def ce_rate_loss(spikes, targets):
        ...     return nn.functional.cross_entropy(spikes[0], targets)
        >>> batches = [(torch.rand(10, 3, 4), torch.tensor([0, 1, 1]))]
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     loss = snn.backprop.RTRL(net, batches, optimizer, ce_rate_loss)
    """
    warnings.warn(
        "RTRL is TBPTT with K=1, whose gradients see one step; it is not real-time recurrent "
        "learning, which carries derivatives of the whole past forward. Call TBPTT to say so",
        stacklevel=2,
    )
    return TBPTT(
        net,
        dataloader,
        optimizer=optimizer,
        criterion=criterion,
        num_steps=num_steps,
        time_var=time_var,
        time_first=time_first,
        regularization=regularization,
        device=device,
        K=1,
    )


def _check(
    net: nn.Module,
    num_steps: int | bool,
    time_var: bool,
    time_first: bool,
    K: int | bool,
) -> None:
    if time_var and num_steps:
        raise ValueError("num_steps must not be given with time_var: data have a time axis")
    if not time_var and (not num_steps or num_steps < 0):
        raise ValueError(f"num_steps must be positive for static data, but is {num_steps}")
    if not time_var and not time_first:
        raise ValueError("time_first=False says where static data have a time axis: they have none")
    if K is not False and K < 1:
        raise ValueError(f"K must be a positive number of steps, or False for all, but is {K}")
    if num_steps and K > num_steps:
        raise ValueError(f"K is {K}, but there are {num_steps} steps")
    for name, module in net.named_modules():
        if getattr(module, "multi_step", False):
            raise ValueError(
                f"{name or 'net'} is multi_step, but the network is called with single steps"
            )


def _picker(net: nn.Module, criterion: Any) -> Callable[[Any], Tensor]:
    """What of a step's result the criterion takes."""
    name = getattr(criterion, "__name__", None)
    if name in OF_SPIKES:
        return _first
    if name in OF_MEMBRANES:
        return _first if isinstance(list(net.modules())[-1], LI) else _membrane
    known = ", ".join((*OF_SPIKES, *OF_MEMBRANES))
    raise TypeError(f"criterion must have one of the names {known}, but is {name or criterion!r}")


def _first(result: Any) -> Tensor:
    first: Tensor = result if isinstance(result, Tensor) else result[0]
    return first


def _membrane(result: Any) -> Tensor:
    if isinstance(result, Tensor):
        raise TypeError(
            "criterion takes membranes, but net returns spikes alone: its last neuron needs "
            "output=True"
        )
    membrane: Tensor = result[-1]
    return membrane
