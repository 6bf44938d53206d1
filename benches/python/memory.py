"""How far the memory of a process grows in one train step, by library, each in its own process.

Alone, this file is that process: ``python benches/python/memory.py deep bitspike`` prints bytes.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import contenders
import leaky
from jax_network import Network as JaxNetwork
from nets import CONV, NETWORKS, Network, Start, data, start
from record import Options, Part, Row
from timing import Sample

LIBRARIES = ("bitspike", contenders.UNFUSED, "snnTorch", "snnTorch batched", "SpikingJelly", "jax")
TASK = "Adam step"
ROUNDS = 2
# Freed blocks go back to the system at once, so that the growth is what was needed at one time.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
NOTES = f"""
* Bytes per neuron and time step (B) by which the resident memory of a fresh process grows at most
  during one step of Adam; the other columns say how many times as much a peer needs. Input, weights
  and state of the optimiser are there before. Median of {ROUNDS} processes.
* Libraries, modules and thread pools were warmed up by a step of the same network over two time
  steps; jax had compiled. The peak is Linux's `VmHWM`; malloc was told to return freed memory.
* One bit per neuron-step is {1 / 8} B, one float 4 B. Neurons here are those of all layers; their
  input is another number of bits or floats per step.
"""


def measure(options: Options) -> Iterator[Row]:
    """Measures every library on the networks that memory is asked for."""
    for key in ("deep",) if options.tiny else ("deep", "conv"):
        network, samples = NETWORKS[key], {}
        for library in libraries(network, options):
            rounds = range(1 if options.tiny else ROUNDS)
            samples[library] = Sample(
                tuple(_in_a_process(key, library, options.tiny) for _ in rounds)
            )
        if samples:
            yield Row(str(network), TASK, samples, density_in=network.density, unit="B")


def libraries(network: Network, options: Options) -> tuple[str, ...]:
    """What is measured of a network."""
    if options.only not in str(network):
        return ()
    if options.tiny:
        return "bitspike", "jax"
    return tuple(name for name in LIBRARIES if name != "jax" or network is not CONV)


def _in_a_process(key: str, library: str, tiny: bool) -> float:
    command = [sys.executable, __file__, key, library, *(["tiny"] if tiny else [])]
    environment = os.environ | ENVIRONMENT
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(done.stdout)


def growth(step: Callable[[], object]) -> int:
    """Bytes by which the resident memory of this process grows at most during a step."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from what is there now
    before = _status("VmRSS")
    step()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")


def warm_step(begun: Start, library: str) -> Callable[[], object]:
    """A step of Adam, after one that saw two time steps."""
    if library == "jax":
        return JaxNetwork(begun).training()
    makers: dict[str, Callable[[], contenders.Contender]] = {
        "bitspike": partial(contenders.bitspike, begun),
        contenders.UNFUSED: partial(contenders.bitspike, begun, fused=False),
        "snnTorch": partial(contenders.snntorch_loop, begun),
        "snnTorch batched": partial(contenders.layer_by_layer, begun, leaky.OverTime),
        "SpikingJelly": partial(contenders.spikingjelly, begun),
    }
    contender = makers[library]()
    step = contenders.training(contender, begun.labels)
    step(contender.x[:2])
    return partial(step, contender.x)


def main(key: str, library: str, *tiny: str) -> None:
    """Prints bytes per neuron-step."""
    network = NETWORKS[key].tiny() if tiny else NETWORKS[key]
    # Nothing of full size has run before the step, so that no library has memory in reserve.
    x, labels = data(network)
    begun = start(network.tiny())._replace(network=network, x=x, labels=labels)
    grown = growth(warm_step(begun, library))
    print(grown / (network.steps * network.batch * begun.neurons))


PART = Part("Memory of a train step", LIBRARIES, NOTES, measure)

if __name__ == "__main__":
    main(*sys.argv[1:])
