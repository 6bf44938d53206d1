"""Every native neuron over a whole sequence, forward and backward, beside those of its kind.

A peer is the class of snnTorch or SpikingJelly with the same equation. snnTorch's spikes must
equal ours. SpikingJelly resets in the step of the spike and scales some equations otherwise: as
much work, other spikes. Where neither has such a neuron, our own specification in PyTorch is left.
Its results, which ours are compared with in every row, are timed for all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import snntorch
import torch
from spikingjelly.activation_based import neuron as jelly
from spikingjelly.activation_based import surrogate as jelly_surrogate
from torch import Tensor, nn

import bitspike as snn
import gate
from peers import Result, Step
from record import Options, Part, Row
from timing import interleaved

SHAPE, TINY = (500, 16, 512), (10, 4, 60)
# Steps of a run that must agree with the specification, whose spikes may differ in late steps of
# neurons with exponentials: one last place decides when a steep upstroke crosses the threshold.
COMPARED = 100
MOST_FLIPS = 1e-3
# On a steep upstroke the last place of an exponential moves the point where the surrogate is read.
STEEP = 1e-3


@dataclass(frozen=True)
class Bench:
    """A neuron, numbers at which it fires, and its peers."""

    make: Callable[..., snn.SpikingNeuron]
    arguments: dict[str, Any] = field(default_factory=dict)
    current: tuple[float, float] = (0.05, 0.5)
    """Mean and standard deviation of the input."""
    error: float = gate.SAME_SPIKES
    """How far gradients may be from the specification's, for equal spikes."""
    snntorch: Callable[[], nn.Module] | None = None
    jelly: Callable[[], nn.Module] | None = None

    def __str__(self) -> str:
        """Its name in tables."""
        return getattr(self.make, "__self__", self.make).__name__


def _jelly(kind: Any, **arguments: Any) -> Callable[[], nn.Module]:
    common = dict(detach_reset=True, step_mode="m", surrogate_function=jelly_surrogate.ATan(2.0))
    return lambda: kind(**common | arguments)


BENCHES = (
    Bench(
        snn.Leaky,
        dict(beta=0.875),
        snntorch=lambda: snntorch.Leaky(beta=0.875),
        jelly=_jelly(jelly.LIFNode, tau=8.0, decay_input=False, v_reset=None),
    ),
    Bench(
        snn.IF,
        current=(0.02, 0.2),
        snntorch=lambda: snntorch.Leaky(beta=1.0),
        jelly=_jelly(jelly.IFNode, v_reset=None),
    ),
    Bench(
        snn.Lapicque,
        dict(beta=0.875),
        current=(0.4, 4.0),
        snntorch=lambda: snntorch.Lapicque(beta=0.875),
    ),
    Bench(
        snn.Synaptic,
        dict(alpha=0.75, beta=0.875),
        current=(0.02, 0.2),
        snntorch=lambda: snntorch.Synaptic(alpha=0.75, beta=0.875),
    ),
    Bench(
        snn.CuBaLIF,
        dict(alpha=0.75, beta=0.875),
        current=(0.02, 0.2),
        snntorch=lambda: snntorch.Synaptic(alpha=0.75, beta=0.875),
    ),
    Bench(
        snn.Alpha,
        dict(alpha=0.875, beta=0.75),
        current=(0.1, 0.5),
        snntorch=lambda: snntorch.Alpha(alpha=0.875, beta=0.75),
    ),
    Bench(
        snn.DeltaLeaky,
        dict(delta_threshold=1.0, beta=0.875),
        snntorch=lambda: snntorch.DeltaLeaky(delta_threshold=1.0, beta=0.875),
    ),
    Bench(
        snn.PLIF,
        dict(beta=0.5),
        current=(0.1, 1.0),
        jelly=_jelly(jelly.ParametricLIFNode, init_tau=2.0, v_reset=None),
    ),
    Bench(
        snn.KLIF,
        dict(beta=0.5),
        jelly=_jelly(jelly.KLIFNode, tau=2.0, decay_input=False, v_reset=None),
    ),
    Bench(snn.RefractoryLeaky, dict(beta=0.875, refractory=3)),
    Bench(snn.ALIF, dict(beta=0.875, rho=0.99, beta_a=0.1)),
    Bench(
        snn.ResonateAndFire,
        dict(b=-0.2, omega=1.0, dt=1.0),
        jelly=_jelly(jelly.RAFNode, b=-0.2, omega=1.0, dt=1.0, v_reset=None),
    ),
    Bench(snn.QIF, dict(dt=0.5), current=(60.0, 50.0), jelly=_jelly(jelly.QIFNode)),
    Bench(snn.EIF, dict(dt=0.2), current=(30.0, 40.0), error=STEEP, jelly=_jelly(jelly.EIFNode)),
    Bench(snn.AdEx, dict(dt=0.1), current=(1500.0, 1500.0), error=STEEP),
    Bench(
        snn.Izhikevich.preset,
        dict(name="RS", dt=0.5),
        current=(10.0, 20.0),
        jelly=_jelly(jelly.IzhikevichNode),
    ),
    Bench(snn.HodgkinHuxley, dict(dt=0.02), current=(10.0, 30.0), error=STEEP),
)
"""One for each native neuron that is element-wise."""


