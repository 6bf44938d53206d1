"""From a file of a camera to packed frames, beside readers and tonic's ToFrame.

Alone, this file is a process whose memory is measured:
``python benches/python/event_files.py small.raw recording.raw bitspike`` prints bytes.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import bitspike as snn
from bitspike import events
from memory import ENVIRONMENT, growth
from record import Options, Part, Row
from timing import Sample, interleaved

READERS = ("expelliarmus", "faery", "evt3")
LIBRARIES = ("bitspike", *(f"{reader}, tonic" for reader in READERS))
SENSOR = (1280, 720)
WINDOW = 10_000
EVENTS = 10_000_000
NOTES = f"""
* A second of EVT 3, {EVENTS:,} events on {SENSOR[0]} × {SENSOR[1]} pixels, three beside each
  other, becomes frames of {WINDOW // 1000} ms. bitspike: `events.from_file`. Peers read all
  events, and tonic's `ToFrame` makes int16 frames of them, not packed.
* The frames are the same, but for expelliarmus: of files that say the upper bits of a time only
  where they change, it reads twice the time, and so makes twice as many.
* Memory is how far the resident memory of a fresh process grows at most, after a small file.
* Readers and tonic are optional: `pip install expelliarmus faery evt3 tonic`.
"""


def write_recording(path: Path, count: int) -> None:
    """A recording of a second."""
    generator = torch.Generator().manual_seed(0)
    bursts = count // 3
    width, height = SENSOR
    t = torch.linspace(0, 1e6, bursts, dtype=torch.float64).long()
    x = torch.randint(width - 3, (bursts,), generator=generator)
    y = torch.randint(height, (bursts,), generator=generator)
    p = torch.randint(2, (bursts,), generator=generator)
    t, y, p = (column.repeat_interleave(3) for column in (t, y, p))
    x = (x.unsqueeze(1) + torch.arange(3)).flatten()
    events.write((t, x, y, p), "evt3", path, sensor_size=SENSOR)


def ours(path: Path) -> Tensor:
    """Frames by bitspike."""
    return events.from_file(path, time_window=WINDOW, compat="tonic")


def theirs(reader: str, path: Path) -> Tensor:
    """Frames by a reader and tonic."""
    import numpy as np
    from tonic.transforms import ToFrame

    if reader == "expelliarmus":
        from expelliarmus import Wizard

        array = Wizard(encoding="evt3").read(str(path))
    elif reader == "faery":
        import faery

        found = np.concatenate(list(faery.events_stream_from_file(str(path))))
        array = found.astype([("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
    else:
        import evt3

        found = evt3.decode_file(str(path))
        array = np.empty(len(found.t), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
        for name in "txyp":
            array[name] = getattr(found, name)
    frames = ToFrame(sensor_size=(*SENSOR, 2), time_window=WINDOW)(array)
    return torch.from_numpy(frames)


def makers() -> dict[str, Callable[[Path], Tensor]]:
    """What is installed, by its name in the table."""
    there = [name for name in READERS if importlib.util.find_spec(name) is not None]
    peers = there if importlib.util.find_spec("tonic") is not None else []
    return {"bitspike": ours} | {f"{name}, tonic": partial(theirs, name) for name in peers}


def expect_equal(path: Path) -> None:
    """Raises unless all make the same frames, but for the one whose times are others."""
    wanted = ours(path).dense()
    for name, make in makers().items():
        if name.startswith("expelliarmus"):
            continue
        found = make(path)
        found = found.dense() if name == "bitspike" else (found > 0).float()
        if not torch.equal(found, wanted):
            raise ValueError(f"{name} makes other frames of {path}")


def measure(options: Options) -> Iterator[Row]:
    """Measures time and memory."""
    count = 30_000 if options.tiny else EVENTS
    subject = f"EVT 3, {count:,} events"
    if options.only not in subject:
        return
    with tempfile.TemporaryDirectory() as folder:
        small, path = Path(folder) / "small.raw", Path(folder) / "recording.raw"
        write_recording(small, 30_000)
        write_recording(path, count)
        expect_equal(small)
        missing = {name: f"{name} is not installed" for name in LIBRARIES if name not in makers()}
        steps = {name: partial(make, path) for name, make in makers().items()}
        samples = interleaved(steps, options.rounds)
        yield Row(subject, "time", samples, missing=missing)
        grown = {name: Sample((_in_a_process(small, path, name),)) for name in makers()}
        yield Row(subject, "memory", grown, missing=missing, unit="B")


def _in_a_process(small: Path, path: Path, library: str) -> float:
    command = [sys.executable, __file__, str(small), str(path), library]
    environment = os.environ | ENVIRONMENT
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(done.stdout)


def main(small: str, path: str, library: str) -> None:
    """Prints by how many bytes memory grows."""
    make = makers()[library]
    make(Path(small))
    snn.empty_cache()
    print(growth(lambda: make(Path(path))))


PART = Part("Files of event cameras", LIBRARIES, NOTES, measure)

if __name__ == "__main__":
    main(*sys.argv[1:])
