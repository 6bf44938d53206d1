"""A matrix that stores values under keys, and whose entries fire."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.never_reset import fire
from bitspike.scan import outer_scan


class AssociativeLeaky(SpikingNeuron):
    r"""Associative memory: a decaying sum of outer products of values and keys (snnTorch 1.0).

    .. math::
        M[t] = M[t-1]·\mathrm{diag}(a[t]) + v[t]·k[t]^T, \qquad Z[t] = γ·(M[t] > θ)

    with ``v``, ``k`` linear in the input, ``a = σ(linear)``, and ``M[-1] = 0``. The output is
    ``Z``, or ``Z[t]·Q[t]`` with a query ``Q``, again linear in the input. ``M`` is computed step by
    step; snnTorch 1.0.0 divides by products of ``a``, which loses what is more than some twenty
    steps old.

    Args:
        in_dim: Size of the last axis of the input.
        d_value: ``d``, the size of ``v``.
        d_key: ``n``, the size of ``k`` and ``a``.
        num_spiking_neurons: ``d·n``, or None.
        use_q_projection: Whether the spikes are multiplied by a query.
        multi_step: Without effect: every call takes a sequence.

    Shapes:
        Input ``[T, B, in_dim]``, spikes may be packed. Output: numbers ``[T, B, d·d]`` with the
        query (they are not spikes, and ``d·d`` is not the number of neurons unless ``d = n``);
        without it spikes ``[T, B, d·n]``, a `SpikeTensor` on the CPU.

    Raises:
        ValueError: for sizes that are not positive, ``num_spiking_neurons`` other than ``d·n``, and
            an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.AssociativeLeaky(5, d_value=3, d_key=4, num_spiking_neurons=12)
        >>> neuron(torch.rand(7, 2, 5)).shape
        torch.Size([7, 2, 9])
        >>> neuron = snn.AssociativeLeaky.from_num_spiking_neurons(5, 16, use_q_projection=False)
        >>> neuron(torch.rand(7, 2, 5)).shape
        torch.Size([7, 2, 16])
    """

    to_q: nn.Linear | None

    def __init__(
        self,
        in_dim: int,
        d_value: int,
        d_key: int,
        num_spiking_neurons: int | None = None,
        use_q_projection: bool = True,
        *,
        multi_step: bool = True,
    ) -> None:
        for name, size in (("in_dim", in_dim), ("d_value", d_value), ("d_key", d_key)):
            if size <= 0:
                raise ValueError(f"{name} must be positive, not {size}")
        neurons = d_value * d_key
        if num_spiking_neurons not in (None, neurons):
            raise ValueError(
                f"num_spiking_neurons is {num_spiking_neurons}, but d_value * d_key is {neurons}"
            )
        super().__init__(output=True, multi_step=multi_step)
        self.d_value = d_value
        self.d_key = d_key
        self.num_spiking_neurons = neurons
        self.use_q_projection = use_q_projection
        self.to_v = nn.Linear(in_dim, d_value)
        self.to_k = nn.Linear(in_dim, d_key)
        self.to_alpha = nn.Linear(in_dim, d_key)
        self.to_q = nn.Linear(in_dim, neurons) if use_q_projection else None

    @classmethod
    def from_num_spiking_neurons(
        cls,
        in_dim: int,
        num_spiking_neurons: int,
        use_q_projection: bool = True,
        **keywords: Any,
    ) -> AssociativeLeaky:
        """A square memory of so many neurons.

        Raises:
            ValueError: if their number is no square.
        """
        size = math.isqrt(max(num_spiking_neurons, 0))
        if size * size != num_spiking_neurons or size == 0:
            raise ValueError(
                f"num_spiking_neurons must be a positive square, not {num_spiking_neurons}"
            )
        return cls(in_dim, size, size, num_spiking_neurons, use_q_projection, **keywords)

    def forward(self, x: Tensor) -> Tensor:
        """A whole sequence."""
        x = as_tensor(x, "x")
        if x.dim() != 3 or x.shape[2] != self.to_v.in_features:
            features = self.to_v.in_features
            raise ValueError(f"x must be [T, B, {features}], not {tuple(x.shape)}")
        memory = outer_scan(self.to_v(x), self.to_k(x), self.to_alpha(x).sigmoid()).flatten(2)
        if self.state_quant:
            memory = self.state_quant(memory)  # type: ignore[operator]
        cells = fire(self, memory, packed=self.to_q is None) if self.output else memory
        if self.to_q is None:
            return cells.to(x.dtype)
        cells = cells.unflatten(2, (self.d_value, self.d_key)).to(x.dtype)
        query = self.to_q(x).unflatten(2, (self.d_key, self.d_value))
        out: Tensor = (cells @ query).flatten(2)
        return out

    def run_sequence(self, input_: Tensor) -> Tensor:
        """The same: every call takes a sequence."""
        return self.forward(input_)