NOTES = """
* T=500 B=16 n=512, forward and backward with a dense random gradient of the output spikes, normally
  distributed input, atan(2). Milliseconds are medians of alternating rounds, ± half the distance
  between the quartiles; the other columns say how many times as long a peer took.
* Before anything was timed, spikes and gradients were compared with those of snnTorch's class, and
  must be equal, else with our own specification in PyTorch over the first 100 steps.
* snnTorch: time loop over `unbind`. SpikingJelly: multi-step, torch backend, reset in the step of
  the spike and in some equations other scales: as much work, other spikes. PyTorch: the
  specification of our neuron, run step by step.
"""


def measure(options: Options) -> Iterator[Row]:
    """Every neuron."""
    for bench in BENCHES:
        if options.only in str(bench):
            yield row(bench, TINY if options.tiny else SHAPE, options.rounds)


def row(bench: Bench, shape: tuple[int, int, int], rounds: int) -> Row:
    """Compares the results, then times them."""
    torch.manual_seed(0)
    mean, deviation = bench.current
    x = torch.randn(shape) * deviation + mean
    grad = torch.randn(shape)
    ours = bench.make(**bench.arguments, init_hidden=True, multi_step=True)
    steps = {"bitspike": _step(lambda x: _reset(ours)(x), x, grad)}
    if bench.snntorch is not None:
        steps["snnTorch"] = _step(_loop(bench.snntorch()), x, grad)
        gate.compare(steps["bitspike"](), steps["snnTorch"](), exact=True)
    if bench.jelly is not None:
        peer = bench.jelly()
        steps["SpikingJelly"] = _step(lambda x: _reset(peer)(x), x, grad)
    twin = _specification(bench)
    steps["PyTorch"] = _step(twin, x, grad)
    start = [_step(f, x[:COMPARED], grad[:COMPARED])() for f in (lambda x: _reset(ours)(x), twin)]
    gate.compare(*start, exact=False, most_flips=MOST_FLIPS, same_spikes=bench.error)
    density = gate.dense(steps["bitspike"]().spikes).mean().item()
    return Row(str(bench), "sequence", interleaved(steps, rounds), density_out=density)


def _reset(module: Any) -> Any:
    """The module, with its hidden state at rest."""
    if isinstance(module, snn.SpikingNeuron):
        module.reset_mem()
    else:
        module.reset()
    return module


def _specification(bench: Bench) -> Callable[[Tensor], Tensor]:
    """Our neuron, step by step in PyTorch."""
    surrogate = snn.surrogate.ATan(2.0)
    # A function, unlike a surrogate, has no native form.
    twin = bench.make(**bench.arguments, spike_grad=lambda x: surrogate(x), multi_step=True)
    return twin


def _loop(layer: Any) -> Callable[[Tensor], Tensor]:
    """A time loop of snnTorch, which returns and takes its states."""

    def run(x: Tensor) -> Tensor:
        states = layer.reset_mem()
        if not isinstance(states, tuple) or isinstance(layer, snntorch.DeltaLeaky):
            states = (states,)
        spikes = []
        for current in x.unbind():
            spike, *states = layer(current, *states)
            spikes.append(spike)
        return torch.stack(spikes)

    return run


def _step(run: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> Step:
    x = x.detach().requires_grad_()

    def step() -> Result:
        result = run(x)
        # snnTorch's DeltaLeaky returns its states whatever it is asked for, and so does ours.
        spikes = result[0] if isinstance(result, tuple) else result
        return Result(spikes, torch.autograd.grad(spikes, [x], grad))

    return step


PART = Part(
    "Neurons and their peers",
    ("bitspike", "snnTorch", "SpikingJelly", "PyTorch"),
    NOTES,
    measure,
)
