"""Neurons of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.packing import Packing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class Neuron(Packing):
    """Base of neurons of one's own: names of states, numbers, and one step.

    A subclass names its ``STATES`` and gives ``step(current, *states) -> (spikes, states)``. Each
    of ``DEFAULTS`` is a number of its equation: a keyword of its constructor, then a buffer of that
    name, or a parameter with ``learn_<name>=True``. With it come single steps, whole sequences,
    packed spikes, ``init_hidden``, ``state_dict`` and surrogate gradients.

    In ``step``, ``self.fire(mem)`` are the spikes of a membrane above ``self.threshold``, and
    ``self.mem_reset(mem)`` tells where a membrane is above it, without a gradient: what happens to
    those neurons is the step's to say. States start at 0, or at what ``rest()`` returns for each.

    A step that computes each neuron by itself has a program, which `program.capture` shows.

    Args:
        numbers: Those of ``DEFAULTS``: each a number, or a tensor that broadcasts against one step;
            ``learn_<name>`` makes one a parameter. The rest are ``threshold``, ``spike_grad``,
            ``multi_step`` and other options of `SpikingNeuron`, without those for resets.

    Shapes:
        As `Leaky`, with the states that are named.

    Raises:
        TypeError: for a keyword that is none of these, another number of states, and for a class
            without states or step, or one whose names are taken.
        ValueError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> class Adaptive(snn.Neuron):
        ...     STATES = ("a", "mem")
        ...     DEFAULTS = {"beta": 0.5, "rho": 0.75}
        ...
        ...     def step(self, current, a, mem):
        ...         reset = self.mem_reset(mem)
        ...         a = self.rho * a + reset
        ...         mem = self.beta * mem * (1 - reset) + current - a
        ...         return self.fire(mem), (a, mem)
        >>> neuron = Adaptive(beta=0.5, learn_beta=True, multi_step=True)
        >>> spikes, a, mem = neuron(torch.full((4, 1), 1.5))
        >>> spikes.dense()[:, 0], mem[:, 0].detach()
        (tensor([1., 0., 0., 1.]), tensor([1.5000, 0.5000, 1.0000, 1.4375]))
    """

    DEFAULTS: ClassVar[Mapping[str, float | Tensor]] = {}
    """The numbers of the equation."""
    RESETS = ("none",)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        name = cls.__name__
        if not cls.STATES or not callable(getattr(cls, "step", None)):
            raise TypeError(f"{name} needs STATES, the names of its states, and a method step")
        for taken in (*cls.DEFAULTS, *cls.STATES):
            if hasattr(cls, taken) or [*cls.DEFAULTS, *cls.STATES].count(taken) > 1:
                raise TypeError(f"{name} has {taken!r} twice, or all neurons have it")
        cls.PARAMETERS = tuple(cls.DEFAULTS)

    def __init__(self, **numbers: Unpack[Firing]) -> None:
        given: dict[str, Any] = dict(numbers)
        values = {name: given.pop(name, default) for name, default in self.DEFAULTS.items()}
        learned = {name: given.pop(f"learn_{name}", False) for name in self.DEFAULTS}
        super().__init__(reset_mechanism="none", **given)
        for name, value in values.items():
            if hasattr(self, name):
                raise TypeError(f"{name!r} of {type(self).__name__} is something all neurons have")
            self._constant(name, value, learned[name])

    def forward(self, input_: Tensor, *states: Tensor | None) -> Result:
        """One step, or a sequence if ``multi_step``; states that are not passed are at rest."""
        count = len(self.STATES)
        if len(states) > count:
            raise TypeError(
                f"{type(self).__name__} has {count} states, {', '.join(self.STATES)}, "
                f"and was given {len(states)}"
            )
        return self._call(input_, (*states, *(None,) * (count - len(states))))
