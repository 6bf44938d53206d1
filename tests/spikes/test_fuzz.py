"""Some of the chains of `make fuzz`."""

import pytest
from fuzz import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_random_chains_of_operations_agree(seed):
    assert fuzz(500, seed) >= 500
