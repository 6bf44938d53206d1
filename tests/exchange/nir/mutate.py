"""Reads files of NIR in which some bytes were changed: networks that run, or a `NIRError`.

``python mutate.py FOLDER FIRST COUNT`` changes files of the folder, with the seeds from ``FIRST``
on, and prints each before it reads; what is printed last has crashed, if the process did.
"""

import random
import resource
import signal
import sys
from pathlib import Path

import torch

from bitspike.nir import NIRError, from_nir, load_data

SECONDS = 20
"""No file may take longer."""
MEMORY = 4 << 30
"""No file may take more, on top of what an idle process has reserved."""
VALUES = 1 << 22
"""Networks with more values in a step are not run."""


def mutated(data, random):
    """The same bytes with some changed, removed, repeated or added."""
    data = bytearray(data)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(data))
        end = min(at + 1 + random.randrange(16), len(data))
        kind = random.randrange(8)
        if kind < 4:
            data[at] = random.choice([data[at] ^ 1 << random.randrange(8), 0, 255, 127, 1])
        elif kind == 4:
            data[at:end] = bytes(end - at)
        elif kind == 5:
            data[at:end] = random.randbytes(end - at)
        elif kind == 6:
            to = random.randrange(len(data))
            data[to : to + end - at] = data[at:end]
        elif random.random() < 0.2:
            del data[at:]
        else:
            del data[at:end]
        if not data:
            break
    return bytes(data)


def run(path):
    """Reads a file, and runs the network for two steps."""
    if path.suffix == ".h5":
        load_data(path, dt=1e-3)
        return
    net = from_nir(path, dt=1e-3)
    if sum(shape.numel() for shape in net._shapes.values()) < VALUES:
        with torch.no_grad():
            net(tuple(torch.ones(2, 1, *net._shapes[name]) for name in net.inputs))


def main(folder, first, count):
    folder = Path(folder)
    files = [(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]
    reserved = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (reserved + MEMORY,) * 2)
    read = 0
    for seed in range(int(first), int(first) + int(count)):
        print(seed, flush=True)
        generator = random.Random(seed)
        suffix, data = generator.choice(files)
        path = folder.with_name(f"mutated{first}{suffix}")
        path.write_bytes(mutated(data, generator))
        signal.alarm(SECONDS)
        try:
            run(path)
            read += 1
        except NIRError:
            pass
        signal.alarm(0)
    print(f"{read} of {count} were read")


if __name__ == "__main__":
    main(*sys.argv[1:])
