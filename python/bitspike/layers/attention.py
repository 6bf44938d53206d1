"""Attention between the spikes of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_choice, expect_one_device
from bitspike.neurons.leaky import Leaky
from bitspike.ops.route import is_observed
from bitspike.spikes.attention import attend, both
from bitspike.spikes.linear import linear
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

_KINDS = ("ssa", "qk_token", "qk_channel", "sdsa")


class SpikingSelfAttention(nn.Module):
    r"""Self-attention of spiking transformers, in four forms without a softmax.

    Queries, keys and values are spikes, each of ``LIF(BN(W x))``, and what they make of each other
    passes neurons with a threshold of 1/2 and a last ``LIF(BN(W x))``. Of each head:

    .. math::
        \texttt{ssa}:\ \mathrm{LIF}(s·(Q K^T) V) \qquad
        \texttt{qk_token}:\ \mathrm{LIF}\Big(\sum_d Q\Big) ⊙ K \qquad
        \texttt{qk_channel}:\ \mathrm{LIF}\Big(\sum_n Q\Big) ⊙ K \qquad
        \texttt{sdsa}:\ \mathrm{LIF}\Big(\sum_n Q ⊙ K\Big) ⊙ V

    * ``ssa``, spiking self-attention (Spikformer: Zhou et al. 2023). Sums are whole numbers until
      they are scaled; of ``Q (KᵀV)`` and ``(QKᵀ) V``, which are equal, the shorter one is taken.
    * ``qk_token`` and ``qk_channel`` (QKFormer: Zhou et al. 2024) let the queries of a token, or of
      a channel, decide whether its keys pass. They have no values.
    * ``sdsa``, spike-driven self-attention (Yao et al. 2023): channels that queries and keys share
      in many tokens let their values pass.

    All of it works on bits: the bits that two rows share are found 64 at a time, and spikes that
    others let pass stay packed.

    In single steps the states of the neurons are the only ones, and kept in them: zeroed by
    :func:`bitspike.utils.reset`. A whole sequence continues them. Batch normalisation is over all
    steps, samples and tokens of a call, so that in training single steps normalise each by itself.

    Args:
        dim: Channels ``D``.
        heads: Parts of ``D``, each of which attends by itself (in ``"qk_channel"`` and ``"sdsa"``
            channels do so anyway).
        kind: ``"ssa"``, ``"qk_token"``, ``"qk_channel"`` or ``"sdsa"``.
        scale: ``s``.
        beta: Decay of the neurons.
        neuron: What makes neurons that keep their state, called with their threshold; by default
            ``Leaky(beta, threshold, init_hidden=True)``.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step ``[B, N, D]`` of ``N`` tokens, a sequence ``[T, B, N, D]``; spikes of that shape.

    Raises:
        ValueError: for a ``dim`` that ``heads`` do not divide, another ``kind``, and an input of
            another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> attention = snn.SpikingSelfAttention(dim=64, heads=4)
        >>> x = snn.SpikeTensor.from_dense((torch.rand(5, 2, 16, 64) < 0.1).float(), features=1)
        >>> snn.unroll(attention, x).shape
        torch.Size([5, 2, 16, 64])
    """

    is_program = True
    """A graph has its calls, and not its own: the states of its neurons are seen."""

    def __init__(
        self,
        dim: int,
        heads: int = 8,
        kind: str = "ssa",
        *,
        scale: float = 0.125,
        beta: float = 0.5,
        neuron: Callable[[float], nn.Module] | None = None,
        multi_step: bool = False,
    ) -> None:
        expect_choice("kind", kind, _KINDS)
        if dim < 1 or heads < 1 or dim % heads:
            raise ValueError(f"dim must be a multiple of heads={heads}, not {dim}")
        super().__init__()

        def leaky(threshold: float) -> nn.Module:
            return Leaky(beta, threshold, init_hidden=True)

        make = leaky if neuron is None else neuron
        self.dim, self.heads, self.kind = dim, heads, kind
        self.scale = scale
        self.multi_step = multi_step
        self.queries = Projection(dim, make(1.0))
        self.keys = Projection(dim, make(1.0))
        self.values = Projection(dim, make(1.0)) if kind in ("ssa", "sdsa") else None
        self.neuron = make(0.5)
        self.out = Projection(dim, make(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``multi_step``."""
        return self._attend(as_tensor(x, "x"), self.multi_step)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, N, D]``, whatever ``multi_step`` says."""
        return self._attend(as_tensor(x, "x"), True)

    def _attend(self, x: Tensor, sequence: bool) -> Tensor:
        if x.dim() != 3 + sequence or x.shape[-1] != self.dim:
            step = tuple(x.shape[1:] if sequence else x.shape)
            raise ValueError(f"x must be [B, N, {self.dim}] at each step, not {step}")
        expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
        x = _by_tokens(x.to(self.out.linear.weight.dtype))
        queries, keys = self.queries(x, sequence), self.keys(x, sequence)
        if self.values is None:
            passing, gate = keys, self._counts(queries)
        else:
            values = self.values(x, sequence)
            if self.kind == "ssa":
                current = attend(queries, keys, values, self.heads, self.scale)
                mixed = _fire(self.neuron, current, sequence)
                return self._projected(mixed, sequence)
            passing, gate = values, both(queries, keys).sum(-2, keepdim=True)
        open_ = _fire(self.neuron, gate, sequence)
        if self.kind == "qk_token":
            open_ = _repeated(open_, self.dim // self.heads)
        return self._projected(both(passing, open_), sequence)

    def _counts(self, queries: Tensor) -> Tensor:
        """How many spikes each token has in each head, or each channel in all tokens."""
        if self.kind == "qk_channel":
            return queries.sum(-2, keepdim=True)
        of_heads = torch.eye(self.heads, dtype=queries.dtype, device=queries.device)
        return linear(queries, of_heads.repeat_interleave(self.dim // self.heads, 1))

    def _projected(self, x: Tensor, sequence: bool) -> Tensor:
        spikes: Tensor = self.out(x, sequence)
        return spikes

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.dim}, heads={self.heads}, kind={self.kind!r}"


class Projection(nn.Module):
    """``LIF(BN(W x))`` of tokens: a part of `SpikingSelfAttention`."""

    is_program = True
    """A graph has its calls, and not its own: the states of its neurons are seen."""

    def __init__(self, dim: int, neuron: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)
        self.norm = nn.BatchNorm1d(dim)
        self.neuron = neuron

    def forward(self, x: Tensor, sequence: bool) -> Tensor:
        """Spikes of ``[*, B, N, D]``, where the first axis is time if it is a sequence."""
        current = self.linear(x)
        normal = self.norm(current.flatten(0, -2)).view(current.shape)
        return _fire(self.neuron, normal, sequence)


def _fire(neuron: Any, current: Tensor, sequence: bool) -> Tensor:
    """Spikes of a current ``[*, B, N, D]``: to neurons tokens are samples."""
    run = neuron.run_sequence if sequence else neuron
    spikes: Tensor = run(current.flatten(-3, -2)).unflatten(-2, current.shape[-3:-1])
    return spikes


def _by_tokens(x: Tensor) -> Tensor:
    """Spikes in rows of one token each, where they are packed."""
    if not isinstance(x, SpikeTensor) or len(x.features) == 1 or is_observed():
        return x
    return pack_if_binary(x * 1, 1)


def _repeated(spikes: Tensor, times: int) -> Tensor:
    """Each spike so often, side by side."""
    repeated = (spikes * 1).repeat_interleave(times, -1)
    return pack_if_binary(repeated, 1) if isinstance(spikes, SpikeTensor) else repeated
