"""The neurons that snnTorch 1.0.0 has too, with the arguments that are compared."""

from collections.abc import Callable
from dataclasses import dataclass, field

import snntorch
import torch

import bitspike as snn

N = 70


@dataclass(frozen=True)
class Peer:
    """A class of both libraries, with the arguments that are compared."""

    name: str
    arguments: Callable[[], dict]
    states: tuple[str, ...] = ("mem",)
    resets: tuple[str, ...] = ("subtract", "zero", "none")
    delays: tuple[bool, ...] = (True, False)
    deviation: float = 0.6
    init: str = ""
    extra: dict = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def pair(self, **others):
        """snnTorch's neuron and ours, with copies of the same random arguments."""
        arguments = self.arguments() | self.extra | others

        def copied():
            return {k: v.clone() if torch.is_tensor(v) else v for k, v in arguments.items()}

        theirs = getattr(snntorch, self.name)(**copied())
        if "linear_features" in arguments:
            # Numbers whose sums are exact, because products sum in different orders.
            with torch.no_grad():
                for x in theirs.recurrent.parameters():
                    x.copy_((x * 64).round() / 64)
        ours = getattr(snn, self.name)(**copied())
        ours.load_state_dict(theirs.state_dict(), strict=True)
        return theirs, ours

    def twin(self, ours, **others):
        """The same neuron for whole sequences."""
        twin = getattr(snn, self.name)(**self.arguments() | self.extra | others, multi_step=True)
        twin.load_state_dict(ours.state_dict())
        return twin

    def inputs(self, steps=25, samples=6):
        """Currents, and initial states that lie below threshold (see F19)."""
        x = torch.randn(steps, samples, N) * self.deviation + 0.1
        return x, [torch.rand(samples, N) * 0.4 - 0.2 for _ in self.states]


def decay(low=0.2, high=1.0):
    return low + (high - low) * torch.rand(N)


PEERS = (
    Peer(
        "Leaky",
        lambda: dict(
            beta=decay(), threshold=decay(), graded_spikes_factor=decay(), learn_beta=True
        ),
        init="init_leaky",
    ),
    Peer(
        "Synaptic",
        lambda: dict(alpha=decay(), beta=decay(), threshold=decay(), learn_alpha=True),
        states=("syn", "mem"),
        init="init_synaptic",
        deviation=0.4,
    ),
    Peer(
        "Lapicque",
        lambda: dict(beta=0.7, threshold=decay(), learn_beta=True),
        delays=(True,),
        deviation=1.5,
        init="init_lapicque",
    ),
    Peer(
        "Lapicque",
        lambda: dict(R=2, C=1.7, time_step=0.5, threshold=decay()),
        delays=(True,),
        deviation=1.5,
        init="init_lapicque",
    ),
    Peer(
        "Alpha",
        lambda: dict(alpha=decay(0.7, 0.95), beta=decay(0.2, 0.6), threshold=decay(0.1, 0.4)),
        states=("syn_exc", "syn_inh", "mem"),
        delays=(True,),
        deviation=0.4,
        init="init_alpha",
        extra=dict(learn_beta=True),
    ),
    Peer(
        "RLeaky",
        lambda: dict(beta=decay(), threshold=decay(), linear_features=N, learn_beta=True),
        states=("spk", "mem"),
        init="init_rleaky",
    ),
    Peer(
        "RLeaky",
        lambda: dict(beta=decay(), threshold=decay(), all_to_all=False, V=torch.randn(N)),
        states=("spk", "mem"),
        init="init_rleaky",
    ),
    Peer(
        "RSynaptic",
        lambda: dict(alpha=decay(), beta=decay(), linear_features=N, learn_alpha=True),
        states=("spk", "syn", "mem"),
        delays=(True,),  # F28
        init="init_rsynaptic",
        deviation=0.4,
    ),
    Peer(
        "RSynaptic",
        lambda: dict(alpha=decay(), beta=decay(), all_to_all=False, V=0.3, learn_recurrent=False),
        states=("spk", "syn", "mem"),
        delays=(True,),
        init="init_rsynaptic",
        deviation=0.4,
    ),
)
