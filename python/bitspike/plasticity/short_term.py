"""Synapses that tire and facilitate from spike to spike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, with_values
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import HiddenState


class TsodyksMakram(HiddenState):
    r"""Short-term plasticity: how much of its resources each spike of an input releases.

    .. math::
        u &← u\, e^{-1/τ_f}, \qquad x ← 1 - (1 - x)\, e^{-1/τ_d} \qquad \text{at every step} \\
        u &← u + U (1 - u), \qquad \text{out} = A\, u\, x, \qquad x ← x - u x
        \qquad \text{at a spike}

    It stands between spikes and ``nn.Linear``, and returns graded spikes: 0 where there is none.
    ``tau_f`` much above ``tau_d`` facilitates, the reverse depresses. Both decays are exact for any
    time between spikes.

    The release ``u`` (0 at first) and the resources ``x`` (1) are a hidden state: they go on from
    call to call until `bitspike.utils.reset` or an input of another shape. Gradients reach ``U``,
    both time constants and the input.

    Source: Tsodyks & Markram 1997; Markram, Wang & Tsodyks 1998.

    Args:
        n: Inputs; each has its own state.
        U: The share of resources that a first spike releases, in ``[0, 1]``: a number, or ``[n]``.
        tau_f: Time constant of facilitation, in steps: likewise.
        tau_d: That of recovery from depression.
        A: The largest output.
        learn: Make ``U``, ``tau_f`` and ``tau_d`` parameters.
        multi_step: Take whole sequences.

    Shapes:
        A step ``[B, n]``, or with ``multi_step`` a sequence ``[T, B, n]``; the output is the same,
        dense, in the dtype of ``U``.

    Raises:
        ValueError: for ``U`` outside ``[0, 1]``, a time constant that is not positive, and an input
            of another shape.

    Example:
        >>> import torch
        >>> from bitspike import plasticity
        >>> synapse = plasticity.TsodyksMakram(1, U=0.5, tau_f=1.0, tau_d=1e9, multi_step=True)
        >>> synapse(torch.ones(3, 1, 1)).flatten()  # resources are used up
        tensor([0.5000, 0.2960, 0.1242])
    """

    STATES = ("u", "x")

    u: Tensor
    x: Tensor
    U: Tensor
    tau_f: Tensor
    tau_d: Tensor

    def __init__(
        self,
        n: int,
        U: float | Tensor = 0.5,
        tau_f: float | Tensor = 50.0,
        tau_d: float | Tensor = 200.0,
        *,
        A: float = 1.0,
        learn: bool = False,
        multi_step: bool = False,
    ) -> None:
        super().__init__()
        self.n, self.A, self.multi_step = n, A, multi_step
        for name, given in (("U", U), ("tau_f", tau_f), ("tau_d", tau_d)):
            value = with_values(as_tensor(given, name), name).detach().clone()
            if not value.is_floating_point():
                value = value.to(torch.get_default_dtype())
            if value.shape not in ((), (n,)):
                raise ValueError(f"{name} must be a number or [{n}], not {list(value.shape)}")
            if name == "U" and not bool(((value >= 0) & (value <= 1)).all()):
                raise ValueError(f"U must lie in [0, 1], not {given}")
            if name != "U" and not bool((value > 0).all()):
                raise ValueError(f"{name} must be a positive number of steps, not {given}")
            if learn:
                setattr(self, name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def rest(self) -> tuple[float | Tensor, ...]:
        """Nothing facilitated, all resources there."""
        return 0.0, 1.0

    def forward(self, spikes: Tensor) -> Tensor:
        """One step, or a sequence with ``multi_step``."""
        spikes = as_tensor(spikes, "spikes")
        return self.run_sequence(spikes) if self.multi_step else self._run(spikes.unsqueeze(0))[0]

    def run_sequence(self, spikes: Tensor) -> Tensor:
        """A whole sequence ``[T, B, n]``, whatever ``multi_step`` says."""
        return self._run(as_tensor(spikes, "spikes"))

    def _run(self, spikes: Tensor) -> Tensor:
        if spikes.dim() != 3 or spikes.shape[2] != self.n:
            raise ValueError(
                f"spikes must be [B, {self.n}] at each step, not {list(spikes.shape[1:])}"
            )
        dense = spikes if not isinstance(spikes, SpikeTensor) else spikes * 1.0
        dense = dense.to(self.U.dtype)
        shape = dense.shape[1:]
        u, x = (
            state if state.shape == shape else self._at_rest(i, shape, dense.dtype, dense.device)
            for i, state in enumerate(self._kept())
        )
        facilitates, recovers = torch.exp(-1 / self.tau_f), torch.exp(-1 / self.tau_d)
        released = []
        for spike in dense:
            u = u * facilitates
            x = 1 - (1 - x) * recovers
            u = u + self.U * (1 - u) * spike
            release = u * x * spike
            x = x - release
            released.append(self.A * release)
        self._keep(None, (u, x), detached=False)
        return torch.stack(released) if released else torch.zeros_like(dense)
