"""Threads of Python, in processes of their own that are killed if they hang."""

from programs import LARGE_KERNEL, LAYER, TRAINING

from helpers.program import assert_succeeds


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
