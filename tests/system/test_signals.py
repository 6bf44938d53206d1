"""Interrupts and other signals, in processes of their own that are killed if they hang."""

import pytest
from programs import LARGE_KERNEL, TRAINING, unix

from helpers.program import assert_succeeds


@unix
def test_interrupts_are_delivered():
    assert_succeeds(
        LARGE_KERNEL.format(steps=2_000)
        + """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        lif(x)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("no KeyboardInterrupt")
spikes = lif(x[:10])
assert spikes.shape == (10, 32, 2000)
"""
    )


@unix
@pytest.mark.parametrize("backward", [False, True])
def test_an_interrupt_ends_a_long_kernel(backward):
    """One call of many seconds, on one thread; the states of the module stay what they were."""
    assert_succeeds(
        LARGE_KERNEL.format(steps=200_000)
        + f"""
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
lif.reset_mem()
lif(torch.rand(3, 32, 2000))
before = lif.mem.clone()
run = lambda: lif(x)
if {backward}:
    learned = snn.Leaky(beta=0.9, learn_beta=True, multi_step=True, init_hidden=True)
    total = learned(x[:20_000]).sum()
    run = total.backward
sent = []

def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(0.7, interrupt).start()
try:
    run()
except KeyboardInterrupt:
    late = time.perf_counter() - sent[0]
else:
    raise SystemExit("no KeyboardInterrupt")
assert late < 1.0, late  # 0.1 on a quiet machine
assert lif.mem.equal(before)
assert lif(torch.rand(3, 32, 2000)).shape == (3, 32, 2000)
""",
        timeout=120,
    )


@unix
def test_handlers_of_signals_may_raise_what_they_like():
    assert_succeeds(
        LARGE_KERNEL.format(steps=400_000)
        + """
import signal

class Late(Exception):
    pass

def handler(*_):
    lif2(x[:10])  # a handler may run kernels itself
    raise Late

lif2 = snn.Leaky(beta=0.9, multi_step=True)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    lif(x)
except Late:
    raise SystemExit(0)
raise SystemExit("the handler's exception is lost")
"""
    )


@unix
def test_signal_handlers_beside_allocations():
    assert_succeeds(
        TRAINING
        + """
calls, wrong = 0, 0
def handler(*_):
    global calls, wrong
    calls += 1
    wrong += not other(x)[1].equal(wanted)
    signal.setitimer(signal.ITIMER_REAL, 0.0007 + 0.00001 * (calls % 50))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0007)
end = time.time() + 4
while time.time() < end:
    wrong += not lif(x)[1].equal(wanted)
signal.setitimer(signal.ITIMER_REAL, 0)
assert calls > 100 and not wrong, (calls, wrong)
"""
    )
