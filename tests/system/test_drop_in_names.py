"""Every public name of snnTorch 1.0.0 exists, and takes what it takes there."""

import importlib
import inspect
import pkgutil
import warnings

import pytest
import torch
from torch import nn

import bitspike as snn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    import snntorch.backprop
    import snntorch.export_nir
    import snntorch.functional.quant
    import snntorch.functional.stdp_learner
    import snntorch.import_nir
    import snntorch.spikeplot

OTHER_MODULES = {
    "spikevision": "data sets, deprecated by snnTorch in favour of another package",
}
"""Modules of snnTorch that bitspike does not have, and why."""

INTERNAL = {
    "spikeplot.Camera": "how snnTorch takes the pictures of an animation",
    "functional.SpikeTime.FirstSpike": "one of the steps of snnTorch's forward",
    "functional.SpikeTime.MultiSpike": "one of the steps of snnTorch's forward",
    "functional.SpikeTime.Tolerance": "one of the steps of snnTorch's forward",
    "functional.SpikeTime.label_to_single_spike": "one of the steps of snnTorch's forward",
    "functional.SpikeTime.label_to_multi_spike": "one of the steps of snnTorch's forward",
    "functional.SpikeTime.labels_to_spike_times": "one of the steps of snnTorch's forward",
    **{
        f"functional.{name}Monitor.create_hook": "what a monitor registers with each module"
        for name in ("Attribute", "GradInput", "GradOutput", "Input", "Output")
    },
    "LeakyParallel.ATan": "a copy of surrogate.ATan",
    "LeakyParallel.grad_hook": "what masks the gradient of weight_hh",
    "AssociativeLeaky.eps": "what is added to a divisor that bitspike does not have (F38)",
    **{
        f"{name}.state_function": "which of snnTorch's private updates runs"
        for name in (
            "Alpha DeltaLeaky Lapicque Leaky RLeaky RSynaptic SConv2dLSTM SLSTM Synaptic"
        ).split()
    },
    **{
        f"{kind}.{name}": "of a reset or a hidden state, which it does not have"
        for kind in ("StateLeaky", "LinearLeaky")
        for name in (
            *("detach", "fire_inhibition", "inhibition", "init", "init_hidden", "instances"),
            *("mem_reset", "reset_dict", "reset_mechanism", "zeros"),
        )
    },
}
"""Names without an underscore that belong to the implementation, and what they are."""

BUILT = {
    "Alpha": dict(alpha=0.9, beta=0.8),
    "AssociativeLeaky": dict(in_dim=3, d_value=2, d_key=2, num_spiking_neurons=4),
    "BatchNormTT1d": dict(input_features=3, time_steps=4),
    "BatchNormTT2d": dict(input_features=3, time_steps=4),
    "DeltaLeaky": dict(beta=0.9),
    "GradedSpikes": dict(size=3, constant_factor=1.0),
    "LIF": dict(beta=0.9),
    "Lapicque": dict(beta=0.9),
    "Leaky": dict(beta=0.9),
    "LeakyParallel": dict(input_size=3, hidden_size=4),
    "LinearLeaky": dict(beta=0.9, in_features=3, out_features=4),
    "RLeaky": dict(beta=0.9, linear_features=3),
    "RSynaptic": dict(alpha=0.9, beta=0.8, linear_features=3),
    "SConv2dLSTM": dict(in_channels=1, out_channels=2, kernel_size=3),
    "SLSTM": dict(input_size=3, hidden_size=4),
    "SpikingNeuron": {},
    "StateLeaky": dict(beta=0.9, channels=3),
    "Synaptic": dict(alpha=0.9, beta=0.8),
}
"""All of snnTorch's neurons and layers, and arguments to build them with."""


def submodules():
    """The public modules below snnTorch and its losses, by their names there."""
    for package in (snntorch, snntorch.functional):
        prefix = package.__name__ + "."
        for module in pkgutil.iter_modules(package.__path__, prefix):
            if not module.name.removeprefix(prefix).startswith("_"):
                yield module.name.removeprefix("snntorch.")


MODULES = sorted(set(submodules()) - set(OTHER_MODULES))


def find(library, path):
    """What a dotted path in a library leads to."""
    found = library
    for name in path.split(".") if path else ():
        found = getattr(found, name)
    return found


