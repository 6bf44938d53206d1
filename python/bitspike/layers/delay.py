"""Delays of synapses or axons, fixed or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor, expect_choice, expect_one_device
from bitspike.neurons.base.constants import may_be_read
from bitspike.state import HiddenState, savable


class SynapticDelay(HiddenState):
    r"""Delays each channel by ``d`` steps, which need not be whole and can be learned.

    .. math::
        y[t] = \sum_{k=0}^{K} w_k(d)·x[t-k]

    with ``x = 0`` before the first step and ``d`` clamped to ``[0, K]``, where ``K`` is
    ``max_delay``. ``kernel="linear"`` interpolates between the two steps that ``d`` lies between:

    .. math::
        y[t] = (1-f)·x[t-⌊d⌋] + f·x[t-⌊d⌋-1], \qquad f = d - ⌊d⌋

    ``kernel="gaussian"`` sees all steps, so that a gradient can lead far (DCLS: Hammouamri et al.
    2024), with ``w_k`` proportional to ``exp(-(k-d)²/2σ²)`` and of sum 1. Attribute ``sigma`` may
    be lowered during training.

    In steps (``step_mode=True``) the last ``K`` inputs are a hidden state, ``history``: zeroed by
    :meth:`reset_delay` and :func:`bitspike.utils.reset`, detached by ``detach_hidden``, in no
    ``state_dict``, and restarted by an input of another shape. With ``step_mode=False`` each
    call is a whole sequence that starts from silence. Both give the same numbers. `unroll` hands
    over whole sequences, and continues the history if ``step_mode`` is True.

    The gradient of the delay passes through the clamp, so that a delay that was pushed out of
    ``[0, K]`` can return.

    Args:
        max_delay: ``K``, a whole number.
        delay: ``d``: a number, or one per channel.
        channels: Channels, axis 1 of one step; None for one delay shared by all.
        learn_delay: Make ``delay`` a parameter.
        kernel: ``"linear"`` or ``"gaussian"``.
        sigma: ``σ`` of the Gaussian, in steps.
        step_mode: Take one step per call.

    Shapes:
        One step ``[B, C, *]`` (``[B, *]`` if ``channels`` is None), a sequence with time in front;
        output the same, in the dtype of the input.

    Raises:
        ValueError: for a delay outside ``[0, max_delay]``, of another length than ``channels``, an
            unknown kernel, a ``sigma`` that is not positive, and an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> delay = snn.SynapticDelay(max_delay=3, delay=1.5, step_mode=False)
        >>> delay(torch.tensor([1.0, 0, 0, 0, 0]).view(5, 1, 1)).flatten()
        tensor([0.0000, 0.5000, 0.5000, 0.0000, 0.0000])
    """

    STATES = ("history",)

    history: Tensor
    delay: Tensor

    def __init__(
        self,
        max_delay: int,
        delay: float | Tensor = 0.0,
        channels: int | None = None,
        learn_delay: bool = False,
        kernel: str = "linear",
        sigma: float = 1.0,
        step_mode: bool = True,
    ) -> None:
        """Checks the arguments and makes the delays."""
        if not isinstance(max_delay, int) or isinstance(max_delay, bool) or max_delay < 0:
            raise ValueError(f"max_delay must be a whole number of steps, not {max_delay!r}")
        expect_choice("kernel", kernel, ("linear", "gaussian"))
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, not {sigma}")
        # A copy: learned delays must not change the caller's tensor.
        values = as_tensor(delay, "delay", dtype=torch.get_default_dtype()).detach().clone()
        sizes = [()] if channels is None else [(), (1,), (channels,)]
        if values.shape not in sizes:
            raise ValueError(
                f"delay has shape {tuple(values.shape)}, but channels={channels} needs a number"
                + ("" if channels is None else f" or [{channels}]")
            )
        if may_be_read(values) and not bool(((values >= 0) & (values <= max_delay)).all()):
            raise ValueError(f"delay must lie in [0, max_delay={max_delay}], not {delay}")
        super().__init__()
        self.max_delay = max_delay
        self.channels = channels
        self.kernel = kernel
        self.sigma = sigma
        self.step_mode = step_mode
        if channels is not None:
            values = values.expand(channels).clone()
        if learn_delay:
            self.delay = nn.Parameter(values)
        else:
            self.register_buffer("delay", values)

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``step_mode`` is False."""
        x = as_tensor(x, "x")
        if self.step_mode:
            return self._delayed(x.unsqueeze(0)).squeeze(0)
        return self._delayed(x)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, *]``, whatever ``step_mode`` says."""
        x = as_tensor(x, "x")
        return self._delayed(x)

    def _delayed(self, x: Tensor) -> Tensor:
        wanted = 2 if self.channels is None else 3
        if x.dim() < wanted or (self.channels is not None and x.shape[2] != self.channels):
            step = "[B, *]" if self.channels is None else f"[B, {self.channels}, *]"
            raise ValueError(f"x must be {step} at each step, not {tuple(x.shape[1:])}")
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
        checkpoint.note(self, self.step_mode)
        steps, known = x.shape[0], savable(*self._kept())
        silence = (self.max_delay, *x.shape[1:])
        if not self.step_mode or known.shape != silence:
            known = torch.zeros(silence, dtype=x.dtype, device=x.device)
        past = torch.cat([known.to(x.dtype), x])
        if self.step_mode:
            self._keep(self._before, (past[steps:],), detached=False)
        taps = self.taps().to(x.dtype)
        taps = taps.view(taps.shape + (1,) * (x.dim() - 3)) if taps.dim() > 1 else taps
        y = torch.zeros_like(past[:steps])
        # Taps of weight 0 are skipped, unless the weights need a gradient.
        sparse = self.kernel == "linear" and not taps.requires_grad
        sparse = sparse and may_be_read(taps)
        for k in range(self.max_delay + 1):
            if not sparse or bool(taps[k].any()):
                y = y + taps[k] * past[self.max_delay - k : self.max_delay - k + steps]
        return y

    def taps(self) -> Tensor:
        """The weights ``w``: ``[max_delay + 1]``, or ``[max_delay + 1, channels]``."""
        inside = self.delay.detach().clamp(0, self.max_delay)
        # The value of the clamp with a gradient of 1, so that a delay outside the range can return.
        d = inside + (self.delay - self.delay.detach())
        k = torch.arange(self.max_delay + 1, dtype=d.dtype, device=d.device)
        k = k.view(-1, *(1,) * d.dim())
        if self.kernel == "gaussian":
            return torch.softmax(-((k - d) ** 2) / (2 * self.sigma**2), 0)
        # At the end of the range the delay lies between the last two steps.
        floor = inside.floor().clamp(max=max(self.max_delay - 1, 0))
        fraction = d - floor
        nothing = torch.zeros_like(fraction)
        return torch.where(k == floor, 1 - fraction, nothing) + torch.where(
            k == floor + 1, fraction, nothing
        )

    def reset_delay(self) -> None:
        """Zeroes the history."""
        self.reset_mem()

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return (
            f"max_delay={self.max_delay}, channels={self.channels}, kernel={self.kernel!r}, "
            f"step_mode={self.step_mode}"
        )
