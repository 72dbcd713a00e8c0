"""A server ends with its last user, and with it what it started; by process id, after SIGKILL."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs.settings import ROOT, Settings, load
from jobs.spark import guard, record, server

# Like a server with a worker: it starts a process of its own, prints its id, and rests.
SERVER = """
import subprocess
print(subprocess.Popen(["sleep", "300"]).pid, flush=True)
__import__("time").sleep(300)
"""
USER = """
import fcntl, sys, time
held = open(sys.argv[1], "a")
fcntl.flock(held, fcntl.LOCK_SH)
print("uses it", flush=True)
time.sleep(300)
"""


@pytest.fixture
def use(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """`use()`: one more process that uses the server."""
    users: list[subprocess.Popen[bytes]] = []

    def one() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", USER, str(guard.users_file(tmp_path))]
        user = subprocess.Popen(command, stdout=subprocess.PIPE)
        users.append(user)
        assert user.stdout is not None
        assert user.stdout.readline() == b"uses it\n"
        return user

    yield one
    for user in users:
        user.kill()
        user.communicate()


@pytest.fixture
def first(use: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    return use()


@pytest.fixture
def family(first: subprocess.Popen[bytes], tmp_path: Path) -> Iterator[list[psutil.Process]]:
    """A server that `first` uses, and its worker."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SERVER], stdout=subprocess.PIPE, start_new_session=True
    ) as server:
        assert server.stdout is not None
        worker = psutil.Process(int(server.stdout.readline()))
        (tmp_path / "spark.json").write_text("{}")
        (tmp_path / "spark" / "tmp").mkdir(parents=True)
        guard.tie(server.pid, tmp_path)
        yield [psutil.Process(server.pid), worker]
        for process in (server, worker):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_the_whole_session_ends_with_the_last_killed_user(
    first: subprocess.Popen[bytes],
    family: list[psutil.Process],
    use: Callable[[], subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    second = use()
    first.kill()
    first.wait()
    third = use()
    second.kill()
    second.wait()
    assert psutil.wait_procs(family, 0.3)[0] == [], "one user lives"
    third.kill()
    assert psutil.wait_procs(family, 20)[1] == []
    # Who comes now waits until nothing is left that could be taken for a server, or for one that died.
    with guard.users_file(tmp_path).open("a") as next_user:
        fcntl.flock(next_user, fcntl.LOCK_SH)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["spark.users"]


def test_workers_end_with_a_killed_server_and_its_users_go_on(
    first: subprocess.Popen[bytes], family: list[psutil.Process], tmp_path: Path
) -> None:
    family[0].kill()
    assert psutil.wait_procs(family, 20)[1] == []
    assert first.poll() is None
    assert (tmp_path / "spark.json").exists(), "the death must be seen"


def test_nothing_is_tied_to_a_server_that_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with pytest.raises(ProcessLookupError):
        guard.tie(ended.pid, tmp_path)


# --- a real server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Settings]:
    site = load("beijing", home=tmp_path / "home").prepare()
    yield site
    server.stop(site)


# A task of the schedule: it goes on when it is told.
TASK = """
import sys
from jobs.settings import load
from jobs.spark import server
site = load("beijing", home=sys.argv[1])
with server.session(site) as spark:
    assert spark.range(3).count() == 3
    print(server.running(site).pid, flush=True)
    sys.stdin.readline()
    assert spark.range(4).count() == 4
print("done", flush=True)
"""


def _task(own: Settings) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TASK, str(own.home.parent)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_tasks_side_by_side_share_a_server_that_ends_with_the_last(own: Settings) -> None:
    """The first to come is the first to go, as scheduled tasks do; the last one is killed."""
    tasks = [_task(own)]
    try:
        first_pid = int(tasks[0].stdout.readline())  # type: ignore[union-attr]
        tasks += [_task(own), _task(own)]
        assert [int(task.stdout.readline()) for task in tasks[1:]] == [first_pid] * 2  # type: ignore[union-attr]
        for task in tasks[:2]:
            said, errors = task.communicate("go on\n", timeout=60)
            assert (said, task.returncode) == ("done\n", 0), errors
            started = server.running(own)
            assert started is not None, "the server ended while a task used it"
            assert (started.pid, started.restarts) == (first_pid, 0)
        family = [psutil.Process(first_pid), *psutil.Process(first_pid).children(recursive=True)]
        tasks[2].kill()
        assert psutil.wait_procs(family, 30)[1] == []
        # Who comes now waits for the guard.
        server._use(own).close()
        assert not record.path(own).exists(), "the end of its users is no death"
    finally:
        for task in tasks:
            task.kill()
            task.communicate()
