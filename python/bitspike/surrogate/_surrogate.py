"""What a surrogate gradient is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.ops import config

from ._firing import fire


@dataclass(frozen=True)
class Surrogate(ABC):
    """Base of surrogates: a step forward, the derivative of a smooth function backward.

    Subclasses give :meth:`derivative` and, where it is known, ``primitive``, the smooth function.

    Example:
        >>> x = torch.tensor([-0.5, 0.5], requires_grad=True)
        >>> spikes = snn.surrogate.fast_sigmoid(slope=2)(x)
        >>> spikes.tolist()
        [0.0, 1.0]
        >>> spikes.sum().backward()
        >>> x.grad
        tensor([0.2500, 0.2500])
    """

    NAME: ClassVar[str] = ""
    """Its name in the native module, or empty if it runs in torch only."""
    parameters: ClassVar[list[float]]
    """The parameters of the native form, in its order. Missing if one of them is a tensor."""

    def __call__(self, x: Tensor) -> Tensor:
        """Spikes, in the dtype of ``x``, with this surrogate's gradient."""
        return fire(as_tensor(x, "x"), self.gradient)

    def gradient(self, x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
        """The gradient of ``x`` for the gradient ``grad`` of ``spikes``."""
        return grad * self.derivative(x)

    @abstractmethod
    def derivative(self, x: Tensor) -> Tensor:
        """What replaces the derivative of the step at ``x``."""

    def __post_init__(self) -> None:
        """Reads the parameters once: a neuron asks for them at every step."""
        numbers = [getattr(self, field.name) for field in fields(self)]
        if self.NAME and not any(isinstance(number, Tensor) for number in numbers):
            values = [getattr(self, name) for name in config.surrogate_parameters(self.NAME)]
            object.__setattr__(self, "parameters", [float(value) for value in values])

    def is_native(self) -> bool:
        """Whether there is a native form."""
        return bool(self.NAME)
