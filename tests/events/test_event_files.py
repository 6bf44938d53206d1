"""Recordings as files: what is written is read, whole and in pieces, and what is wrong is named."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import events
from bitspike.events import files

LIMITS = {
    "nmnist": (256, 240),
    "aedat2": (128, 128),
    "aedat3.1": (1 << 15, 1 << 15),
    "aedat4": (1 << 15, 1 << 15),
    "dat": (1 << 14, 1 << 14),
    "evt2": (2048, 2048),
    "evt2.1": (2048, 2048),
    "evt3": (2048, 2048),
}
FORMATS = st.sampled_from(sorted(LIMITS))


@st.composite
def recordings(draw):
    """A format, its options, and events that it has room for."""
    name = draw(FORMATS)
    width, height = LIMITS[name]
    event = st.tuples(
        st.sampled_from([0, 0, 1, 7, 5000, 1 << 20]),
        st.integers(0, width - 1),
        st.integers(0, height - 1),
        st.booleans(),
    )
    rows = draw(st.lists(event, max_size=30))
    gaps, x, y, p = (
        (torch.tensor(column) for column in zip(*rows, strict=True)) if rows else [[]] * 4
    )
    t = torch.as_tensor(gaps, dtype=torch.int64).cumsum(0)
    compression = draw(st.sampled_from(["none", "lz4", "zstd"])) if name == "aedat4" else "none"
    return name, compression, (t, x, y, p)


def same(found, wanted):
    t, x, y, p = (torch.as_tensor(column) for column in wanted)
    return (
        torch.equal(found.t, t.long())
        and torch.equal(found.x.long(), x.long())
        and torch.equal(found.y.long(), y.long())
        and torch.equal(found.p, p.bool())
    )


def test_every_format_is_here():
    assert set(events.FORMATS) == set(LIMITS)


@given(recordings())
def test_what_is_written_is_read(recording):
    name, compression, columns = recording
    data = events.write(columns, name, compression=compression)
    found = events.read(data, None if name != "nmnist" else name)
    assert same(found, columns)
    assert (found.format, len(found), found.report) == (
        name,
        len(columns[0]),
        (len(columns[0]), 0, 0, 0),
    )


@given(recordings(), st.integers(1, 40))
def test_pieces_are_the_whole(recording, size):
    name, compression, columns = recording
    data = events.write(columns, name, compression=compression)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PIECE", size)
        found = list(events.chunks(data, name))
        assert same(events.read(bytearray(data), name), columns)
    for field, wanted in zip("txyp", columns, strict=True):
        joined = torch.cat([getattr(part, field) for part in found])
        assert torch.equal(joined.long(), torch.as_tensor(wanted).long())


def test_files_are_recognised_by_what_they_hold(tmp_path):
    columns = ([5, 9], [1, 2], [3, 4], [True, False])
    for name in LIMITS:
        path = tmp_path / f"{name}.anything"
        assert events.write(columns, name, path) is None
        if name == "nmnist":
            with pytest.raises(ValueError, match="anything: the first bytes are of no known"):
                events.read(path)
            path = path.rename(tmp_path / "00001.bin")
        assert same(events.read(path), columns)
    # A header says more than a suffix.
    path = tmp_path / "recording.bin"
    events.write(columns, "evt3", path)
    assert events.read(path).format == "evt3"
    path.write_bytes(b"")
    assert len(events.read(path)) == 0


def test_a_recording_is_written_again_with_its_size():
    data = events.write(([5], [1], [3]), "evt2", sensor_size=(640, 480))
    found = events.read(data)
    assert found.size == (640, 480)
    assert events.read(events.write(found, "dat")).size == (640, 480)
    assert pickle.loads(pickle.dumps(found)).size == found.size


def test_options_of_aedat_2_and_evt_2_1():
    columns = ([5], [1], [3], [True])
    data = events.write(columns, "aedat2", sensor_size=(128, 128))
    jaer = events.read(data, convention="jaer")
    assert (jaer.x.item(), jaer.y.item(), jaer.p.item()) == (126, 3, False)
    tonic = events.read(data, convention="tonic")
    assert (tonic.x.item(), tonic.y.item(), tonic.p.item()) == (3, 1, True)
    davis = events.write(columns, "aedat2", chip="davis346")
    assert events.read(davis).size == (346, 260)
    swapped = events.write(columns, "evt2.1", high_first=True)
    assert same(events.read(swapped), columns)
    assert len(events.read(swapped, high_first=False)) == 0
    for wrong in ({"chip": "dvs1"}, {"convention": "mine"}):
        with pytest.raises(ValueError, match=f"no {next(iter(wrong))} named"):
            events.read(data, **wrong)
    with pytest.raises(ValueError, match='no format named "evt4"; known: nmnist, '):
        events.read(data, "evt4")
    with pytest.raises(ValueError, match="no compression named"):
        events.write(columns, "aedat4", compression="zip")


def test_what_is_left_out_is_told():
    data = events.write(([5, 6], [1, 2], [3, 4]), "nmnist") + b"abc"
    assert events.read(data, "nmnist").report == events.Report(2, 0, 0, 3)
    trigger = (0xA << 28).to_bytes(4, "little")
    found = events.read(events.write(([5], [1], [3]), "evt2") + trigger)
    assert found.report == events.Report(events=1, dropped=0, ignored=1, tail=0)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (([1, 0], [0, 0], [0, 0]), "time of event 1 lies before"),
        (([-1], [0], [0]), "t of event 0 is -1"),
        (([0], [2048], [0]), "x of event 0 is 2048"),
        (([0, 1 << 50], [0, 0], [0, 0]), "event 1 comes so long after"),
        (([0], [1, 2], [0]), "x has 2 events, but t has 1"),
    ],
)
def test_events_without_a_place_in_the_format(tmp_path, columns, says):
    path = tmp_path / "file.raw"
    with pytest.raises(ValueError, match=says):
        events.write(columns, "evt3", path)
    assert not path.exists()


def test_files_that_are_wrong_name_themselves(tmp_path):
    path = tmp_path / "broken.aedat4"
    data = events.write(([5], [1], [3]), "aedat4", compression="lz4")
    path.write_bytes(data[:-9] + b"\xff" * 9)
    with pytest.raises(ValueError, match=r"broken\.aedat4: the packet at byte \d+"):
        events.read(path)
    with pytest.raises(FileNotFoundError):
        events.read(tmp_path / "nowhere.raw")
    # A recording of DV is none of jAER.
    with pytest.raises(ValueError, match="not one of aedat2"):
        events.read(data, "aedat2")
