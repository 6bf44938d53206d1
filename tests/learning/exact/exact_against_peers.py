"""Spike times and their gradients beside other libraries; ``make peer-test`` runs it, and no other.

The bench compares before it times, and here it compares alone.
"""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[3] / "benches" / "python"))

import spike_times


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", [True, False])
def test_layers_of_peers(first):
    """Numbers of spikes are equal, times to 1e-4 and gradients to 1e-3: one peer is float32."""
    torch.manual_seed(0)
    times = spike_times.LATEST * torch.rand(3, 12, dtype=torch.float64)
    weight = (torch.rand(12, 12, dtype=torch.float64) - 0.25) * 51 / 12
    cost = torch.randn(12, dtype=torch.float64)
    rivals, missing = spike_times.contest(spike_times.Given(times, weight, cost, first))
    assert not missing
    assert len(rivals["bitspike"]().times) > 12
    wrong = spike_times.Given(times, weight * 1.001, cost, first)
    with pytest.raises(AssertionError):
        spike_times.expect_equal(rivals["bitspike"](), spike_times.ours(wrong)())
