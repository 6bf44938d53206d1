"""Live events become the steps of the whole recording, and inputs of a stream."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import events


@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 8)), max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 60),
)
def test_pieces_are_the_whole(rows, cuts, window):
    t = torch.tensor([gap for gap, _ in rows], dtype=torch.int64).cumsum(0)
    x = torch.tensor([x for _, x in rows], dtype=torch.int64)
    options = {"sensor_size": (9, 1), "time_window": window}
    whole = events.from_events(t, x, include_incomplete=True, **options)
    binner = events.Binner(**options)
    edges = [0, *sorted(min(cut, len(t)) for cut in cuts), len(t)]
    parts = [binner.push(t[a:b], x[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    found = torch.cat([*(part.words for part in parts), binner.flush().words])
    assert torch.equal(found[:, 0], whole.words)
    assert binner.placed.events == len(rows)


def test_late_events_are_counted_and_left_out():
    binner = events.Binner((4, 1, 1), 10, start=0)
    assert len(binner.push([5, 25], [0, 1])) == 2
    assert len(binner.push([9, 21], [2, 3])) == 0
    assert binner.placed.early == 1
    assert binner.flush().flatten().tolist() == [0, 1, 0, 1]
    assert len(binner.push([22], [2])) == 0  # that step was returned
    assert binner.placed.early == 2


def test_silence_makes_empty_steps():
    binner = events.Binner((4, 1, 1), 10, start=0)
    assert len(binner.flush(until=9)) == 0
    assert binner.flush(until=30).shape == (3, 1, 1, 1, 4)
    assert binner.push([30, 41], [1, 2]).flatten().tolist() == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="more than the limit"):
        events.Binner((4, 1), 1, start=0, max_bytes=1000).push([10_000], [0])


def test_steps_go_into_a_stream():
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(16, 5), snn.Leaky(0.9, init_hidden=True)
    net = nn.Sequential(*layers).eval()
    with torch.no_grad():
        layers[1].weight.abs_()
    stream = snn.stream(net, torch.zeros(1, 1, 4, 4))
    t = torch.arange(0, 1000, 3)
    x, y = t % 4, t // 4 % 4
    binner = events.Binner((4, 4, 1), 50)
    found = []
    for start in range(0, len(t), 40):
        part = slice(start, start + 40)
        found += [stream(step) for step in binner.push(t[part], x[part], y[part])]
    found += [stream(step) for step in binner.flush()]
    whole = events.from_events(
        t, x, y, sensor_size=(4, 4, 1), time_window=50, include_incomplete=True
    )
    stream.reset()
    wanted = [stream(step.unsqueeze(0)) for step in whole.dense()]
    assert torch.equal(torch.stack(found), torch.stack(wanted))
    assert torch.stack(found).any()
