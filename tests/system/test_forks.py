"""Forks and the workers of a DataLoader, in processes of their own that are killed if they hang."""

import sys

import pytest
from programs import LAYER, TRAINING, unix

from helpers.program import assert_succeeds


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
