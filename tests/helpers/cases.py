"""One layer of each native neuron, with numbers that make it fire, for the tests of all neurons."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

import bitspike as snn


@dataclass(frozen=True)
class Case:
    """A neuron, and numbers at which it is neither silent nor always above threshold."""

    kind: type[snn.SpikingNeuron]
    arguments: Callable[[int], dict] = field(default=lambda n: {})
    """Its arguments for a layer of ``n`` neurons; a tensor ``[n]`` gives each its own number."""
    learned: tuple[str, ...] = ()
    """Which of the arguments are learned, ``learn_<name>=True``, beside the threshold."""
    current: tuple[float, float] = (0.1, 0.8)
    """Mean and standard deviation of the input."""
    states: tuple[float, float] | tuple[tuple[float, float], ...] = (0.0, 1.0)
    """Mean and standard deviation of the initial states, of all or of each."""
    exact: bool = True
    """Whether the kernel computes the bits of torch, as it does unless there is an exponential."""

    def __str__(self) -> str:
        return self.kind.__name__

    def resets(self) -> list[tuple[str, bool]]:
        """Each reset with the values of ``reset_delay`` that it allows."""
        delays = (True, False) if self.kind.IMMEDIATE else (True,)
        pairs = [(reset, delay) for reset in self.kind.RESETS for delay in delays]
        return [pair for pair in pairs if pair != ("subtract_beta", False)]

    def neuron(self, n: int, reset: str, delay: bool, learn: bool = True, **others):
        """A layer for whole sequences, everything learned if ``learn``."""
        arguments = dict(multi_step=True) | self.arguments(n)
        arguments |= {f"learn_{name}": learn for name in ("threshold", *self.learned)}
        if len(self.kind.RESETS) > 1:
            arguments["reset_mechanism"] = reset
        if not delay:
            arguments["reset_delay"] = False
        return self.kind(**arguments | others)

    def inputs(self, steps: int, *step: int):
        """A sequence of currents, and initial states."""
        mean, deviation = self.current
        x = torch.randn(steps, *step) * deviation + mean
        count = len(self.kind.STATES)
        each = self.states if isinstance(self.states[0], tuple) else (self.states,) * count
        return x, [torch.randn(step) * spread + at for at, spread in each]


def uniform(low: float, high: float, n: int) -> torch.Tensor:
    """A number per neuron."""
    return low + (high - low) * torch.rand(n)


CASES = (
    Case(
        snn.Leaky,
        lambda n: dict(
            beta=uniform(0.3, 1, n),
            threshold=uniform(0.4, 1, n),
            graded_spikes_factor=1.3,
            learn_graded_spikes_factor=True,
        ),
        learned=("beta",),
    ),
    Case(
        snn.Synaptic,
        lambda n: dict(alpha=uniform(0.3, 1, n), beta=uniform(0.3, 1, n), threshold=0.8),
        learned=("alpha", "beta"),
        current=(0.1, 0.5),
    ),
    Case(
        snn.ALIF,
        lambda n: dict(beta=uniform(0.3, 1, n), rho=uniform(0.8, 1, n), beta_a=uniform(0, 0.5, n)),
        learned=("beta", "rho", "beta_a"),
        current=(0.3, 0.8),
    ),
    Case(
        snn.QIF,
        lambda n: dict(
            tau=uniform(5, 15, n), a0=uniform(0.02, 0.06, n), u_c=uniform(-52, -48, n), dt=0.5
        ),
        learned=("tau", "a0", "u_c", "u_reset", "resistance"),
        current=(60.0, 50.0),
        states=(-50.0, 15.0),
    ),
    # Where the exponential is steep, a membrane that differs in its last place lands elsewhere, and
    # another surrogate gradient follows: these fire soon after the spike has started.
    Case(
        snn.EIF,
        lambda n: dict(
            tau=uniform(5, 15, n),
            delta_t=uniform(3, 4, n),
            v_t=uniform(-62, -58, n),
            dt=0.2,
            threshold=-48.0,
        ),
        learned=("tau", "delta_t", "v_t", "u_reset", "resistance"),
        current=(30.0, 40.0),
        states=(-58.0, 4.0),
        exact=False,
    ),
    Case(
        snn.AdEx,
        lambda n: dict(a=uniform(-10, 10, n), tau_w=uniform(20, 200, n), dt=0.1, threshold=-45.0),
        learned=("tau", "delta_t", "v_t", "u_reset", "resistance", "tau_w", "a", "b"),
        current=(1500.0, 1500.0),
        states=((50.0, 100.0), (-48.0, 3.0)),
        exact=False,
    ),
    Case(
        snn.Izhikevich,
        lambda n: dict(
            a=uniform(0.02, 0.1, n), b=uniform(0.2, 0.26, n), c=uniform(-65, -50, n), dt=0.2
        ),
        learned=("a", "b", "c", "d"),
        current=(50.0, 50.0),
        states=((-13.0, 3.0), (-45.0, 15.0)),
    ),
    Case(
        snn.HodgkinHuxley,
        lambda n: dict(g_na=uniform(110, 130, n), dt=0.02),
        learned=("g_na", "g_k", "g_l"),
        current=(10.0, 30.0),
        states=((0.3, 0.1), (0.5, 0.1), (0.35, 0.05), (-20.0, 15.0)),
        exact=False,
    ),
    Case(
        snn.ResonateAndFire,
        lambda n: dict(b=uniform(-0.3, 0, n), omega=uniform(0.3, 2, n), dt=0.5),
        learned=("b", "omega"),
    ),
    Case(
        snn.Lapicque,
        lambda n: dict(beta=uniform(0.4, 0.95, n), threshold=uniform(0.4, 1, n), R=1.5),
        learned=("beta",),
        current=(0.3, 1.5),
    ),
    Case(
        snn.Alpha,
        lambda n: dict(alpha=uniform(0.7, 0.95, n), beta=uniform(0.2, 0.6, n), threshold=0.5),
        learned=("alpha", "beta"),
        current=(0.1, 0.4),
        states=(0.0, 0.3),
    ),
    Case(
        snn.DeltaLeaky,
        lambda n: dict(
            delta_threshold=torch.nn.Parameter(uniform(0.4, 1.2, n)), beta=uniform(0.3, 1.1, n)
        ),
        learned=("beta",),
        current=(0.1, 0.6),
    ),
    Case(
        snn.CuBaLIF,
        lambda n: dict(
            alpha=uniform(0.3, 1, n),
            beta=uniform(0.3, 1, n),
            w_in=uniform(0.2, 0.8, n),
            r=uniform(0.5, 1.5, n),
            threshold=0.8,
        ),
        learned=("alpha", "beta", "w_in", "r"),
    ),
    Case(
        snn.PLIF,
        lambda n: dict(beta=uniform(0.3, 0.9, n), threshold=uniform(0.3, 0.8, n)),
        learned=("beta",),
        current=(0.3, 1.2),
    ),
    Case(
        snn.KLIF,
        lambda n: dict(beta=uniform(0.3, 0.9, n), k=uniform(0.6, 1.5, n)),
        learned=("beta", "k"),
        current=(0.1, 0.8),
        states=(0.5, 0.8),
    ),
    Case(
        snn.RefractoryLeaky,
        lambda n: dict(
            beta=uniform(0.5, 0.95, n),
            refractory=torch.randint(4, (n,)),
            v_rest=uniform(-2.2, -1.8, n),
            v_reset=uniform(-2.5, -1.5, n),
            threshold=uniform(-1.2, -0.8, n),
            decay_input=True,
        ),
        learned=("beta", "v_rest", "v_reset"),
        current=(1.0, 3.0),
        states=(-1.5, 1.0),
    ),
)
"""One for each neuron of the native module."""

IN_TORCH = (
    Case(snn.CLIF, lambda n: dict(beta=uniform(0.3, 0.9, n)), learned=("beta",)),
    Case(
        snn.TCLIF,
        lambda n: dict(gamma=uniform(0.2, 0.6, n), alpha=0.9, beta=0.8),
        learned=("gamma", "alpha", "beta"),
    ),
    Case(
        snn.CobaLIF,
        lambda n: dict(tau=uniform(8, 20, n)),
        current=(0.5, 1.0),
        states=((0.5, 0.1), (0.5, 0.1), (-60.0, 5.0)),
    ),
    Case(snn.ModulatedLeaky, lambda n: dict(beta=uniform(0.3, 0.9, n)), current=(0.3, 0.8)),
    Case(snn.EscapeLeaky, lambda n: dict(beta=uniform(0.3, 0.9, n)), learned=("beta",)),
    Case(snn.IF, current=(0.1, 0.4)),
    Case(
        snn.RLeaky,
        lambda n: dict(beta=0.8, V=uniform(0.1, 1, n), all_to_all=False),
        learned=("beta",),
    ),
    Case(snn.RSynaptic, lambda n: dict(alpha=0.5, beta=0.8, V=0.3, all_to_all=False)),
    Case(snn.RALIF, lambda n: dict(beta=0.8, rho=0.9, beta_a=0.3, V=0.3, all_to_all=False)),
)
"""Those without a kernel, or with one that is not the neuron's alone."""
