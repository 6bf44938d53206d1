"""Frames of events are those of a plain loop, and those of tonic where that is asked for."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import bitspike as snn
from bitspike import events

WIDTH, HEIGHT = 9, 8


@st.composite
def columns(draw, ascending=False):
    event = st.tuples(
        st.integers(0, 300),
        st.integers(0, WIDTH - 1),
        st.integers(0, HEIGHT - 1),
        st.booleans(),
    )
    rows = draw(st.lists(event, max_size=40))
    rows = sorted(rows, key=lambda row: row[0]) if ascending else rows
    made = [torch.tensor(column) for column in zip(*rows, strict=True)]
    return made or [torch.tensor([], dtype=torch.int64)] * 4


def windows():
    length = st.integers(1, 80)
    return st.one_of(
        length.map(lambda n: {"time_window": n}),
        length.map(lambda n: {"n_time_bins": n}),
        st.integers(1, 12).map(lambda n: {"event_count": n}),
    )


def naive(t, x, y, p, window, incomplete):
    """Counts ``[T, 2, H, W]`` by the definition."""
    if "n_time_bins" in window:
        steps = window["n_time_bins"]
    elif "time_window" in window:
        span = int(t.max() - t.min()) if len(t) else -1
        steps = span // window["time_window"] + incomplete if span >= 0 else 0
    else:
        full, rest = divmod(len(t), window["event_count"])
        steps = full + (rest > 0 and incomplete)
    frames = torch.zeros(steps, 2, HEIGHT, WIDTH, dtype=torch.int64)
    for i in range(len(t)):
        since = int(t[i] - t.min())
        if "n_time_bins" in window:
            step = since * steps // int(t.max() - t.min() + 1)
        elif "time_window" in window:
            step = since // window["time_window"]
        else:
            step = i // window["event_count"]
        if step < steps:
            frames[step, int(p[i]), y[i], x[i]] += 1
    return frames


@given(columns(), windows(), st.booleans())
def test_frames_are_those_of_a_plain_loop(made, window, incomplete):
    options = {"sensor_size": (WIDTH, HEIGHT), "include_incomplete": incomplete, **window}
    wanted = naive(*made, window, incomplete)
    found = events.binned(*made, **options)
    assert found.spikes.shape == wanted.shape
    assert torch.equal(found.spikes.dense(), (wanted > 0).float())
    for dtype in (torch.uint8, torch.int16):
        counted = events.counts(*made, dtype=dtype, **options)
        assert counted.dtype == dtype and torch.equal(counted.long(), wanted)
    if "event_count" not in window or incomplete:  # else the last step is placed, and not returned
        assert found.placed.collisions == int(wanted.sum() - (wanted > 0).sum())
    both = found.spikes.dense()
    merged = events.from_events(*made, polarity="merge", **options)
    assert torch.equal(merged.dense(), both.amax(1, keepdim=True))
    if "event_count" not in window:  # else OFF events make no steps
        lit = events.from_events(*made, polarity="on", **options)
        assert torch.equal(lit.dense(), both[:, 1:])


@given(columns(ascending=True), windows(), st.booleans())
def test_files_become_the_frames_of_their_events(made, window, incomplete):
    options = {"sensor_size": (WIDTH, HEIGHT), "include_incomplete": incomplete, **window}
    wanted = events.from_events(*made, **options)
    for name in ("evt3", "evt2.1", "aedat4"):
        data = events.write(tuple(made), name)
        found = events.from_file(data, **options)
        assert torch.equal(found.words, wanted.words) and found.shape == wanted.shape
        without = {key: value for key, value in options.items() if key != "sensor_size"}
        known = events.write(tuple(made), name, sensor_size=(WIDTH, HEIGHT))
        assert torch.equal(events.from_file(known, **without).words, wanted.words)


def test_files_with_an_event_before_the_first():
    header = b"% evt 3.0\n% geometry 9x8\n% end\n"
    # A row; then the upper bits 2, 1 and 3 of the time, with an event each.
    words = [0x0001, 0x8002, 0x2003, 0x8001, 0x2004, 0x8003, 0x2005]
    data = header + b"".join(word.to_bytes(2, "little") for word in words)
    recording = events.read(data)
    assert recording.t.tolist() == [2 << 12, 1 << 12, 3 << 12]
    for window in ({"time_window": 1 << 12}, {"n_time_bins": 3}, {"event_count": 2}):
        options = {"include_incomplete": True, **window}
        found = events.from_file(data, **options)
        assert torch.equal(found.words, events.from_events(recording, **options).words)
        assert found.sum() == 3


def to_frame(t, x, y, p, window, incomplete):
    """tonic's ToFrame: slices of sorted events, between times that searchsorted finds."""
    frames = []
    if "event_count" in window:
        size = window["event_count"]
        round_ = np.ceil if incomplete else np.floor
        starts = np.arange(max(int(round_((len(t) - size) / size)) + 1, 0)) * size
        slices = [slice(start, start + size) for start in starts]
    else:
        if "time_window" in window:
            size = window["time_window"]
            round_ = np.ceil if incomplete else np.floor
            count = int(round_((t[-1] - t[0] - size) / size)) + 1
        else:
            count = window["n_time_bins"]
            size = (t[-1] - t[0]) // count
        begins = np.arange(count) * size + t[0]
        slices = [
            slice(*np.searchsorted(t, [begin, begin + size], side="left")) for begin in begins
        ]
    for part in slices:
        frame = np.zeros((2, HEIGHT, WIDTH), dtype=np.int16)
        np.add.at(frame, (p[part].astype(int), y[part], x[part]), 1)
        frames.append(frame)
    return torch.from_numpy(np.array(frames)) if frames else torch.zeros(0, 2, HEIGHT, WIDTH)


