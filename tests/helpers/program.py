"""Programs in processes of their own, which may hang or crash."""

import os
import subprocess
import sys
import textwrap


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
