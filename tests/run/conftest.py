"""Fixtures of tests that run networks over sequences."""

import pytest

from bitspike.ops import _native


@pytest.fixture
def small_blocks(monkeypatch):
    """Some samples at a time, although there are few."""
    monkeypatch.setattr("bitspike.run.stack._forward._BLOCK", 1 << 12)
    monkeypatch.setattr("bitspike.run.stack._forward._SHARED", 0)


@pytest.fixture
def gathers(monkeypatch):
    """Products never dense, however many spikes and few rows there are."""
    for name in ("prefers_dense", "convolve_prefers_dense"):
        monkeypatch.setattr(_native, name, lambda *_: False)
