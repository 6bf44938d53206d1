"""The same work on one, two, and more threads."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

import contenders
import conv_layers
import nets
import products
from conv_layers import Maps
from peers import bitspike, dense_products, snntorch_loop, spikingjelly
from problem import Cell, Problem, Task, lif_problem, linear_problem
from record import Options, Part, Row
from timing import interleaved

CELLS, MAPS = (Cell(500, 16, 512, 512), Cell(500, 16, 2048, 2048)), conv_layers.LAYERS[0]
TINY_CELL, TINY_MAPS = Cell(10, 4, 60, 40), conv_layers.TINY
DENSITY = 0.03
NOTES = """
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles; the
  other columns say how many times as long a peer took, on as many threads; dense products are
  torch's of the same step alone. jax chooses its threads by itself, and is not among them.
  What more threads gain is a quotient of two rows.
* Layers and networks are those of the other tables, at 3 % input (the network at its own); what
  they compute is compared there, and does not depend on the number of threads.
"""

Steps = dict[str, Callable[[], object]]


def work(tiny: bool) -> Iterator[tuple[str, str, Callable[[], Steps]]]:
    """What is timed: its name, its task, and how it is made under a number of threads."""
    for cell in (TINY_CELL,) if tiny else CELLS:
        yield str(cell), Task.LIF.value, partial(_lif, cell)
        for task in (Task.FIRST, Task.HIDDEN):
            yield str(cell), task.value, partial(_linear, cell, task)
    maps = TINY_MAPS if tiny else MAPS
    yield str(maps), conv_layers.WITH_GRADIENT, partial(_conv, maps)
    network = nets.SHD.tiny() if tiny else nets.SHD
    yield str(network), "Adam step", partial(_network, network)


def _lif(cell: Cell) -> Steps:
    return _libraries(lif_problem(cell))


def _linear(cell: Cell, task: Task) -> Steps:
    problem = linear_problem(cell, task, DENSITY)
    return {**_libraries(problem), "dense products": dense_products(problem)}


def _libraries(problem: Problem) -> Steps:
    return {
        "bitspike": bitspike(problem),
        "snnTorch": snntorch_loop(problem),
        "SpikingJelly": spikingjelly(problem),
    }


def _conv(maps: Maps) -> Steps:
    steps = conv_layers.steps(maps, DENSITY, conv_layers.WITH_GRADIENT)
    return {"bitspike": steps["bitspike"], "dense products": steps["torch NHWC"]}


def _network(network: nets.Network) -> Steps:
    begun = nets.start(network)
    libraries = {
        "bitspike": contenders.bitspike(begun),
        "snnTorch": contenders.snntorch_loop(begun),
        "SpikingJelly": contenders.spikingjelly(begun),
    }
    return {
        **{
            name: partial(contenders.training(library, begun.labels), library.x)
            for name, library in libraries.items()
        },
        "dense products": products.dense_products(begun, True, torch.contiguous_format),
    }


def measure(options: Options) -> Iterator[Row]:
    """Times everything under each number of threads."""
    usual = torch.get_num_threads()
    try:
        for subject, task, make in work(options.tiny):
            for threads in options.threads if options.only in subject else ():
                torch.set_num_threads(threads)
                yield Row(subject, task, interleaved(make(), options.rounds), threads=threads)
    finally:
        torch.set_num_threads(usual)


LIBRARIES = ("bitspike", "snnTorch", "SpikingJelly", "dense products")
PART = Part("Numbers of threads", LIBRARIES, NOTES, measure)
