"""Methods that a subclass or the user of one neuron overrides are called, as in snnTorch."""

import copy

import pytest
import snntorch
import torch

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from helpers.cases import CASES
from helpers.compare import dense


class Bounded(snn.Leaky):
    """The membrane may not rise above 0.5: it never fires."""

    def step(self, current, mem):
        _, (mem,) = super().step(current, mem)
        mem = mem.clamp(max=0.5)
        return self.fire(mem), (mem,)


def run(neuron, x, multi):
    """Spikes and the last state of all steps, whatever the neuron is called with."""
    if multi:
        spikes, *states = neuron.run_sequence(x)
        return dense(spikes), states[-1]
    results = [neuron(step) for step in x]
    return tuple(torch.stack([result[i] for result in results]) for i in (0, -1))


@pytest.mark.parametrize("multi", [False, True])
def test_an_overridden_step_is_called(multi):
    x = torch.full((4, 1, 3), 0.8)
    _, mem = run(Bounded(beta=1.0), x, multi)
    assert mem.max() == 0.5


@pytest.mark.parametrize("reset_delay", [True, False])
@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("name", ["Leaky", "Synaptic", "RLeaky"])
@pytest.mark.parametrize("method", ["fire", "mem_reset"])
def test_a_subclass_does_what_the_same_subclass_of_snntorch_does(name, method, multi, reset_delay):
    def above_a_half(self, mem):
        return (mem > 0.5).to(mem.dtype)

    arguments = dict(beta=0.8, reset_delay=reset_delay)
    arguments |= {"Synaptic": dict(alpha=0.5), "RLeaky": dict(V=0.25, all_to_all=False)}.get(
        name, {}
    )
    x = torch.rand(9, 4, 3)
    ours, theirs = (
        type("Own", (getattr(library, name),), {method: above_a_half})(**arguments)
        for library in (snn, snntorch)
    )
    states = () if name != "RLeaky" else theirs.init_rleaky()
    wanted = []
    for step in x:
        result = theirs(step, *states)
        states = result if name == "RLeaky" else result[1:]
        wanted.append((result[0], result[-1]))
    spikes, mem = run(ours, x, multi)
    assert torch.equal(spikes, torch.stack([pair[0] for pair in wanted]))
    assert torch.allclose(mem, torch.stack([pair[1] for pair in wanted]))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("multi", [False, True])
def test_every_neuron_calls_what_is_set_on_the_object(case, multi):
    neuron = case.neuron(3, case.kind.RESETS[0], True, learn=False)
    neuron.multi_step = multi
    x, _ = case.inputs(5, 2, 3)
    called = []
    original = neuron.step

    def step(*args):
        called.append(args)
        return original(*args)

    neuron.step = step
    neuron(x if multi else x[0])
    assert len(called) == (5 if multi else 1)
    del neuron.step
    assert neuron.native_refusal(x) is None


@pytest.mark.parametrize(
    "kind, arguments",
    [
        (snn.StateLeaky, dict(beta=0.5, channels=3)),
        (snn.LinearLeaky, dict(beta=0.5, in_features=3, out_features=3)),
        (snn.AssociativeLeaky, dict(in_dim=3, d_value=3, d_key=3, use_q_projection=False)),
        (snn.EscapeLeaky, dict(beta=0.5, multi_step=True)),
        (snn.SRM0, dict(response=torch.ones(2), after_spike=-torch.ones(2), multi_step=True)),
        (snn.SLSTM, dict(input_size=3, hidden_size=3, multi_step=True)),
        (snn.PSN, dict(T=5)),
        (snn.SlidingPSN, dict(k=3, multi_step=True)),
        (snn.ScanLeaky, dict(beta=0.5, multi_step=True)),
        (snn.GLIF, dict(T=5, multi_step=True)),
    ],
)
def test_neurons_without_a_kernel_of_their_own_call_an_overridden_fire(kind, arguments):
    certain = type("Certain", (kind,), {"fire": lambda self, mem: torch.ones_like(mem)})
    result = certain(**arguments)(torch.rand(5, 2, 3))
    spikes = result if isinstance(result, torch.Tensor) else result[0]
    assert dense(spikes).mean() == 1


def test_a_refusal_names_the_class_and_the_method():
    reason = Bounded(beta=0.9).native_refusal(torch.zeros(2))
    assert reason == "Bounded overrides step, which the kernel does not call"
    neuron = snn.Leaky(beta=0.9)
    neuron.fire = torch.ones_like
    assert neuron.native_refusal(torch.zeros(2)).startswith("Leaky overrides fire")
    assert copy.deepcopy(snn.Leaky(beta=0.9)).native_refusal(torch.zeros(2)) is None


def test_what_kernels_call_may_be_overridden_and_stays_native():
    class Slow(snn.Leaky):
        def coefficients(self):
            return (self.beta.sqrt(),)

        def firing_threshold(self):
            return self.threshold / 2

    neuron, x = Slow(beta=0.25, multi_step=True), torch.rand(9, 4, 3)
    assert neuron.native_refusal(x) is None
    plain = snn.Leaky(beta=0.5, threshold=0.5, multi_step=True)
    reference = run_reference(neuron, x, [torch.zeros(4, 3)], True, True)
    for wanted, native, torch_ in zip(
        plain(x), neuron(x), (reference[0], *reference[1]), strict=True
    ):
        assert torch.equal(dense(native), dense(wanted))
        assert torch.equal(torch_, dense(wanted))
