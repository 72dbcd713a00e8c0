"""What is tied to an owner ends with it, and with it what it started; by process id, after SIGKILL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from jobs.spark import guard

# Like a server with a worker: it starts a process of its own, prints its id, and rests.
SERVER = """
import subprocess
print(subprocess.Popen(["sleep", "300"]).pid, flush=True)
__import__("time").sleep(300)
"""


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


@pytest.fixture
def family(owner: subprocess.Popen[bytes]) -> Iterator[list[psutil.Process]]:
    """A server tied to `owner`, and its worker."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SERVER], stdout=subprocess.PIPE, start_new_session=True
    ) as server:
        assert server.stdout is not None
        worker = psutil.Process(int(server.stdout.readline()))
        guard.tie(server.pid, owner.pid)
        yield [psutil.Process(server.pid), worker]
        for process in (server, worker):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_the_whole_session_ends_with_a_killed_owner(
    owner: subprocess.Popen[bytes], family: list[psutil.Process]
) -> None:
    assert psutil.wait_procs(family, 0.3)[0] == [], "the owner lives"
    owner.kill()
    assert psutil.wait_procs(family, 20)[1] == []


def test_workers_end_with_a_killed_server_and_the_owner_goes_on(
    owner: subprocess.Popen[bytes], family: list[psutil.Process]
) -> None:
    family[0].kill()
    assert psutil.wait_procs(family, 20)[1] == []
    assert owner.poll() is None


def test_nothing_is_tied_to_an_owner_that_has_ended(owner: subprocess.Popen[bytes]) -> None:
    owner.kill()
    owner.wait()
    with pytest.raises(ProcessLookupError):
        guard.tie(psutil.Process().pid, owner.pid)
