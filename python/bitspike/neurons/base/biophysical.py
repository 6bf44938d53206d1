"""What neurons in millivolts and milliseconds share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from bitspike.arguments import expect_choice

from .neuron import SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .options import Firing


class Biophysical(SpikingNeuron):
    """Base of the neurons that integrate differential equations, most by Euler's forward method.

    Their reset is a part of their model, so that they offer no choice of it, and their states start
    at rest.

    Args:
        dt: Length ``dt`` of a step.
        options: See `SpikingNeuron`, without its arguments for resets.

    Raises:
        ValueError: if ``dt`` is not positive, or ``spike_range`` is not ``(0, 1)``: a spike is one
            event, however high it rises.
    """

    RESETS = ("zero",)
    THRESHOLD: ClassVar[float]
    """The default of ``threshold``: a membrane above it is a spike."""
    PRESETS: ClassVar[dict[str, dict[str, float]]] = {}
    """Published parameters, by name."""

    dt: Tensor

    def __init__(self, dt: float, **options: Unpack[Firing]) -> None:
        spike_range = options.get("spike_range", (0, 1))
        if spike_range != (0, 1):
            raise ValueError(
                f"spike_range must be (0, 1) for {type(self).__name__}, not {spike_range}"
            )
        options.setdefault("threshold", self.THRESHOLD)
        super().__init__(reset_mechanism=self.RESETS[0], **options)
        self._positive("dt", dt)

    @classmethod
    def preset(cls, name: str, **arguments: Any) -> Self:
        """The neuron with published parameters, which ``arguments`` complete or replace.

        Raises:
            ValueError: if there is no preset of that name.
        """
        expect_choice("preset", name, cls.PRESETS)
        return cls(**(cls.PRESETS[name] | arguments))

    def _positive(self, name: str, value: float | Tensor, learn: bool = False) -> None:
        """Registers a number of the equation that must be positive."""
        self._constant(name, value, learn)
        tensor: Tensor = getattr(self, name)
        if not tensor.is_meta and not bool((tensor > 0).all()):
            raise ValueError(f"{name} must be positive, not {value}")

    def _set(self, x: Tensor, reset: Tensor, value: Tensor) -> Tensor:
        """``x``, or ``value`` where there is a reset."""
        return (1 - reset) * x + reset * value


CAP = 10.0
"""Where the exponent stops growing: the spike comes within that step in any case."""


def upstroke(u: Tensor, v_t: Tensor, delta_t: Tensor) -> Tensor:
    """``Δ_T·exp((u - V_T)/Δ_T)``, with which sodium answers to a rising membrane ``u``.

    The exponent is at most 10, so that a membrane far above threshold does not overflow; beyond,
    the current is constant.
    """
    return delta_t * ((u - v_t) / delta_t).clamp(max=CAP).exp()
