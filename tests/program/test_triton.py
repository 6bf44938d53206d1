"""Triton kernels: right under Triton's interpreter, and compiled without a GPU."""

import itertools
from pathlib import Path

import pytest

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


def kernels():
    """Kernels of a simple neuron, and of all operations: name, source, whether it is simple."""
    for neuron in (snn.Synaptic(0.9, 0.8, reset_mechanism="zero"), Functions()):
        simple = isinstance(neuron, snn.Synaptic)
        forward, adjoint, _ = program.capture(neuron)
        states = len(forward.states)
        both = itertools.cycle(itertools.product((True, False), repeat=2))
        constants = tuple(Constant(*next(both)) for _ in forward.constants)
        wanted = Wanted(constants, packed=True, history=True, saved=True)
        yield "forward", forward_source(forward, wanted), simple
        for kept in Kept if simple else (Kept.CHUNKS,):
            asked = Asked(
                constants,
                at_rest=False,
                kept=kept,
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
