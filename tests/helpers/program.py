"""Programs in processes of their own, which may hang or crash."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path


def run_program(
    source: str, *, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess:
    """Runs Python source and returns what it printed.

    ``subprocess.TimeoutExpired`` is raised if it takes longer than ``timeout`` seconds.
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )


def assert_succeeds(source: str, *, timeout: float = 60, **environment: str) -> str:
    """Runs Python source that must end well, and returns its standard output."""
    result = run_program(source, timeout=timeout, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def torchrun(source: str | Path, *options: str, folder: Path, processes: int = 2) -> str:
    """Runs Python source, or a file, in several processes that find each other by loopback.

    They must end well.

    Returns:
        What they have printed.
    """
    if isinstance(source, str):
        program = folder / "program.py"
        program.write_text(source, encoding="utf-8")
    else:
        program = source
    launch = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *launch, str(program), *options],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **loopback},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
