"""The neuron that stands for a rectifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons import IF

from .qcfs import TIE

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class RateIF(IF):
    r"""An `IF` neuron whose number of spikes is its rectified mean input.

    It begins at a share of its threshold, by default half of it, so that it rounds to the nearest
    number of spikes. With a constant input ``z`` it fires

    .. math::
        N = \mathrm{clip}\!\left(\left\lfloor \frac{Tz + U[0]}{θ} \right\rfloor,\ 0,\ T\right)

    times in ``T`` steps, and with any input

    .. math::
        θ \sum_t S[t] = \sum_t I[t] - (U[T] - θS[T]) + U[0]

    where ``U[T]`` is the membrane that it returns. The reset of `IF`, one step after the spike and
    before the next input is compared, is the same as one at once: the membrane that is left over
    from a spike may be above threshold, and fires again. A membrane that misses the threshold by
    less than :math:`2^{-16}θ` fires as well, so that what reaches it as a real number reaches it in
    floats, too: the neuron fires *at* its threshold, in the kernel that fires above it.

    Args:
        start: ``U[0]`` as a share of the threshold.
        options: See `IF`; ``threshold`` is what a spike stands for.

    Shapes:
        As `IF`.

    Raises:
        ValueError: if ``start`` is not from 0 to 1, and as `IF`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.convert.RateIF(init_hidden=True, multi_step=True)
        >>> inputs = torch.tensor([-0.3, 0.1, 0.125, 0.5, 2.0])
        >>> neuron(inputs.expand(4, 5)).sum(0)
        tensor([0., 0., 1., 2., 4.])
    """

    def __init__(self, start: float = 0.5, **options: Unpack[Options]) -> None:
        if not 0 <= start <= 1:
            raise ValueError(f"start must be a share of the threshold, from 0 to 1, not {start}")
        super().__init__(**options)
        self.start = start

    def rest(self) -> tuple[float | Tensor, ...]:
        """What the membrane starts from."""
        return (self.threshold * (self.start + TIE),)

    def charge(self) -> Tensor:
        """The membrane after the last step, without what its spike takes, ``[B, *]``."""
        return self.mem - self.threshold * (self.mem > self.threshold)
