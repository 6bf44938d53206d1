"""Fixtures that every test may use."""

import pytest
import torch
from hypothesis import register_random, settings

from bitspike import reference_path
from bitspike.ops import _native, buffer

# How long an example takes depends on the machine, and says nothing about it being right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class TorchNumbers:
    """The random numbers of torch, which each example starts anew: one that failed fails again."""

    seed = staticmethod(torch.manual_seed)
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


# Hypothesis only refers to it weakly.
torch_numbers = TorchNumbers()
register_random(torch_numbers)


@pytest.fixture(autouse=True)
def seed():
    """Each test draws the same random numbers, in whatever order tests run."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    """What is told once only is told in each test."""
    monkeypatch.setattr(reference_path, "_told", set())


@pytest.fixture
def threads():
    """``torch.set_num_threads``, undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def force_isa():
    """``_native.force_isa``, undone after the test."""
    before = _native.describe()["isa"]
    yield _native.force_isa
    _native.force_isa(before)


@pytest.fixture
def strict(monkeypatch):
    """Leaving the native kernels raises."""
    monkeypatch.setenv("BITSPIKE_STRICT", "1")


@pytest.fixture(scope="module")
def poisoned():
    """Uninitialised memory holds NaN, or ones in every bit, so that a forgotten output shows."""
    with torch.device("meta"):
        torch.empty(
            ()
        )  # When first asked for another device, torch notes which functions allocate.
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((buffer, "empty"), (torch, "empty"), (torch, "empty_like")):
            patch.setattr(owner, name, _poisoning(getattr(owner, name)))
        yield


def _poisoning(allocate):
    def allocate_poisoned(*args, **kwargs):
        memory = allocate(*args, **kwargs)
        if memory.device.type == "cpu" and type(memory) is torch.Tensor:
            with torch.no_grad():
                memory.fill_(float("nan") if memory.is_floating_point() else -1)
        return memory

    return allocate_poisoned
