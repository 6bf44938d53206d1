"""Event cameras: frames as the ON and OFF events of their pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.one_call import one_call

from ._data import floating, thresholds
from ._polarity import on_and_off


@one_call
def dvs(
    frames: Tensor,
    threshold: float | Tensor = 0.2,
    epsilon: float = 1e-3,
    refractory: int = 0,
    substeps: int = 1,
    *,
    packed: bool = False,
) -> Tensor:
    r"""What an event camera sees of a film: spikes where the logarithm of a pixel changes.

    Each pixel remembers a level :math:`R`, at first that of the first frame. At each step

    .. math::
        k = \operatorname{trunc}\frac{L - R}{C}, \quad L = \ln(I + \epsilon) \qquad
        S_{on} = [k > 0], \quad S_{off} = [k < 0], \quad R \leftarrow R + k\,C

    so that it sends one event if its level moved by the threshold :math:`C` or more, however many
    times: a step holds one bit. With ``substeps`` :math:`n`, levels are interpolated linearly at
    :math:`n` steps for each frame, and each crossing has its own event as long as no pixel changes
    by more than :math:`nC` between frames.

    A pixel that has sent an event is silent for ``refractory`` steps. :math:`R` does not move in
    that time, and what it missed is one event afterwards.

    Source: Lichtsteiner, Posch & Delbruck (2008), IEEE J. Solid-State Circuits 43(2); in frames
    Rebecq, Gehrig & Scaramuzza (2018), Proc. CoRL (ESIM), and Hu, Liu & Delbruck (2021), CVPR
    Workshops (v2e).

    Args:
        frames: Intensities ``[T, B, H, W]`` or ``[T, H, W]``, any real dtype, not negative.
        threshold: :math:`C`, a number, or one for each pixel, ``[H, W]``.
        epsilon: :math:`\epsilon`, the intensity below which the logarithm is flat.
        refractory: Steps of silence after an event.
        substeps: :math:`n`; frame ``t`` is at step ``t·n``.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[(T-1)·n + 1, B, 2, H, W]``, first the ON, then the OFF events, in the dtype of the
        frames (float32 for integers). Step 0 is silent.

    Raises:
        ValueError: for another shape, no frame, a negative intensity, or another argument out of
            its range.

    Example:
        >>> frames = torch.tensor([1.0, 1.5, 4.0, 1.0]).view(4, 1, 1)
        >>> snn.spikegen.dvs(frames, threshold=0.5).flatten(1).T  # logarithms 0, 0.41, 1.39, 0
        tensor([[0., 0., 1., 0.],
                [0., 0., 0., 1.]])
        >>> snn.spikegen.dvs(frames, threshold=0.5, substeps=2).flatten(1).T
        tensor([[0., 0., 0., 1., 1., 0., 0.],
                [0., 0., 0., 0., 0., 0., 1.]])
    """
    dtype = floating(frames, "frames", packed).dtype
    frames = as_tensor(frames, "frames").detach()
    if frames.dim() not in (3, 4) or not frames.shape[0]:
        raise ValueError(
            f"frames must be [T, B, H, W] or [T, H, W] with one frame or more, "
            f"not {tuple(frames.shape)}"
        )
    with_values(frames, "frames")
    if frames.numel() and not frames.min() >= 0:
        raise ValueError(f"frames must not be negative, but reach down to {frames.min()}")
    if not epsilon > 0:
        raise ValueError(f"epsilon must be positive, but is {epsilon}")
    if refractory < 0:
        raise ValueError(f"refractory must not be negative, but is {refractory}")
    if substeps < 1:
        raise ValueError(f"substeps must be positive, but is {substeps}")
    level = _level(frames[0], epsilon)
    contrast = thresholds(threshold, level)
    reference, silent_until = level, torch.zeros_like(level)
    nothing = torch.zeros_like(level, dtype=torch.bool)
    on, off = [nothing], [nothing]
    for frame in frames[1:].unbind(0):
        start, level = level, _level(frame, epsilon)
        for part in range(1, substeps + 1):
            now = torch.lerp(start, level, part / substeps)
            crossings = ((now - reference) / contrast).trunc()
            if refractory:
                step = len(on)
                crossings = torch.where(step < silent_until, 0, crossings)
                silent_until = torch.where(crossings != 0, step + refractory + 1, silent_until)
            reference = reference + crossings * contrast
            on.append(crossings > 0)
            off.append(crossings < 0)
    return on_and_off(torch.stack(on), torch.stack(off), frames.dim() - 2, dtype, packed)


def _level(frame: Tensor, epsilon: float) -> Tensor:
    return (frame.double() + epsilon).log()
