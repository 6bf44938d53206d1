"""Residual blocks: a branch of layers, and a way around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_choice
from bitspike.neurons.base import FIRING

_CONNECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda branch, way: branch + way,
    "and": lambda branch, way: branch * way,
    "iand": lambda branch, way: way - branch * way,
}


class Residual(nn.Module):
    r"""A branch of layers with a way around it, in one of three forms.

    .. math::
        \texttt{sew}:\ y = g(F(x), W(x)) \qquad
        \texttt{ms}:\ y = F(x) + W(x) \qquad
        \texttt{add}:\ y = \mathrm{neuron}(F(x) + W(x))

    with the branch ``F`` and the way around it ``W``, which by default is the input itself.

    * ``sew`` joins spikes (Fang et al. 2021): the branch ends with neurons, and ``g`` is the sum,
      the product (``"and"``), or the spikes of the input without those of the branch (``"iand"``).
      With a silent branch the sum and ``"iand"`` are the identity, in the gradient as well. Sums of
      spikes are no spikes: they grow by one with each block.
    * ``ms`` joins currents (Hu et al. 2021): the branch begins with neurons and ends with weights,
      or a normalisation. Between blocks there are currents, and no neuron stands in the way around
      all blocks.
    * ``add`` joins currents in front of neurons (Zheng et al. 2021), as a residual network of
      rectified units does. Such a block cannot be the identity, and gradients shrink with depth.

    In a sequence everything runs as in the network around it: `bitspike.unroll` unrolls the block.

    Args:
        branch: ``F``, which keeps the shape unless ``shortcut`` changes it alike.
        kind: ``"sew"``, ``"ms"`` or ``"add"``.
        shortcut: ``W``: layers that change the shape as the branch does.
        connect: For ``sew``: ``"add"``, ``"and"`` or ``"iand"``.
        neuron: For ``add``: the neurons that take the sum.

    Shapes:
        Those of the branch.

    Raises:
        ValueError: for another ``kind`` or ``connect``, a ``neuron`` that is missing or has no use,
            a ``"sew"`` branch that does not end with neurons, and in a call, if the branch and the
            way around it have different shapes.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> neuron = {"beta": 0.5, "init_hidden": True}
        >>> branch = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), snn.Leaky(**neuron))
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), snn.Leaky(**neuron),
        ...                     snn.Residual(branch), nn.Flatten(), nn.Linear(256, 10))
        >>> snn.unroll(net, torch.rand(5, 2, 1, 8, 8)).shape
        torch.Size([5, 2, 10])
    """

    is_program = True
    """A graph has its calls, and not its own: the states of its neurons are seen."""

    def __init__(
        self,
        branch: nn.Module,
        kind: str = "sew",
        *,
        shortcut: nn.Module | None = None,
        connect: str = "add",
        neuron: nn.Module | None = None,
    ) -> None:
        super().__init__()
        expect_choice("kind", kind, ("sew", "ms", "add"))
        expect_choice("connect", connect, _CONNECTIONS)
        if kind != "sew" and connect != "add":
            raise ValueError(f"connect={connect!r} joins spikes: kind must be 'sew', not {kind!r}")
        if (neuron is None) == (kind == "add"):
            raise ValueError(
                "neuron takes the sum of a block of kind='add', and of no other: "
                f"neuron={neuron}, kind={kind!r}"
            )
        if kind == "sew" and isinstance(branch, nn.Sequential) and not _ends_with_neurons(branch):
            raise ValueError(
                "branch must end with neurons for kind='sew', which joins spikes; 'ms' and 'add' "
                "join currents"
            )
        self.kind = kind
        self.connect = connect
        self.branch = branch
        self.shortcut = shortcut
        self.neuron = neuron

    def forward(self, x: Tensor) -> Any:
        """One step, or a sequence if the neurons take them."""
        return self.through(as_tensor(x, "x"), lambda name, value: getattr(self, name)(value))

    def through(self, x: Any, call: Callable[[str, Any], Any]) -> Any:
        """The output, where ``call`` runs the parts, given their name and input."""
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())  # truth values would add up to truth values
        of_branch = call("branch", x)
        way = x if self.shortcut is None else call("shortcut", x)
        if of_branch.shape != way.shape:
            raise ValueError(
                f"branch makes {list(of_branch.shape)} of x, but the way around it has "
                f"{list(way.shape)}: pass a shortcut that changes the shape alike"
            )
        joined = _CONNECTIONS[self.connect](of_branch, way)
        return joined if self.neuron is None else call("neuron", joined)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"kind={self.kind!r}, connect={self.connect!r}"


def _ends_with_neurons(module: nn.Module) -> bool:
    while isinstance(module, nn.Sequential) and len(module):
        module = module[-1]
    return isinstance(module, (*FIRING, Residual))
