"""Forks, workers, threads and signals, each in a process of its own that is killed if it hangs."""

import sys

import pytest

from helpers.program import assert_succeeds

unix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and signals")

LAYER = """
import os, sys, threading, time, warnings
import torch
from torch import nn
import bitspike as snn

def case(density, seed=0, size=300):
    \"\"\"A layer large enough for threads, its input, and gradients of its outputs.\"\"\"
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(20, 32, size, generator=generator) < density).float()
    net = nn.Sequential(
        nn.Linear(size, 400), snn.Leaky(beta=0.9, multi_step=True, learn_beta=True)
    )
    net[0].bias.requires_grad_(False).fill_(0.1)  # torch would sum its gradient in threads
    net[0].weight.data = torch.rand(400, size, generator=generator) * 0.8
    gradients = [torch.rand(20, 32, 400, generator=generator) for _ in range(2)]
    return net, x, gradients

def results(net, x, gradients):
    \"\"\"The bits of forward and backward. torch itself computes nothing large here.\"\"\"
    net.zero_grad()
    spikes, membranes = net(snn.SpikeTensor.from_dense(x))
    torch.autograd.backward([spikes, membranes], gradients)
    found = [spikes.dense(), membranes.detach(), net[0].weight.grad, net[1].beta.grad]
    return [y.numpy().tobytes() for y in found]
"""


@unix
@pytest.mark.parametrize("density", [0.03, 0.9])
def test_forked_children_compute_the_same(density):
    assert_succeeds(
        LAYER
        + f"""
torch.set_num_threads(2)
layer = case({density})
wanted = results(*layer)
child = os.fork()
if child == 0:
    try:
        code = 0 if results(*layer) == wanted else 3
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        code = 4
    os._exit(code)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert results(*layer) == wanted
"""
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_data_loader_workers(method, tmp_path):
    if method == "fork" and sys.platform == "win32":
        pytest.skip("needs fork")
    program = tmp_path / "program.py"
    program.write_text(
        LAYER
        + f"""
class Trains(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return results(*case(0.1, seed=i, size=100))

if __name__ == "__main__":
    torch.set_num_threads(2)
    wanted = [Trains()[i] for i in range(4)]
    loader = torch.utils.data.DataLoader(
        Trains(), batch_size=None, num_workers=2, multiprocessing_context={method!r}
    )
    found = list(loader)
    assert len(found) == 4
    assert found == wanted
"""
    )
    assert_succeeds(
        f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')", timeout=90
    )


@unix
def test_encoders_in_workers_give_packed_spikes():
    assert_succeeds("""
        import torch, bitspike as snn
        from bitspike import spikegen

        class Encoded(torch.utils.data.Dataset):
            def __len__(self):
                return 3
            def __getitem__(self, i):
                torch.manual_seed(i)
                return spikegen.rate(torch.rand(4, 100), num_steps=10, packed=True).words

        wanted = [Encoded()[i] for i in range(3)]
        loader = torch.utils.data.DataLoader(
            Encoded(), batch_size=None, num_workers=1, multiprocessing_context="fork"
        )
        for a, b in zip(loader, wanted, strict=True):
            assert a.equal(b)
    """)


def test_eight_threads_get_equal_bits():
    assert_succeeds(
        LAYER
        + """
wanted = results(*case(0.1))
found, failed = [], []

def work():
    try:
        found.extend(results(*case(0.1)) == wanted for _ in range(5))
    except BaseException as error:
        failed.append(error)

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
assert found == [True] * 40, found
"""
    )


LARGE_KERNEL = """
import threading, time
import torch, bitspike as snn
torch.set_num_threads(1)
x = torch.rand(1, 32, 2000).expand({steps}, 32, 2000)
lif = snn.Leaky(beta=0.9, multi_step=True, init_hidden=True)
lif(x[:10])
"""


def test_other_threads_run_while_a_kernel_does():
    """The other thread counts during one call, in which it could not move with the GIL held."""
    assert_succeeds(
        LARGE_KERNEL.format(steps=20_000)
        + """
ticks, done = [], threading.Event()

def tick():
    while not done.is_set():
        ticks.append(time.perf_counter())
        time.sleep(0.001)

thread = threading.Thread(target=tick)
thread.start()
time.sleep(0.05)
start = time.perf_counter()
lif(x)
end = time.perf_counter()
done.set()
thread.join()
middle = [t for t in ticks if start + (end - start) * 0.2 < t < start + (end - start) * 0.8]
assert end - start > 0.02, end - start
assert len(middle) >= 3, (end - start, len(middle))
"""
    )


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


TRAINING = """
import os, signal, threading, time, warnings
warnings.simplefilter("ignore")
import torch, bitspike as snn
torch.set_num_threads(1)
x = torch.rand(20, 64, 300)  # results of more than a megabyte are recycled
lif, other = snn.Leaky(0.9, multi_step=True), snn.Leaky(0.9, multi_step=True)
wanted = lif(x)[1]
"""


@unix
def test_forks_beside_allocating_threads():
    assert_succeeds(
        TRAINING
        + """
done = threading.Event()
def train():
    while not done.is_set():
        other(x)
threads = [threading.Thread(target=train) for _ in range(2)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(60):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os._exit(0 if lif(x)[1].equal(wanted) else 1)
    failed += os.waitpid(child, 0)[1] != 0
done.set()
for thread in threads:
    thread.join()
assert not failed, failed
""",
        timeout=120,
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


def test_threads_that_allocate_at_once_do_not_share_memory():
    assert_succeeds(
        TRAINING
        + """
wrong = []
def train():
    for _ in range(100):
        results = [lif(x)[1] for _ in range(3)]
        wrong.extend(i for i, y in enumerate(results) if not y.equal(wanted))
threads = [threading.Thread(target=train) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
"""
    )