def origin(value):
    """The module of snnTorch that defines something, or None if it comes from elsewhere."""
    module = getattr(value, "__module__", None) or ""
    return module.removeprefix("snntorch.") if module.startswith("snntorch.") else None


def public(owner, without=()):
    return [name for name in vars(owner) if not name.startswith("_") and name not in without]


def members(path, kind):
    """The public methods and properties that snnTorch gives a class."""
    inherited = set(dir(nn.Module)) | set(dir(torch.autograd.Function))
    for parent in kind.__mro__:
        if origin(parent):
            for name in public(parent, inherited - {"forward"}):
                if not issubclass(kind, torch.autograd.Function):
                    yield f"{path}.{name}"


def names():
    """All that a program can import from snnTorch, and the members of its classes."""
    for module in ("", *MODULES):
        for name, value in vars(find(snntorch, module)).items():
            path = f"{module}.{name}" if module else name
            source = origin(value)
            if name.startswith("_") or source is None:
                continue
            yield path
            # Once is enough for what functional takes from its submodules.
            if inspect.isclass(value) and module.count(".") == 0:
                yield from members(path, value)


NAMES = sorted({x for x in names() if not any(f"{x}.".startswith(f"{y}.") for y in INTERNAL)})


@pytest.mark.parametrize("name", [*MODULES, "__version__", "SynapticDelay"])
def test_modules_are_reached_like_snntorchs(name):
    assert find(snn, name) is not None
    if name in MODULES:
        assert importlib.import_module(f"bitspike.{name}") is find(snn, name)


def test_what_is_left_out_is_there_in_snntorch():
    for name in INTERNAL:
        kind, _, member = name.rpartition(".")
        owner = getattr(snntorch, kind)(**BUILT[kind]) if kind in BUILT else find(snntorch, kind)
        assert hasattr(owner, member), name
    assert set(OTHER_MODULES) <= set(submodules())


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    theirs, ours = find(snntorch, name), find(snn, name)
    if not callable(theirs):
        assert not callable(ours)
        return
    assert callable(ours)
    # An autograd.Function is not called itself; here surrogates are classes that are.
    if not (inspect.isclass(theirs) and issubclass(theirs, torch.autograd.Function)):
        assert_takes_the_same(ours, theirs)


def assert_takes_the_same(ours, theirs):
    """Whether whatever ``theirs`` may be called with means the same to ``ours``."""
    wanted = list(inspect.signature(theirs).parameters.values())
    actual = list(inspect.signature(ours).parameters.values())
    assert len(actual) >= len(wanted), f"{inspect.signature(ours)} lacks {wanted[len(actual) :]}"
    for mine, their in zip(actual, wanted, strict=False):
        if their.kind is their.VAR_POSITIONAL:
            break  # What it takes by a star has names here.
        assert mine.kind is their.kind, (mine, their)
        if mine.kind not in (mine.VAR_POSITIONAL, mine.VAR_KEYWORD):
            assert mine.name == their.name, (mine, their)
        if inspect.isfunction(their.default):
            x = torch.rand(3)
            assert mine.default(x).equal(their.default(x)), (mine, their)
        elif their.default is not their.empty:
            assert mine.default == their.default, (mine, their)
    for more in actual[len(wanted) :]:
        optional = more.default is not more.empty
        assert optional or more.kind in (more.VAR_POSITIONAL, more.VAR_KEYWORD), more


def test_all_modules_are_built():
    assert {name for name in public(snntorch) if origin(getattr(snntorch, name))} == set(BUILT)


@pytest.mark.parametrize("name", BUILT)
def test_attributes_and_state(name):
    """What objects have, and what checkpoints and optimisers see."""
    theirs, ours = (getattr(library, name)(**BUILT[name]) for library in (snntorch, snn))
    wanted = {x for x in set(dir(theirs)) - set(dir(nn.Module())) if not x.startswith("_")}
    missing = {x for x in wanted if not hasattr(type(ours), x) and x not in dir(ours)}
    assert {f"{name}.{x}" for x in missing} <= set(INTERNAL)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    parameters = [dict(library.named_parameters()) for library in (theirs, ours)]
    assert set(parameters[0]) == set(parameters[1])


def test_losses_of_the_article_exist():
    """``mse_rate_loss`` has never been in snnTorch, which its authors' article names."""
    assert snn.functional.mse_rate_loss().__name__ == "mse_rate_loss"