@given(columns(ascending=True), windows(), st.booleans())
def test_frames_of_tonic(made, window, incomplete):
    assume(len(made[0]))
    assume("n_time_bins" not in window or not incomplete)
    wanted = to_frame(*(column.numpy() for column in made), window, incomplete)
    options = {"sensor_size": (WIDTH, HEIGHT, 2), "include_incomplete": incomplete, **window}
    found = events.counts(*made, dtype=torch.int16, compat="tonic", **options)
    assert torch.equal(found.long(), wanted.long())
    packed = events.from_events(*made, compat="tonic", **options)
    assert torch.equal(packed.dense(), (wanted > 0).float())


def test_bins_keep_the_tail_that_tonic_drops():
    made = ([0, 1, 2, 9], [0, 1, 2, 3])
    ours = events.from_events(*made, sensor_size=(4, 1, 1), n_time_bins=2)
    theirs = events.from_events(*made, sensor_size=(4, 1, 1), n_time_bins=2, compat="tonic")
    assert ours.squeeze().tolist() == [[1, 1, 1, 0], [0, 0, 0, 1]]
    assert theirs.squeeze().tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]


def test_start_and_end_are_those_that_are_said():
    made = ([5, 15, 25, 39], [0, 1, 2, 3])
    spikes = events.binned(*made, sensor_size=(4, 1, 1), time_window=10, start=10, end=30)
    assert spikes.spikes.squeeze().tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert (spikes.placed.events, spikes.placed.early, spikes.placed.late) == (2, 1, 1)
    part = {"sensor_size": (4, 1, 1), "time_window": 20, "start": 0, "end": 30}
    assert len(events.from_events(*made, **part)) == 1
    assert len(events.from_events(*made, include_incomplete=True, **part)) == 2
    empty = events.from_events([], [], sensor_size=(4, 1), time_window=10, start=0, end=30)
    assert empty.shape == (3, 2, 1, 4) and not empty.any()
    assert events.from_events([], [], sensor_size=(4, 1), time_window=10).shape == (0, 2, 1, 4)
    assert events.from_events([], [], sensor_size=(4, 1), n_time_bins=2).shape == (2, 2, 1, 4)


DTYPES = {
    "tonic": [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "?")],
    "expelliarmus": [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")],
    "faery and aedat": [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")],
    "evt3": [("timestamp", "<i8"), ("x", "<u2"), ("y", "<u2"), ("polarity", "<i2")],
}


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES.keys())
def test_structured_arrays_of_other_libraries(dtype):
    array = np.zeros(3, dtype=dtype)
    values = {"x": [1, 2, 3], "y": [4, 5, 6], "p": [1, 0, 1], "t": [7, 8, 90]}
    for name, value in values.items():
        field = next(key for key in array.dtype.fields if key.startswith(name))
        array[field] = value
    options = {"sensor_size": (WIDTH, HEIGHT), "n_time_bins": 3}
    wanted = events.from_events(values["t"], values["x"], values["y"], values["p"], **options)
    assert torch.equal(events.from_events(array, **options).words, wanted.words)
    assert same_times(events.read(events.write(array, "dat")), values["t"])


