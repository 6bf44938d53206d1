"""Neurons as Triton kernels: on the GPU that is there, or else in Triton's interpreter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import bitspike as snn
from bitspike.neurons.base import packing, usual_call
from bitspike.program import native_layer, triton_kernel, triton_layer

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Whatever neurons do natively on a CPU, they do inside as on a GPU, also where none is."""
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            patch.setattr(
                snn.SpikingNeuron, "_refusal", lambda *_: "the kernels of Triton are tested"
            )
            for native in ("single_step", "native_sequence"):
                patch.setattr(usual_call, native, lambda *_: None)
            patch.setattr(packing, "like_native", lambda spikes, sequence: spikes)
            patch.setattr(native_layer, "takes", lambda x: False)
            patch.setattr(triton_layer, "takes", lambda x: True)
        yield


@contextmanager
def launches() -> Iterator[list[str]]:
    """The kernels that are launched inside, by their names."""
    found: list[str] = []
    launch = triton_kernel.Kernel._launch

    def counted(self: triton_kernel.Kernel, *given: Any) -> None:
        found.append(self.function.__name__)
        launch(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_kernel.Kernel, "_launch", counted)
        yield found
