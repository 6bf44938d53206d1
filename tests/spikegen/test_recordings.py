"""Codes of recorded signals: by hand, by their definitions, and read back."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import DenseSpikes, SpikeTensor, spikegen

KERNEL = torch.tensor([0.25, 0.5, 0.25])
CODES = {
    "step_forward": lambda x, **options: spikegen.step_forward(x, 0.2, **options),
    "moving_window": lambda x, **options: spikegen.moving_window(x, 3, 0.2, **options),
    "bsa": lambda x, **options: spikegen.bsa(x, KERNEL, 0.4, **options),
    "pwm": lambda x, **options: spikegen.pwm(x, 4, **options),
}
ON_OFF = ("step_forward", "moving_window")
each = pytest.mark.parametrize("case", CODES)


@each
@pytest.mark.parametrize("shape", [(9,), (9, 70), (9, 3, 70), (9, 3, 2, 5), (9, 3, 0)], ids=str)
def test_packed_spikes_are_the_dense_ones(case, shape):
    data = torch.rand(shape)
    before = data.clone()
    dense, packed = CODES[case](data), CODES[case](data, packed=True)
    assert type(dense) is DenseSpikes and type(packed) is SpikeTensor
    rows = min(len(shape), 2) if len(shape) > 2 else 1
    assert dense.shape == ((*shape[:rows], 2, *shape[rows:]) if case in ON_OFF else shape)
    assert torch.equal(packed.dense(), dense) and (not dense.numel() or dense.sum() > 0)
    assert torch.equal(data, before)
    if case in ON_OFF:
        assert packed.features == dense.shape[rows:]


@each
def test_channels_are_alone(case):
    data = torch.rand(20, 3, 4)
    spikes = CODES[case](data)
    for sample in range(3):
        alone = CODES[case](data[:, sample])
        assert torch.equal(spikes[:, sample], alone)
        for channel in range(4):
            assert torch.equal(alone[..., channel], CODES[case](data[:, sample, channel]))


@each
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.float16], ids=str)
def test_dtypes(case, dtype):
    data = torch.tensor([[0, 1, 0, 0, 1, 1]]).T.to(dtype)
    spikes = CODES[case](data)
    assert spikes.dtype == (torch.float32 if dtype == torch.int64 else dtype)
    assert torch.equal(spikes.float(), CODES[case](data.float()))
    assert not CODES[case](data.float().requires_grad_()).requires_grad


@each
@pytest.mark.parametrize("shape", [(), (0, 3)], ids=str)
def test_there_must_be_steps(case, shape):
    with pytest.raises(ValueError, match=r"data must be \[T, \*\] with one step or more, not"):
        CODES[case](torch.zeros(shape))


# Step forward


def test_step_forward_by_hand():
    data = torch.tensor([5.0, 6.0, 6.5, 6.0, 6.0, 9.0, 9.0, 3.0, 4.0, 5.0])
    # The baseline: 5, 5, 6, 6, 6, 7, 8, 7, 6, 6: 6 is not more than 5 + 1, nor 5 less than 6 - 1.
    on, off = spikegen.step_forward(data, 1).T.tolist()
    assert on == [0, 0, 1, 0, 0, 1, 1, 0, 0, 0]
    assert off == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]
    read = spikegen.step_forward_inverse(spikegen.step_forward(data, 1), data[0], 1)
    assert read.tolist() == [5, 5, 6, 6, 6, 7, 8, 7, 6, 6]


@given(seed=st.integers(0, 99), change=st.sampled_from([0.01, 0.1, 0.5]))
def test_step_forward_follows_what_changes_slowly(seed, change):
    generator = torch.Generator().manual_seed(seed)
    steps = (2 * torch.rand(80, 2, 3, generator=generator, dtype=torch.float64) - 1) * change
    data = steps.cumsum(0)
    spikes = spikegen.step_forward(data, change)
    read = spikegen.step_forward_inverse(spikes, data[0], change)
    assert (read - data).abs().max() <= change * (1 + 1e-9)
    assert not (spikes[:, :, 0] * spikes[:, :, 1]).any() and not spikes[0].any()


@pytest.mark.parametrize("shape", [(30,), (30, 70), (30, 3, 70), (30, 3, 2, 5)], ids=str)
def test_step_forward_is_read_back_from_bits(shape):
    data = torch.randn(shape)
    threshold = 0.5 + torch.rand(shape[-1:]) if len(shape) > 1 else 0.75
    dense = spikegen.step_forward(data, threshold)
    packed = spikegen.step_forward(data, threshold, packed=True)
    wanted = spikegen.step_forward_inverse(dense, data[0], threshold)
    assert wanted.shape == shape and wanted.dtype == torch.float32
    assert torch.equal(spikegen.step_forward_inverse(packed, data[0], threshold), wanted)
    assert type(wanted) is torch.Tensor


def test_channels_have_thresholds_of_their_own():
    data = torch.randn(20, 2, 3)
    thresholds = torch.tensor([0.1, 0.5, 2.0])
    for code in (
        spikegen.step_forward,
        lambda x, threshold: spikegen.moving_window(x, 4, threshold),
    ):
        together = code(data, thresholds)
        for channel, threshold in enumerate(thresholds.tolist()):
            assert torch.equal(
                together[..., channel], code(data[..., channel, None], threshold)[..., 0]
            )


def test_half_precision_counts_on():
    spikes = torch.ones(600, 1, 2, 1)
    spikes[:, :, 1] = 0
    start = torch.zeros(1, 1, dtype=torch.float16)
    assert spikegen.step_forward_inverse(spikes.half(), start, 1)[-1] == 600
    assert spikegen.step_forward_inverse(spikes, start.bfloat16(), 1)[-1] == 600
    packed = SpikeTensor.from_dense(spikes.bfloat16(), 2)
    assert spikegen.step_forward_inverse(packed, start.float(), 1)[-1] == 600


def test_reading_back_has_a_gradient():
    spikes = torch.rand(5, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    start = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spikegen.step_forward_inverse, (spikes, start))
    train = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spikegen.bsa_inverse, (train, kernel))


# Moving window


def test_moving_window_by_hand():
    data = torch.tensor([0.0, 2.0, 1.0, 4.0, 1.0, 1.0, 1.0, -2.0])
    # Means of two steps: 1, 1, 1, 1.5, 2.5, 2.5, 1, 1
    on, off = spikegen.moving_window(data, 2, 1).T.tolist()
    assert on == [0, 0, 0, 1, 0, 0, 0, 0]
    assert off == [0, 0, 0, 0, 1, 1, 0, 1]


@pytest.mark.parametrize("window", [1, 4, 30])
def test_moving_windows_are_means_of_what_was(window):
    data = torch.randn(30, 4, dtype=torch.float64)
    spikes = spikegen.moving_window(data, window, 0.6)
    for t in range(30):
        mean = data[max(t - window, 0) : max(t, window)].mean(0)
        assert torch.equal(spikes[t, 0], (data[t] > mean + 0.6).double())
        assert torch.equal(spikes[t, 1], (data[t] < mean - 0.6).double())


# BSA


def test_bsa_by_hand():
    kernel = torch.tensor([1.0, 0.5])
    data = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    # Step 1 gains |1| + |1| - |0| - |0.5| = 1.5 and leaves 0.5 to step 2, which would lose 0.5; at
    # step 5 there is only the first value of the filter: a gain of 1.
    assert spikegen.bsa(data, kernel, 0.0).tolist() == [0, 1, 0, 0, 0, 1]
    assert spikegen.bsa(data, kernel, 1.0).tolist() == [0, 1, 0, 0, 0, 1]
    assert spikegen.bsa(data, kernel, 1.5).tolist() == [0, 1, 0, 0, 0, 0]
    assert spikegen.bsa(data, kernel, 1.6).tolist() == [0] * 6
    # Without step 1, step 2 gains |1| + |0| - |0| - |-0.5| = 0.5.
    assert spikegen.bsa(data[2:], kernel, 0.5).tolist() == [1, 0, 0, 1]


def defined_bsa(signal, kernel, threshold):
    signal, spikes = list(signal), []
    for t in range(len(signal)):
        ahead = range(min(len(kernel), len(signal) - t))
        kept = sum(abs(signal[t + j]) for j in ahead)
        taken = sum(abs(signal[t + j] - kernel[j]) for j in ahead)
        spikes.append(float(taken <= kept - threshold))
        for j in ahead:
            signal[t + j] -= spikes[-1] * kernel[j]
    return spikes


def test_bsa_is_its_definition():
    # Multiples of 1/64, whose sums are exact.
    data = torch.randint(0, 64, (25, 2, 3)) / 64
    spikes = spikegen.bsa(data, KERNEL, 0.5)
    assert 0 < spikes.sum() < spikes.numel()
    for sample in range(2):
        for channel in range(3):
            signal = data[:, sample, channel].tolist()
            wanted = defined_bsa(signal, KERNEL.tolist(), 0.5)
            assert spikes[:, sample, channel].tolist() == wanted


@given(seed=st.integers(0, 99), length=st.integers(1, 5), steps=st.integers(1, 40))
def test_bsa_finds_the_spikes_of_a_filtered_train(seed, length, steps):
    generator = torch.Generator().manual_seed(seed)
    kernel = 2.0 ** -torch.arange(length)
    train = (torch.rand(steps, 3, 4, generator=generator) < 0.3).float()
    signal = spikegen.bsa_inverse(train, kernel)
    packed = SpikeTensor.from_dense(train)
    assert torch.equal(spikegen.bsa_inverse(packed, kernel), signal)
    for t in range(steps):
        wanted = sum(kernel[j] * train[t - j] for j in range(min(length, t + 1)))
        assert torch.equal(signal[t], wanted)
    # With the shortest filters what was there before never hides or fakes a spike.
    if length <= 2:
        assert torch.equal(spikegen.bsa(signal, kernel, 0.9), train)


# PWM


def test_pwm_by_hand():
    # The carrier: 0, 1, 2, 3, and so on.
    data = torch.tensor([2.0, 2.0, 2.0, 2.0, 0.0, 3.0, 3.0, 3.0, 1.5, 1.5, 0.5, 0.0, 3.0, 3.0])
    spikes = spikegen.pwm(data, 4, 0, 3)
    assert spikes.tolist() == [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    read = spikegen.pwm_inverse(spikes, 4, 0, 3).tolist()
    assert read[:5] == [2, 2, 2, 1, 0]
    assert read[4:] == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 2, 2, 2])


@pytest.mark.parametrize("period", [2, 5, 16])
def test_pwm_reads_constants_to_one_step_of_the_carrier(period):
    data = torch.rand(3, 40, dtype=torch.float64) * 2 - 1
    data[0, :2] = torch.tensor([-1.0, 1.0])
    spikes = spikegen.pwm(data.expand(3 * period, 3, 40), period, -1, 1)
    assert (spikes.sum(0) == 3).all()
    error = spikegen.pwm_inverse(spikes, period, -1, 1) - data
    assert error.min() >= -1e-12 and error.max() < 2 / (period - 1) + 1e-12
    assert not error[:, 0, :2].any()


def test_pwm_reads_a_sine_back():
    time = torch.arange(400, dtype=torch.float64)
    phases = torch.arange(5, dtype=torch.float64)
    data = 0.5 + 0.5 * torch.sin(2 * math.pi * time[:, None] / 400 + phases)
    data = data.float()
    for packed in (False, True):
        spikes = spikegen.pwm(data, 10, packed=packed)
        assert spikes.sum() == 40 * 5
        read = spikegen.pwm_inverse(spikes, 10)
        fall = (-data.diff(dim=0)).clamp(min=0)
        fires = spikes.dense().bool() if packed else spikes.bool()
        above = (read - data)[1:][fires[1:]]
        assert above.min() >= -1e-6 and (above < 1 / 9 + fall[fires[1:]] + 1e-6).all()
        # Straight lines over two periods of a signal that changes by less than 1/127 in a step.
        assert (read - data).abs().max() < 1 / 9 + 20 / 127


def test_pwm_knows_nothing_of_silent_channels():
    spikes = torch.zeros(8, 2)
    spikes[5, 0] = 1
    read = spikegen.pwm_inverse(spikes, 4)
    assert read[:, 1].isnan().all()
    assert torch.equal(read[:, 0], torch.full((8,), 1 / 3))


# What has no sense


def test_arguments_are_checked():
    x = torch.rand(9, 3, 4)
    spikes = spikegen.step_forward(x)
    for call, message in (
        (lambda: spikegen.step_forward(x, 0), "threshold must be positive, but is 0"),
        (lambda: spikegen.step_forward(x, math.nan), "threshold must be positive, but is nan"),
        (lambda: spikegen.step_forward(x, torch.tensor([1, 1, 1, -1.0])), "but is -1"),
        (lambda: spikegen.step_forward(x, torch.ones(3)), r"threshold \(3,\) does not fit"),
        (lambda: spikegen.moving_window(x, 3, torch.ones(1, 3, 4)), r"of a step \(3, 4\)"),
        (lambda: spikegen.moving_window(x, 3, -1), "threshold must be positive, but is -1"),
        (lambda: spikegen.moving_window(x, 0), "window must be from 1 to 9, .* but is 0"),
        (lambda: spikegen.moving_window(x, 10), "window must be from 1 to 9, .* but is 10"),
        (lambda: spikegen.step_forward_inverse(spikes, x), r"spikes must be \[T, 9, 2, 3, 4\]"),
        (lambda: spikegen.step_forward_inverse(x, x[0]), r"\[T, 3, 2, 4\] for start \(3, 4\)"),
        (lambda: spikegen.step_forward_inverse(spikes, x[0], 0), "threshold must be positive"),
        (lambda: spikegen.bsa(x, KERNEL, -0.1), "threshold must not be negative, but is -0.1"),
        (lambda: spikegen.bsa(x, torch.ones(2, 2), 1), r"kernel must be \[M\] .* not \(2, 2\)"),
        (lambda: spikegen.bsa_inverse(x, KERNEL[:0]), r"kernel must be \[M\] .* not \(0,\)"),
        (lambda: spikegen.bsa_inverse(x[:0], KERNEL), "spikes must be"),
        (lambda: spikegen.pwm(x, 1), "period must be at least 2, but is 1"),
        (lambda: spikegen.pwm(x, 4, 1, 1), "high must be above low, but high is 1 and low 1"),
        (lambda: spikegen.pwm(x * 2, 4), "data must lie between 0 and 1, but reaches from"),
        (lambda: spikegen.pwm(x * math.nan, 4), "data must lie between 0 and 1"),
        (lambda: spikegen.pwm_inverse(x, 1), "period must be at least 2, but is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
