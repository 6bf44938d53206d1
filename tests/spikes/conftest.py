"""What tests of spikes share."""

import pytest

import bitspike as snn
from bitspike.ops import _native


@pytest.fixture
def unpacked():
    """The operations that unpack during the test."""
    before = snn.unpacked_operations()

    def since():
        after = snn.unpacked_operations()
        return {
            name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)
        }

    return since


@pytest.fixture
def products(monkeypatch):
    """The results of `_native.input_gradient`: whether weights were finite."""
    native, done = _native.input_gradient, []
    monkeypatch.setattr(
        _native,
        "input_gradient",
        lambda *args, **named: done.append(native(*args, **named)) or done[-1],
    )
    return done
