"""Delays of synapses or axons, fixed or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor, expect_choice, expect_one_device
from bitspike.neurons.base.constants import may_be_read
from bitspike.ops import spikes as ops
from bitspike.ops.route import is_observed
from bitspike.spikes.tensor import SpikeTensor

from ._past import Past
from ._taps import KERNELS, expect_range, taps


class SynapticDelay(Past):
    r"""Delays each channel by ``d`` steps, which need not be whole and can be learned.

    .. math::
        y[t] = \sum_{k=0}^{K} w_k(d)·x[t-k]

    with ``x = 0`` before the first step and ``d`` clamped to ``[0, K]``, where ``K`` is
    ``max_delay``. ``kernel="linear"`` interpolates between the two steps that ``d`` lies between:

    .. math::
        y[t] = (1-f)·x[t-⌊d⌋] + f·x[t-⌊d⌋-1], \qquad f = d - ⌊d⌋

    ``kernel="gaussian"`` sees all steps, so that a gradient can lead far (DCLS: Hammouamri et al.
    2024), with ``w_k`` proportional to ``exp(-(k-d)²/2σ²)`` and of sum 1, and ``"triangle"`` those
    that ``1 + σ`` steps reach, with ``w_k`` proportional to ``max(0, 1 + σ - |k-d|)``. As ``σ``
    goes to 0 a whole delay is itself, in all of them; near the ends of the range the weights behind
    them are missing, so that the mean delay is not ``d``. Attribute ``sigma`` may be lowered during
    training (`surrogate.schedule.Exponential`), and :meth:`round_` ends it: packed spikes then stay
    packed.

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
        kernel: ``"linear"``, ``"gaussian"`` or ``"triangle"``.
        sigma: ``σ`` of the Gaussian and the triangle, in steps.
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
        expect_range(max_delay, sigma)
        expect_choice("kernel", kernel, KERNELS)
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
        steps = x.shape[0]
        past = self._after_past(x, self.step_mode)
        whole = self._whole_delays(past)
        if isinstance(past, SpikeTensor) and whole is not None:
            return _moved(past, whole, self.max_delay)
        weights = self.taps().to(x.dtype)
        if weights.dim() > 1:
            weights = weights.view(weights.shape + (1,) * (x.dim() - 3))
        y = torch.zeros_like(past[:steps])
        # Taps of weight 0 are skipped, unless the weights need a gradient.
        sparse = self.kernel == "linear" and not weights.requires_grad
        sparse = sparse and may_be_read(weights)
        for k in range(self.max_delay + 1):
            if not sparse or bool(weights[k].any()):
                y = y + weights[k] * past[self.max_delay - k : self.max_delay - k + steps]
        return y

    def _whole_delays(self, past: Tensor) -> Tensor | None:
        """The delay of all, or of each channel, if bits can be moved for it; None if not."""
        if not isinstance(past, SpikeTensor) or self.kernel != "linear" or is_observed():
            return None
        if past.rows != 2 or past.channels_last or not may_be_read(self.delay):
            return None
        if torch.is_grad_enabled() and (past.requires_grad or self.delay.requires_grad):
            return None
        whole = self.delay.detach().clamp(0, self.max_delay)
        return whole.to(torch.int64) if bool((whole == whole.round()).all()) else None

    def taps(self) -> Tensor:
        """The weights ``w``: ``[max_delay + 1]``, or ``[max_delay + 1, channels]``."""
        return taps(self.delay, self.max_delay, self.kernel, self.sigma)

    @torch.no_grad()
    def round_(self) -> SynapticDelay:
        """Rounds the delays to whole steps and fixes them, with the kernel ``"linear"``.

        Packed spikes then stay packed: their bits are moved.

        Returns:
            The layer itself.
        """
        self.delay.clamp_(0, self.max_delay).round_().requires_grad_(False)
        self.kernel = "linear"
        return self

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return (
            f"max_delay={self.max_delay}, channels={self.channels}, kernel={self.kernel!r}, "
            f"step_mode={self.step_mode}"
        )


def _moved(past: SpikeTensor, delays: Tensor, longest: int) -> SpikeTensor:
    """Spikes ``[longest + T, B, *]`` moved by whole delays, ``[T, B, *]``."""
    steps = past.shape[0] - longest
    words = past.words.new_zeros((steps, *past.words.shape[1:]))
    per_neuron = delays.view(-1, *(1,) * (len(past.features) - 1)).expand(past.features).flatten()
    for delay in delays.unique().tolist():
        mask, _ = ops.pack((per_neuron == delay).float(), 1)
        words |= past.words[longest - delay :][:steps] & mask
    return past.like(words)
