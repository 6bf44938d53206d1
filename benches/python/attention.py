"""Attention between packed spikes beside torch's dense products of the same numbers."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import bitspike as snn
from bitspike.spikes.attention import attend
from record import Options, Part, Row
from timing import interleaved

SAMPLES, SCALE = 128, 0.125
SHAPES = ((64, 64, 1), (64, 512, 8), (196, 64, 1), (16, 64, 1))
"""Tokens, channels, heads."""
DENSITIES = (0.05, 0.2)

NOTES = f"""
* One call of `scale·Q Kᵀ V` for {SAMPLES} samples (steps and samples of a batch; with 8 heads
  {SAMPLES // 8}): medians of alternating rounds, ± half the distance between the quartiles.
* `(QKᵀ)V` and `Q(KᵀV)` are products of torch, of float32 in memory of their own for each head.
  What it takes to get floats from spikes, and heads side by side, is not counted.
* All results had equal bits before they were timed.
"""


def measure(options: Options) -> Iterator[Row]:
    """Compares the results, then times them."""
    for tokens, channels, heads in SHAPES[: 1 if options.tiny else None]:
        subject = f"N={tokens}, D={channels}, heads={heads}"
        if options.only in subject:
            samples = 2 if options.tiny else SAMPLES // heads
            for density in DENSITIES:
                steps = _steps((samples, tokens, channels), heads, density)
                times = interleaved(steps, options.rounds)
                yield Row(subject, "attention", times, density_in=density)


def _steps(
    shape: tuple[int, int, int], heads: int, density: float
) -> dict[str, Callable[[], Tensor]]:
    dense = [(torch.rand(shape) < density).float() for _ in range(3)]
    packed = [snn.SpikeTensor.from_dense(x, 1) for x in dense]
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2).contiguous() for x in dense)
    steps = {
        "bitspike": lambda: attend(*packed, heads, SCALE),
        "(QKᵀ)V": lambda: (q @ k.mT) @ v * SCALE,
        "Q(KᵀV)": lambda: q @ (k.mT @ v) * SCALE,
    }
    wanted = steps["bitspike"]()
    for name in ("(QKᵀ)V", "Q(KᵀV)"):
        if not torch.equal(steps[name]().transpose(1, 2).flatten(2), wanted):
            raise ValueError(f"{name} differs for {shape}")
    return steps


PART = Part("Attention", ("bitspike", "(QKᵀ)V", "Q(KᵀV)"), NOTES, measure)
