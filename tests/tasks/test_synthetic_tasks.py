"""Computed tasks: their construction, checked sample by sample."""

import math

import pytest
import torch
from torch import nn

from bitspike import tasks
from bitspike.tasks import _spike_patterns


def everything(task):
    """Both parts in one."""
    return [torch.cat(parts) for parts in zip(task.train.tensors, task.test.tensors, strict=True)]


def groups(x, steps, width):
    """Which groups of channels fire in which frame, bool ``[N, frames, groups]``."""
    fires = x.unflatten(2, (-1, width)).unflatten(1, (-1, steps))
    every, some = fires.amin((2, 4)), fires.amax((2, 4))
    assert torch.equal(every, some)
    return some > 0


@pytest.mark.parametrize("values", [2, 5])
@pytest.mark.parametrize("frames", [2, 3, 9])
def test_store_recall_asks_for_the_value_of_the_last_store(values, frames):
    task = tasks.store_recall(
        200, frames=frames, frame_steps=3, values=values, store_probability=0.4, width=2, rate=1.0
    )
    x, y = everything(task)
    assert x.shape == (200, 3 * frames, 2 * (values + 2)) and task.classes == values
    delays = set()
    for frame, answer in zip(groups(x, steps=3, width=2).tolist(), y.tolist(), strict=True):
        *shown, recall = frame
        assert recall == [False] * (values + 1) + [True]
        assert all(sum(f[:values]) == 1 and not f[-1] for f in shown)
        stores = [i for i, f in enumerate(shown) if f[-2]]
        assert shown[stores[-1]].index(True) == answer
        delays.add(frames - 1 - stores[-1])
    assert delays == set(range(1, frames))
    assert y.bincount().tolist() == [200 // values] * values


def test_store_recall_distracts():
    """Other values are shown and stored before the last, and shown after it."""
    x, y = everything(tasks.store_recall(2000, frames=8, frame_steps=1, width=1, rate=1.0))
    shown, store = x[:, :-1, 1], x[:, :-1, 2]
    last = 6 - store.flip(1).argmax(1)
    before, after = (torch.arange(7) < last.unsqueeze(1)), (torch.arange(7) > last.unsqueeze(1))
    assert abs(store[before].mean() - 1 / 6) < 0.02
    for other in (before, after, before & (store > 0)):
        agrees = (shown == y.unsqueeze(1))[other].float().mean()
        assert abs(agrees - 0.5) < 0.04
    assert abs(last.float().mean() - 3) < 0.15


@pytest.mark.parametrize("delay", [0, 1, 20])
def test_delayed_xor_of_what_was_shown(delay):
    task = tasks.delayed_xor(100, delay=delay, cue_steps=4, width=3, rate=1.0)
    x, y = everything(task)
    assert x.shape == (100, 12 + delay, 9)
    assert not x[:, 4 : 4 + delay].any()
    cues = groups(torch.cat([x[:, :4], x[:, 4 + delay :]], 1), steps=4, width=3)
    assert cues.sum(2).eq(1).all()
    first, second, answer = cues.int().argmax(2).T
    assert answer.eq(2).all() and first.max() == second.max() == 1
    assert torch.equal(y, first ^ second)
    assert (2 * first + second).bincount().tolist() == [25] * 4


def test_delayed_xor_needs_both_cues_together():
    task = tasks.delayed_xor(delay=5)

    def cues(x):
        """Which of two groups fires more, in the first and in the second cue: -1 or 1."""
        count = torch.stack([x[:, :10], x[:, 15:25]], 1).unflatten(3, (3, 10)).sum((2, 4))
        return (count[..., 1] - count[..., 0]).sign()

    x, y = everything(task)
    a, b = cues(x).T
    sign = 2.0 * y - 1
    assert (a * b == -sign).all()
    assert abs((a * sign).mean()) < 1e-6 and abs((b * sign).mean()) < 1e-6


@pytest.mark.parametrize("delay", [0, 7])
@pytest.mark.parametrize("values", [2, 4])
def test_copy_memory_asks_for_all_values_in_order(delay, values):
    task = tasks.copy_memory(
        80, length=3, values=values, delay=delay, cue_steps=2, width=3, rate=1.0
    )
    x, y = everything(task)
    assert x.shape == (80, 12 + delay, 3 * (values + 1)) and y.shape == (80, 3)
    assert not x[:, 6 : 6 + delay].any()
    frames = groups(torch.cat([x[:, :6], x[:, 6 + delay :]], 1), steps=2, width=3)
    assert frames.sum(2).eq(1).all()
    which = frames.int().argmax(2)
    assert torch.equal(which[:, :3], y) and which[:, 3:].eq(values).all()
    assert y.flatten().bincount().tolist() == [240 // values] * values
    assert len({tuple(row) for row in y.tolist()}) > values**3 // 2


@pytest.mark.parametrize("task", [tasks.store_recall, tasks.delayed_xor, tasks.copy_memory])
def test_rates_of_active_and_of_other_channels(task):
    on, _ = everything(task(500, rate=1.0, width=4))
    x, _ = everything(task(500, rate=0.3, noise=0.05, width=4))
    assert x.unique().tolist() == [0, 1]
    assert abs(x[on == 1].mean() - 0.3) < 0.01 and abs(x[on == 0].mean() - 0.05) < 0.002
    silent, _ = everything(task(10, rate=0.0))
    assert not silent.any()


@pytest.mark.parametrize("dim", [1, 2])
def test_spike_patterns_fire_once(dim):
    task = tasks.spike_patterns(60, classes=3, neurons=7, num_steps=30, dim=dim)
    x, y = everything(task)
    assert x.shape == (60, 30, 7) and x.unique().tolist() == [0, 1]
    assert (x.sum(1) == 1).all() and y.bincount().tolist() == [20] * 3
    times = x.argmax(1)
    for label in range(3):
        assert (times[y == label].amin(0) == 0).all() and (times[y == label].amax(0) == 29).all()


def manifold(neurons, dim, terms=30):
    return torch.rand(3, neurons, dim, terms, dtype=torch.float64)


def test_spike_times_are_the_formula():
    a, b, c = parameters = manifold(2, 2, terms=3)
    z = [0.3, 0.8]
    for i, found in enumerate(
        _spike_patterns._embed(torch.tensor([z]).double(), parameters, 1.5)[0]
    ):
        product = 1.0
        for j in range(2):
            terms = (
                a[i, j, k - 1]
                / k**1.5
                * math.sin(2 * math.pi * (k * z[j] * b[i, j, k - 1] + c[i, j, k - 1]))
                for k in (1, 2, 3)
            )
            product *= sum(terms)
        assert abs(found - product) < 1e-7


def test_nearby_points_fire_at_nearby_times():
    """No faster than the sum of ``2π k / k^α`` allows, for one dimension."""
    parameters = manifold(20, 1)
    z = torch.linspace(0, 1, 1001, dtype=torch.float64).unsqueeze(1)
    steepest = {}
    for alpha in (1.0, 2.0, 3.0):
        times = _spike_patterns._embed(z, parameters, alpha)
        steepest[alpha] = times.diff(dim=0).abs().max() / 1e-3
        assert steepest[alpha] <= sum(2 * math.pi * k ** (1 - alpha) for k in range(1, 31))
    # Larger exponents are smoother.
    assert steepest[1.0] > steepest[2.0] > steepest[3.0]


def test_patterns_lie_on_curves():
    """With one dimension a spike time nearly tells the others; independent ones would not."""
    x, y = everything(tasks.spike_patterns(400, classes=2, neurons=10, num_steps=1000, alpha=3.0))
    for label in range(2):
        times = x[y == label].argmax(1).double() / 999
        nearest = torch.cdist(times, times).fill_diagonal_(torch.inf).amin(1)
        assert nearest.median() < 0.05


def test_patterns_can_be_told_apart_by_times_only():
    x, y = everything(tasks.spike_patterns(600, classes=4))
    times = x.argmax(1).double()
    nearest = torch.cdist(times[480:], times[:480]).argmin(1)
    assert (y[:480][nearest] == y[480:]).double().mean() > 0.9


def test_a_bar_moves_to_the_right():
    """Three columns thick, two columns per step."""
    task = tasks.moving_bars(40, height=2, width=12, num_steps=6, thickness=3.0, speed=2.0)
    x, y = everything(task)
    right = x[y == 0]
    assert len(right) == 10
    assert torch.equal(right[..., 0, :], right[..., 1, :])
    on, off = right[:, :, 0, 0], right[:, :, 1, 0]
    # What turns on is two columns to the right of what turned on a step before.
    assert torch.equal(on[:, 1:, 2:], on[:, :-1, :-2])
    # The back follows three columns behind the front.
    assert torch.equal(
        off[..., :-3][on[..., 3:] > 0], torch.ones_like(off)[..., :-3][on[..., 3:] > 0]
    )
    assert on.sum() > 0 and on.sum(2).max() == 2


@pytest.mark.parametrize("directions", [4, 8])
@pytest.mark.parametrize("speed", [0.7, 2.0])
def test_on_events_are_in_front(directions, speed):
    task = tasks.moving_bars(80, directions=directions, height=11, width=13, speed=speed)
    x, y = everything(task)
    assert x.shape == (80, 20, 2, 11, 13) and x.unique().tolist() == [0, 1]
    assert y.bincount().tolist() == [80 // directions] * directions
    assert not (x[:, :, 0] * x[:, :, 1]).any()
    ways = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
    both = 0
    for sample, label in zip(x, y.tolist(), strict=True):
        way = torch.tensor(ways[label * 8 // directions], dtype=torch.float64)
        for on, off in sample:
            front, back = (e.nonzero().double() @ way / way.norm() for e in (on, off))
            if not len(front) or not len(back) or front.min() < back.min() - 5:
                # The bar enters while it leaves on the other side, or one of its edges is outside.
                continue
            both += 1
            # Front and back are as far apart as the bar is thick, and each as thick as one step.
            assert front.min() - back.max() > 2 - speed - 1e-9
            assert front.max() - front.min() < speed and back.max() - back.min() < speed
            assert front.max() - back.min() < 2 + speed
    assert both > 200


def test_brightness_is_the_sum_of_events():
    x, _ = everything(tasks.moving_bars(16, directions=8, height=9, width=9, num_steps=60))
    bright = (x[:, :, 0] - x[:, :, 1]).cumsum(1)
    assert (bright.amax(1) - bright.amin(1) == 1).all()


def test_noise_adds_events():
    quiet, _ = everything(tasks.moving_bars(50))
    noisy, _ = everything(tasks.moving_bars(50, noise=0.02))
    assert (noisy >= quiet).all() and noisy.max() == 1
    assert abs(noisy[quiet == 0].mean() - 0.02) < 0.001


def test_opposite_directions_differ_in_the_order_of_events():
    """What moves by four pixels in four steps tells the direction."""
    task = tasks.moving_bars()
    x, y = everything(task)
    shifts = [(0, 4), (4, 0), (0, -4), (-4, 0)]
    on = nn.functional.pad(x[:, :, 0], (4, 4, 4, 4))
    moved = [(on[:, 4:] * on[:, :-4].roll(s, (2, 3))).sum((1, 2, 3)) for s in shifts]
    assert (torch.stack(moved).argmax(0) == y).double().mean() > 0.95


@pytest.mark.parametrize(
    ("name", "argument", "values"),
    [
        ("store_recall", "samples", [1, 10.0, True]),
        ("store_recall", "frames", [1]),
        ("store_recall", "frame_steps", [0]),
        ("store_recall", "values", [1]),
        ("store_recall", "store_probability", [-0.1, 1.1, math.nan]),
        ("store_recall", "rate", [-0.1, 1.1]),
        ("store_recall", "noise", [-0.1, 1.1]),
        ("delayed_xor", "samples", [1]),
        ("delayed_xor", "delay", [-1, 0.5]),
        ("delayed_xor", "cue_steps", [0]),
        ("delayed_xor", "width", [0]),
        ("delayed_xor", "rate", [2]),
        ("copy_memory", "samples", [1]),
        ("copy_memory", "length", [0]),
        ("copy_memory", "values", [1]),
        ("copy_memory", "delay", [-1]),
        ("copy_memory", "cue_steps", [0]),
        ("spike_patterns", "samples", [19]),
        ("spike_patterns", "classes", [1]),
        ("spike_patterns", "neurons", [0]),
        ("spike_patterns", "num_steps", [1]),
        ("spike_patterns", "dim", [0]),
        ("spike_patterns", "alpha", [0, -1, math.nan]),
        ("moving_bars", "samples", [1]),
        ("moving_bars", "directions", [0, 2, 6]),
        ("moving_bars", "height", [0]),
        ("moving_bars", "width", [0]),
        ("moving_bars", "num_steps", [0]),
        ("moving_bars", "thickness", [0]),
        ("moving_bars", "speed", [0, 2.5]),
        ("moving_bars", "noise", [-1, 2]),
    ],
)
def test_arguments_out_of_range_are_named(name, argument, values):
    for value in values:
        with pytest.raises(ValueError, match=argument):
            getattr(tasks, name)(**{argument: value})
