"""Triton kernels: right under Triton's interpreter, and compiled without a GPU."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

import bitspike as snn
from bitspike import program
from bitspike.program import triton_kernel
from bitspike.program.triton_backward import Asked, Kept, backward_source
from bitspike.program.triton_constants import Constant
from bitspike.program.triton_source import Wanted, forward_source
from helpers.program import assert_succeeds
from program.on_triton import Functions

triton = pytest.importorskip("triton")
TESTS = Path(__file__).parents[1]


def interpreted(module: str) -> str:
    """What a module prints whose kernels run in Triton's interpreter."""
    source = f"import runpy, sys; sys.path.insert(0, {str(TESTS)!r})\n"
    source += f"runpy.run_module('program.{module}', run_name='__main__')"
    hidden = {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    return assert_succeeds(source, timeout=180, **hidden)


def test_kernels_are_the_steps_in_torch():
    assert "are right, on cpu" in interpreted("on_triton")


def test_networks_train_by_the_code_of_the_cpu():
    assert "train as on the CPU, on cpu" in interpreted("networks_on_triton")


def test_changes_of_a_neuron_between_calls_are_seen():
    assert "are seen, on cpu" in interpreted("changes_on_triton")


def kernels():
    """Kernels of a simple neuron, and of all operations: name, source, whether it is simple."""
    for neuron in (snn.Synaptic(0.9, 0.8, reset_mechanism="zero"), Functions()):
        simple = isinstance(neuron, snn.Synaptic)
        forward, adjoint, _ = program.capture(neuron)
        states = len(forward.states)
        both = itertools.cycle(itertools.product((True, False), repeat=2))
        constants = tuple(Constant(*next(both)) for _ in forward.constants)
        wanted = Wanted(constants, packed=not simple, history=True, saved=True)
        yield "forward", forward_source(forward, wanted), simple
        asked = Asked(
            constants,
            at_rest=False,
            kept=Kept.HISTORY if simple else Kept.CHUNKS,
            grads=(True,) * (1 + states),
            later=(True,) * states,
            outputs=(True,) * len(adjoint.outputs),
            firsts=(True,) * states,
            sums=(True,) * len(adjoint.sums),
        )
        yield "backward", backward_source(forward, adjoint, asked), simple
    yield "forward", forward_source(forward, Wanted(constants, at_rest=True)), False
    no, none = (False,) * states, (False,) * len(adjoint.sums)
    firsts = (True,) * states
    asked = Asked(constants, True, Kept.HISTORY, (True, *no), no, (False,), firsts, none)
    yield "backward", backward_source(forward, adjoint, asked), False


def compiled(name, source):
    """A kernel as Triton compiles it for an H100 or an H200."""
    kernel = triton_kernel.function(source, name)
    words = {"spikes_at": "*i64"} if "words" in source else {}
    whole = {param.name: param.annotation_type for param in kernel.params if param.annotation}
    types = {argument: "*fp32" for argument in kernel.arg_names} | whole | words
    return triton.compile(
        triton.compiler.ASTSource(kernel, types),
        target=triton.backends.compiler.GPUTarget("cuda", 90, 32),
        options=triton_kernel.OPTIONS,
    )


def test_kernels_compile():
    """Without fused operations, which would round once what torch rounds twice."""
    for name, source, simple in kernels():
        text = compiled(name, source).asm["ptx"]
        assert "st.global" in text
        assert not simple or "fma.rn.f32" not in text


class Launcher:
    """Takes what Triton launches, in the place of a GPU."""

    launched: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, source, metadata):
        self.types = source.signature

    def __call__(self, *given):
        assert len(given) - 9 == len(self.types)
        self.launched.append((given[:3], given[9:]))


class Driver:
    """A GPU as far as Triton asks for one before it launches."""

    launcher_cls = Launcher
    utils = SimpleNamespace(
        load_binary=lambda *_: (1, 2, 32, 0, 1024),
        get_device_properties=lambda _: {"max_shared_mem": 1 << 17},
        unload_module=lambda _: None,
    )

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0

    def get_current_target(self):
        return triton.backends.compiler.GPUTarget("cuda", 90, 32)


def test_kernels_are_launched_alike_after_the_first_time(monkeypatch):
    """Triton looks at arguments once; then another layer's go to the same kernel."""
    active = triton.runtime.driver._active
    monkeypatch.setattr(triton.runtime.driver, "_active", active)
    triton.runtime.driver.set_active(Driver())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    forward, _, _ = program.capture(snn.LI(0.9))
    kernel = triton_kernel.Kernel(
        forward_source(forward, Wanted((Constant(True, False),))), "forward"
    )
    memory = torch.zeros(65)
    tensors = [memory[i:] for i in range(5)]  # wherever they lie
    for sizes in ((4, 8, 1), (1, 16, 1), (3, 1 << 40, 1)):
        kernel(0, (1, 2, 1), [*tensors, *sizes])
        assert Launcher.launched.pop() == ((1, 2, 1), (*tensors, *sizes))
    with monkeypatch.context() as patch:
        patch.setattr(kernel.function, "run", None)
        kernel(0, (1, 2, 1), [*tensors, 4, 8, 1])
    assert len(Launcher.launched) == 1
