"""Event cameras: events of hand-made films, and what they tell of them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import DenseSpikes, SpikeTensor, spikegen

TINY = 1e-12


def film(*levels: float) -> torch.Tensor:
    """One pixel with these logarithms."""
    return torch.tensor(levels, dtype=torch.float64).exp().view(-1, 1, 1)


def events(spikes: torch.Tensor) -> str:
    """``+``, ``-`` and ``.`` for one pixel."""
    on, off = spikes.flatten(1).T.tolist()
    assert not any(a and b for a, b in zip(on, off, strict=True))
    return "".join("+" if a else "-" if b else "." for a, b in zip(on, off, strict=True))


# By hand: C = 1, levels well away from multiples of it.


def test_one_event_for_all_crossings_of_a_step():
    # References: 0, 0, 1, 3, 3, 2, 2, -1
    levels = film(0, 0.9, 1.1, 3.2, 2.5, 1.9, 1.1, -1.5)
    assert events(spikegen.dvs(levels, 1, TINY)) == "..++.-.-"


def test_substeps_spread_the_crossings():
    levels = film(0, 2.7, 2.7, -0.3)
    assert events(spikegen.dvs(levels, 1, TINY)) == ".+.-"
    # 0.9, 1.8 and 2.7, where the reference becomes 1 and 2; then 1.7, 0.7 and -0.3: 1 and 0.
    assert events(spikegen.dvs(levels, 1, TINY, substeps=3)) == "..++....--"


def test_refractory_pixels_are_silent_and_catch_up():
    levels = film(0, 1.1, 2.2, 3.3, 4.4, 4.4, 4.4, 4.4)
    assert events(spikegen.dvs(levels, 1, TINY)) == ".++++..."
    # After step 1 the reference is 1 up to step 4, where it becomes 4.
    assert events(spikegen.dvs(levels, 1, TINY, refractory=2)) == ".+..+..."
    # Event at step 1, and what is missed until step 5 is one event there.
    assert events(spikegen.dvs(levels, 1, TINY, refractory=3)) == ".+...+.."
    assert events(spikegen.dvs(levels[:3], 1, TINY, refractory=9)) == ".+."


def test_pixels_have_references_of_their_own():
    first = film(0, 1.5, 2.5)
    second = film(5, 4.5, 3.5)
    both = torch.cat([first, second], 2)
    spikes = spikegen.dvs(both, torch.tensor([1.0, 0.4]), TINY)
    assert spikes.shape == (3, 2, 1, 2)
    assert events(spikes[..., :1]) == ".++" and events(spikes[..., 1:]) == ".--"


def test_darkness_is_flat():
    dark = torch.tensor([0.0, 1e-6, 1e-5, 0.0]).view(4, 1, 1)
    assert events(spikegen.dvs(dark)) == "...."
    assert events(spikegen.dvs(dark, epsilon=1e-6)) == ".++-"


# What events tell


@given(
    seed=st.integers(0, 99),
    substeps=st.integers(1, 6),
    contrast=st.sampled_from([0.15, 0.4]),
)
def test_events_follow_the_level(seed, substeps, contrast):
    generator = torch.Generator().manual_seed(seed)
    change = 2 * torch.rand(12, 2, 3, 4, generator=generator, dtype=torch.float64) - 1
    # No more than one crossing in a substep.
    levels = (change * substeps * contrast * 0.999).cumsum(0)
    spikes = spikegen.dvs(levels.exp(), contrast, TINY, substeps=substeps)
    assert spikes.shape == (11 * substeps + 1, 2, 2, 3, 4)
    reference = levels[0] + contrast * (spikes[:, :, 0] - spikes[:, :, 1]).cumsum(0)
    assert (levels - reference[::substeps]).abs().max() < contrast * (1 + 1e-9)
    # The same by the inverse of the step-forward code, whose spikes have the same form.
    read = spikegen.step_forward_inverse(spikes, levels[0], contrast)
    assert torch.allclose(read, reference, rtol=0, atol=1e-12)


def test_refractory_pixels_keep_their_pace():
    frames = torch.rand(60, 2, 5, 6)
    spikes = spikegen.dvs(frames, 0.1, refractory=3)
    any_event = spikes.sum(2)
    windows = any_event.unfold(0, 4, 1).sum(-1)
    assert windows.max() == 1 and any_event.sum() > 100
    assert torch.equal(spikegen.dvs(frames, 0.1, refractory=0), spikegen.dvs(frames, 0.1))


def test_brightness_does_not_matter():
    frames = torch.rand(20, 3, 4, dtype=torch.float64) + 0.1
    spikes = spikegen.dvs(frames, 0.3, TINY)
    assert torch.equal(spikegen.dvs(frames * 64, 0.3, TINY), spikes) and spikes.sum() > 20


# Forms


@pytest.mark.parametrize("shape", [(6, 5, 7), (6, 2, 5, 7), (1, 2, 5, 7), (6, 0, 5, 7)], ids=str)
@pytest.mark.parametrize("substeps", [1, 3])
def test_packed(shape, substeps):
    frames = torch.rand(shape)
    before = frames.clone()
    dense = spikegen.dvs(frames, substeps=substeps)
    packed = spikegen.dvs(frames, substeps=substeps, packed=True)
    assert type(dense) is DenseSpikes and type(packed) is SpikeTensor
    steps = (shape[0] - 1) * substeps + 1
    assert dense.shape == packed.shape == (steps, *shape[1:-2], 2, 5, 7)
    assert packed.features == (2, 5, 7)
    assert torch.equal(packed.dense(), dense) and torch.equal(frames, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float64], ids=str)
def test_dtypes(dtype):
    frames = torch.randint(0, 255, (5, 2, 3, 4), dtype=torch.uint8)
    spikes = spikegen.dvs(frames.to(dtype))
    assert spikes.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    assert torch.equal(spikes.float(), spikegen.dvs(frames.float())) and spikes.any()
    assert not spikegen.dvs(frames.float().requires_grad_()).requires_grad


def test_errors():
    frames = torch.rand(4, 2, 5, 6)
    for arguments, message in (
        ({"frames": torch.rand(4, 5)}, r"frames must be \[T, B, H, W\] or .* not \(4, 5\)"),
        ({"frames": frames[:0]}, r"one frame or more, not \(0, 2, 5, 6\)"),
        ({"frames": -frames}, "frames must not be negative, but reach down to -0.9"),
        ({"frames": frames * math.nan}, "frames must not be negative"),
        ({"threshold": 0}, "threshold must be positive, but is 0"),
        ({"threshold": torch.ones(5)}, r"threshold \(5,\) does not fit .* \(2, 5, 6\)"),
        ({"epsilon": 0}, "epsilon must be positive, but is 0"),
        ({"refractory": -1}, "refractory must not be negative, but is -1"),
        ({"substeps": 0}, "substeps must be positive, but is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            spikegen.dvs(**{"frames": frames, **arguments})
