"""Files of cameras beside other readers; ``make peer-test`` runs it, and no other.

Each reader gets files that this package wrote, and must find the events that it finds.
"""

import sys
from pathlib import Path

import aedat
import evio
import evt3
import expelliarmus
import faery
import numpy as np
import pytest
import torch

from bitspike import events

sys.path.append(str(Path(__file__).parents[2] / "benches" / "python"))

import event_files

SENSOR = {"nmnist": (34, 34), "dat": (304, 240)}


def recording(name, longest):
    """Bursts of events along rows, with silences up to so many microseconds."""
    generator = torch.Generator().manual_seed(3)
    width, height = SENSOR.get(name, (1280, 720))
    gaps = torch.randint(longest, (3000,), generator=generator)
    t = gaps.cumsum(0).repeat_interleave(3)
    x = torch.randint(width - 3, (3000, 1), generator=generator) + torch.arange(3)
    y = torch.randint(height, (3000,), generator=generator).repeat_interleave(3)
    p = torch.randint(2, (3000,), generator=generator).repeat_interleave(3)
    return t, x.flatten(), y, p


def by_expelliarmus(path, name):
    return expelliarmus.Wizard(encoding=name).read(str(path))


def by_faery(path, name):
    return np.concatenate(list(faery.events_stream_from_file(str(path))))


def by_aedat(path, name):
    return np.concatenate([packet["events"] for packet in aedat.Decoder(str(path))])


def by_evt3(path, name):
    found = evt3.decode_file(str(path))
    return {field: getattr(found, field) for field in "txyp"}


def by_evio(path, name):
    return evio.read(path)


CASES = [
    ("dat", "none", by_expelliarmus),
    ("dat", "none", by_faery),
    ("dat", "none", by_evio),
    ("evt2", "none", by_expelliarmus),
    ("evt2", "none", by_faery),
    ("evt3", "none", by_faery),
    ("evt3", "none", by_evt3),
    *(
        ("aedat4", compression, reader)
        for compression in ("none", "lz4", "zstd")
        for reader in (by_faery, by_aedat)
    ),
]
SUFFIX = {"dat": ".dat", "aedat4": ".aedat4", "evt2": ".raw", "evt3": ".raw"}


def column(found, name):
    if name == "p" and not isinstance(found, dict) and "p" not in (found.dtype.names or ()):
        name = "on"
    return torch.from_numpy(np.asarray(found[name]).astype("int64"))


@pytest.mark.parametrize("longest", [30, 200_000])
@pytest.mark.parametrize(("name", "compression", "reader"), CASES)
def test_other_readers_find_the_same_events(tmp_path, name, compression, reader, longest):
    wanted = recording(name, longest)
    path = tmp_path / f"recording{SUFFIX[name]}"
    size = SENSOR.get(name, (1280, 720))
    events.write(wanted, name, path, sensor_size=size, compression=compression)
    found = reader(path, name)
    for field, numbers in zip("txyp", wanted, strict=True):
        assert torch.equal(column(found, field), numbers), field


def test_evio_takes_overflows_of_nmnist_for_events(tmp_path):
    """Without overflows it finds the same; with them, more events, and earlier times."""
    for longest, same in ((30, True), (20_000, False)):
        wanted = recording("nmnist", longest)
        path = tmp_path / "recording.bin"
        events.write(wanted, "nmnist", path)
        found = evio.read(path)
        assert (len(found) == len(wanted[0])) == same


def test_expelliarmus_reads_later_times_of_evt_3(tmp_path):
    """By 4,096 µs for each change of the upper bits: the other columns are the same."""
    wanted = recording("evt3", 30)
    path = tmp_path / "recording.raw"
    events.write(wanted, "evt3", path, sensor_size=(1280, 720))
    found = by_expelliarmus(path, "evt3")
    for field, numbers in zip("xyp", wanted[1:], strict=True):
        assert torch.equal(column(found, field), numbers)
    assert torch.equal(column(found, "t") - wanted[0], wanted[0] >> 12 << 12)


def test_frames_of_tonic(tmp_path):
    path = tmp_path / "recording.raw"
    event_files.write_recording(path, 9000)
    event_files.expect_equal(path)