def same_times(recording, t):
    return recording.t.tolist() == t


def test_polarities_of_all_kinds():
    options = {"sensor_size": (1, 1), "event_count": 1}
    for p in ([True, False], [1, 0], [1, -1], torch.tensor([1, 0], dtype=torch.uint8)):
        found = events.from_events([0, 1], [0, 0], [0, 0], p, **options)
        assert found.flatten(1).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(
        ValueError, match=r"p must be True and False, 1 and 0, or 1 and -1, not 0\.\.2"
    ):
        events.from_events([0, 1], [0, 0], [0, 0], [2, 0], **options)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": [9]}, r"x of an event is 9, outside 0\.\.9"),
        ({"x": [-1]}, "x of an event is -1"),
        ({"y": [8]}, r"y of an event is 8, outside 0\.\.8"),
        ({"y": [1, 2]}, "y has 2 events, but t has 1"),
        ({"t": [[0]]}, "t must have one axis"),
        ({"x": None}, "x must be given"),
        (
            {"n_time_bins": None},
            "one of time_window, n_time_bins, event_count must be given, not 0",
        ),
        ({"event_count": 3}, "one of .* must be given, not 2"),
        ({"n_time_bins": 0}, "n_time_bins must be at least 1, not 0"),
        ({"polarity": "off"}, "polarity must be one of"),
        ({"compat": "snn"}, "compat must be one of"),
        ({"compat": "tonic", "start": 0}, "compat='tonic' takes start and end"),
        ({"start": 5, "end": 5}, "start must be before end"),
        ({"n_time_bins": None, "event_count": 1, "end": 5}, "not with event_count"),
        ({"sensor_size": None}, "sensor_size must be given"),
        ({"sensor_size": (9,)}, "sensor_size must be"),
        ({"sensor_size": (9, 0)}, "sensor_size must be"),
        ({"n_time_bins": 1 << 40}, "frames would take .* bytes, more than the limit"),
        ({"max_bytes": 1}, "more than the limit of 1"),
    ],
)
def test_what_makes_no_sense_is_refused(change, says):
    arguments = {"t": [0], "x": [0], "y": [0], "n_time_bins": 4, "sensor_size": (WIDTH, HEIGHT)}
    with pytest.raises(ValueError, match=says):
        events.from_events(**{**arguments, **change})


def test_other_numbers_than_integers_are_refused():
    options = {"sensor_size": (1, 1), "n_time_bins": 1}
    assert events.from_events([3.0], [0], **options).sum() == 1
    for wrong in (0.5, torch.inf, torch.nan):
        with pytest.raises(ValueError, match="t must be whole numbers, but is of torch.float32"):
            events.from_events([wrong], [0], **options)
    with pytest.raises(ValueError, match="t must be whole numbers"):
        events.from_events([0.5], [0], sensor_size=(1, 1), n_time_bins=1)
    with pytest.raises(ValueError, match="dtype must be torch.uint8 or torch.int16"):
        events.counts([0], [0], sensor_size=(1, 1), n_time_bins=1, dtype=torch.float32)


def test_pixels_outside_of_the_sensor_of_a_file(tmp_path):
    path = tmp_path / "wide.dat"
    events.write(([0, 1], [3, 300], [0, 0]), "dat", path)
    with pytest.raises(ValueError, match=r"wide\.dat: 1 events lie outside of the sensor of 8 x 8"):
        events.from_file(path, sensor_size=(8, 8), n_time_bins=1)


def test_frames_go_through_a_network():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(3 * 6 * 7, 4)
    )
    t = torch.arange(200)
    spikes = events.from_events(
        t, t % WIDTH, t % HEIGHT, t % 2, sensor_size=(WIDTH, HEIGHT), n_time_bins=5
    )
    assert isinstance(spikes, snn.SpikeTensor)
    assert torch.allclose(net(spikes), net(spikes.dense()), atol=1e-6)
