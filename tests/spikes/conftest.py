"""What tests of spikes share."""

import pytest

import bitspike as snn


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
