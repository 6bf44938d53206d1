"""Long memory and attention, step by step: docs/streaming.md says what streams, and how exactly."""

import re
from pathlib import Path

import pytest
import torch

import bitspike as snn
from bitspike import utils
from helpers.compare import dense, same_bits

T, B, N = 8, 3, 6
PAGE = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf-8")
KEPT = {"init_hidden": True}
TOO_LATE = "later ones|whole sequence"


def learned_delays():
    return snn.SynapticDelay(3, torch.linspace(0, 3, N), N, learn_delay=True)


def attention():
    """With weights whose sums are exact in any order."""
    made = snn.SpikingSelfAttention(N, 2, neuron=lambda _: snn.Leaky(0.5, threshold=0.2, **KEPT))
    for name, x in made.named_parameters():
        if "linear" in name:
            x.detach().mul_(64).round_().div_(64)
    for name, x in made.named_buffers():
        if "running_mean" in name:
            x.fill_(-0.125)
        if "running_var" in name:
            x.fill_(0.25 - 1e-5)
    return made


def memory():
    made = snn.Hopfield(N)
    made.store(torch.where(torch.rand(2, N) < 0.5, 1.0, -1.0))
    return made


MODULES = {
    "`ScanLeaky`": lambda: snn.ScanLeaky(0.8, **KEPT),
    "`RingAttractor`": lambda: snn.RingAttractor(N, **KEPT),
    "`SynapticDelay` with one delay of whole steps": lambda: snn.SynapticDelay(3, delay=2),
    "`SynapticDelay` with others": learned_delays,
    "`ModulatedLeaky`": lambda: snn.ModulatedLeaky(0.5, gain=0.7, **KEPT),
    "`CLIF`": lambda: snn.CLIF(0.8, **KEPT),
    "`GLIF`": lambda: snn.GLIF(T, N, **KEPT),
    "`TCLIF`": lambda: snn.TCLIF(0.3, 0.6, **KEPT),
    "`CobaLIF`": lambda: snn.CobaLIF(dt=2.0, **KEPT),
    "`SlidingPSN`": lambda: snn.SlidingPSN(3, **KEPT),
    "`MaskedPSN`": lambda: snn.MaskedPSN(T, 3, **KEPT),
    "`DelayLinear`": lambda: snn.DelayLinear(N, N, max_delay=3),
    "`Hopfield`": memory,
    "`WTA`": lambda: snn.WTA(2),
    "`SSMBlock`": lambda: snn.SSMBlock(N, 4, method="recurrence", dt_range=(0.1, 1.0)),
    "`SpikingSelfAttention`": attention,
    "`MaskedPSN` with `masking < 1`": lambda: snn.MaskedPSN(T, 3, masking=0.5, **KEPT),
    "`PSN`": lambda: snn.PSN(T),
}


def rows():
    """What the table says of each module: of its steps, of streams, and of exported programs."""
    (table,) = re.findall(r"^\| module \|.*\n((?:\|.*\n)+)", PAGE, re.M)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return {name: said for names, *said in cells for name in names.split(", ")}


SAID = rows()
CAUSAL = [name for name in MODULES if not SAID[name][0].startswith("none")]


def test_the_table_has_all():
    assert set(SAID) == set(MODULES)


@pytest.fixture
def recording(request):
    """A module that is alive, its input and the sequence that it makes of it."""
    name = request.param
    module = MODULES[name]().eval()
    x = 3 * torch.rand(T, B, N) - 0.5
    if name == "`SpikingSelfAttention`":
        x = (torch.rand(T, B, 4, N) < 0.6).float()
    if "PSN" in name:
        module.weight.detach().normal_()
    with torch.no_grad():
        whole = module.run_sequence(x)
        yield name, module, x, dense(whole[0] if isinstance(whole, tuple) else whole)


def reset(module):
    utils.reset(module)
    return module


@pytest.mark.parametrize("recording", CAUSAL, indirect=True)
def test_steps_are_the_sequence(recording):
    _, module, x, whole = recording
    assert len(whole.unique()) > 1
    steps = torch.stack([dense(reset(module)(x[0])), *(dense(module(step)) for step in x[1:])])
    assert same_bits(steps, whole)
    if not isinstance(module, snn.WTA):  # It keeps nothing: another order is another sequence.
        reset(module)
        turned = torch.stack([dense(module(step)) for step in x.flip(0)]).flip(0)
        assert not same_bits(turned, whole)


@pytest.mark.parametrize("recording", MODULES, indirect=True)
def test_streams(recording):
    name, module, x, whole = recording
    if SAID[name][1] == "no":
        wrong, reason = snn.graph.GraphError, type(module).__name__
        if name == "`SpikingSelfAttention`":  # It is the calls that it makes.
            reason = "queries"
        if name not in CAUSAL:
            wrong, reason = ValueError, TOO_LATE
        with pytest.raises(wrong, match=reason):
            snn.stream(reset(module), x[0], batch=B)
    else:
        stream = snn.stream(reset(module), x[0], batch=B)
        assert same_bits(torch.stack([stream(step) for step in x]), whole)


@pytest.mark.parametrize("recording", CAUSAL, indirect=True)
def test_exported_steps(recording):
    name, module, x, whole = recording
    options = {"dynamic_batch": False} if "dynamic" in SAID[name][2] else {}
    program = snn.export_step(reset(module), x[0], **options)
    step, (_, *states) = program.module(), program.example_inputs[0]
    found = []
    for current in x:
        result = step(current, *states)
        spikes, *states = result if isinstance(result, tuple) else (result,)
        found.append(dense(spikes))
    assert same_bits(torch.stack(found), whole)
    if options:
        with pytest.raises(snn.graph.GraphError, match="dynamic_batch=False"):
            snn.export_step(reset(module), x[0])


@pytest.mark.parametrize("name", [name for name in MODULES if name not in CAUSAL])
def test_what_looks_ahead_has_no_steps(name):
    module = MODULES[name]()
    for program in (module, lambda x: snn.export_step(module, x)):
        with pytest.raises(ValueError, match=TOO_LATE):
            program(torch.rand(B, N))
