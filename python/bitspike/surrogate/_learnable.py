"""A surrogate whose width is learned."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor

from ._firing import with_gradient_of
from ._surrogate import Surrogate


class Learnable(nn.Module):
    """A surrogate whose numbers are parameters, learned with the weights.

    Spikes do not depend on the width ``α`` of a surrogate, so their true derivative with respect to
    it is 0. For the width as for the input, the surrogate's primitive ``P`` takes the place of the
    step ``H``::

        S = H(x)    ∂S/∂x = P'(x; α)    ∂S/∂α = ∂P(x; α)/∂α

    so that both are derivatives of one smooth function. Che et al. (NeurIPS 2022) and Lian et al.
    (IJCAI 2023) learn surrogates too; this choice of ``∂S/∂α`` is made here.

    A neuron that gets one as its ``spike_grad`` has it as a submodule. It runs in programs;
    `frozen` gives a plain surrogate, which runs in kernels. Nothing keeps a width positive: use
    ``torch.nn.utils.parametrize``, or clamp it after each step of the optimiser.

    Args:
        kind: A surrogate with numbers to learn and a primitive. Each number becomes a parameter of
            the same name and of shape ``[]``, and so a key of ``state_dict``.

    Raises:
        TypeError: if ``kind`` is not a surrogate with a primitive.
        ValueError: if it has no numbers.

    Example:
        >>> learnable = snn.surrogate.Learnable(snn.surrogate.fast_sigmoid(slope=2.0))
        >>> neuron = snn.Leaky(beta=0.9, spike_grad=learnable)
        >>> [name for name, _ in neuron.named_parameters()]
        ['spike_grad.slope']
        >>> spk, mem = neuron(torch.tensor([1.5]))
        >>> spk.sum().backward()
        >>> learnable.slope.grad  # that of x / (1 + k·x) at x = 0.5
        tensor(-0.0625)
        >>> learnable.frozen()
        FastSigmoid(slope=2.0)
    """

    def __init__(self, kind: Surrogate) -> None:
        super().__init__()
        if not isinstance(kind, Surrogate) or not hasattr(kind, "primitive"):
            raise TypeError(f"kind must be a surrogate with a primitive, not {kind!r}")
        self._kind: Any = type(kind)
        self._names = tuple(field.name for field in fields(kind))
        for name in self._names:
            value = getattr(kind, name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            setattr(self, name, nn.Parameter(torch.tensor(float(value))) if is_number else value)
        if not list(self.parameters()):
            raise ValueError(f"{kind!r} has no numbers to learn")

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def forward(self, x: Tensor) -> Tensor:
        """Spikes, in the dtype of ``x``, with a gradient for ``x`` and one for each number."""
        x = as_tensor(x, "x")
        kind = self._kind(**self._values())
        to_x = x * kind.derivative(x).detach()
        to_numbers = kind.primitive(x.detach())
        return with_gradient_of((x > 0).to(x.dtype), to_x + to_numbers)

    def frozen(self) -> Surrogate:
        """The surrogate with the numbers that it has now."""
        values = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in self._values().items()
        }
        surrogate: Surrogate = self._kind(**values)
        return surrogate

    def extra_repr(self) -> str:
        return str(self.frozen())
