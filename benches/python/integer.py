"""Networks in integers beside the same in floats: time of a step, and bytes of the file."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import bitspike as snn
import leaky
from bitspike import quantize
from bitspike.run.stream import Stream
from nets import LOOP, STREAM, Network, start
from record import Options, Part, Row
from timing import Sample, interleaved

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "rust/core/examples/digits"
PROGRAM = (
    "cargo run --quiet --profile runtime --locked --package bitspike --example classify_digits"
).split()
STEPS = 25
# Flips of one step go on through those after it; more than this share is no rounding.
MOST_FLIPS = 0.2

NOTES = """
* Time of one step of one sample in µs. *from Rust*: the program `classify_digits` with the files
  beside it, whose weights in integers have 4 bits; each round is the median of 1,250 steps.
  *from Python*: through `snn.stream`, whose call costs the same in both columns; medians of
  alternating rounds of a whole stream, ± half the distance between the quartiles.
* Weights have 8 bits; those of the file with 4 are counted apart. Files hold their self-tests.
* Spikes were compared before anything was timed; the share that differs is in the record.
"""


def measure(options: Options) -> Iterator[Row]:
    """Compares the spikes, then times steps and weighs files."""
    if options.only in "digits" and not options.tiny:
        yield _from_rust("digits, 64-256-10", options.rounds)
    if options.only in "digits":
        net = snn.load_network(DIGITS / "network.safetensors").module()
        lines = (DIGITS / "digits.txt").read_text().splitlines()
        pixels = torch.tensor([[float(x) for x in line.split()[1:]] for line in lines])
        shown = pixels[: 2 if options.tiny else 20].repeat_interleave(STEPS, 0).unsqueeze(1)
        yield from _rows("digits, 64-256-10", net, shown, options, input_scale=1 / 16)
    for network in (STREAM, LOOP):
        if options.only in str(network):
            net, x = _random(network.tiny() if options.tiny else network)
            yield from _rows(network.name, net, x, options)


def _from_rust(name: str, rounds: int) -> Row:
    """Steps without Python, which the program that comes with the crate times."""
    files = {"integers": DIGITS / "integers.safetensors", "floats": DIGITS / "network.safetensors"}
    steps: dict[str, list[float]] = {name: [] for name in files}
    for round_ in range(rounds + 1):
        for library, file in files.items():
            command = [*PROGRAM, "--", str(file), str(DIGITS / "digits.txt")]
            ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            found = re.search(r"a step takes (\d+) ns", ran.stdout)
            if found is None:
                raise ValueError(f"classify_digits said no time: {ran.stdout[-200:]!r}")
            if round_:  # the first compiles, and warms up
                steps[library].append(1e-9 * float(found[1]))
    samples = {library: Sample(tuple(seconds)) for library, seconds in steps.items()}
    return Row(name, "one step, from Rust", samples, threads=1)


def _random(network: Network) -> tuple[nn.Module, Tensor]:
    """Layers that keep their states, and the input of one sample."""
    begun = start(network._replace(batch=1))
    net = nn.Sequential(*begun.modules(leaky.bitspike))
    for module in net.modules():
        if isinstance(module, snn.Leaky):
            module.multi_step = False
    return net, begun.x


def _rows(
    name: str, net: nn.Module, x: Tensor, options: Options, input_scale: float | None = None
) -> Iterator[Row]:
    sample = x if getattr(net, "is_program", False) else x[0]
    small = {bits: _small(net, sample, bits, input_scale) for bits in (8, 4)}
    floats = snn.stream(net, sample)
    streams = {"integers": snn.stream(small[8]), "floats": floats}
    made = {name: torch.stack([stream(step) for step in x]) for name, stream in streams.items()}
    flips = (made["integers"] != made["floats"]).float().mean().item()
    if not flips < MOST_FLIPS or not made["integers"].any():
        raise ValueError(f"{flips:.1%} of the spikes of {name} differ")
    times = interleaved({name: _run(y, x) for name, y in streams.items()}, options.rounds)
    steps = {
        name: Sample(tuple(seconds / len(x) for seconds in sample.values))
        for name, sample in times.items()
    }
    density = x.mean().item()
    yield Row(name, "one step, from Python", steps, density_in=density, flips={"floats": flips})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        snn.save_network(net, path, sample)
        large = path.stat().st_size
        for bits, network in small.items():
            network.save(path)
            snn.verify(path)
            sizes = {"integers": path.stat().st_size, "floats": large}
            bytes_of = {name: Sample((float(size),)) for name, size in sizes.items()}
            yield Row(name, f"file, {bits} bits", bytes_of, unit="B")


def _small(
    net: nn.Module, sample: Tensor, bits: int, input_scale: float | None
) -> quantize.IntegerNetwork:
    return quantize.to_integer(
        net, sample, weight_quant=bits, input_scale=input_scale, input_range=(0, 16)
    )


def _run(stream: Stream, x: Tensor) -> Callable[[], None]:
    out = [torch.empty_like(stream(x[0]))]

    def run() -> None:
        stream.reset()
        for step in x:
            stream(step, out)

    return run


PART = Part("Integers", ("integers", "floats"), NOTES, measure)
