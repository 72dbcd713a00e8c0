"""End a server, and all of its session, when nobody uses it any more: also when its users were killed.

    python guard.py <descriptor of the users' file> <descriptor of the server> <process id> <run folder>

Whoever uses a site's server holds a shared lock on `run/spark.users`, which the kernel takes back when he
ends. Started by `jobs.spark.server` beside each server, this process waits for the lock that only one can
hold, or for the server's own end. The server's descriptor names it without doubt, whatever ids are used again
meanwhile (`pidfd_open`).
"""

from __future__ import annotations

import argparse
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path


def users_file(run: Path) -> Path:
    """The file whose shared locks are the users of the server of the site with this `run` folder."""
    return run / "spark.users"


def tie(pid: int, run: Path) -> None:
    """From now on the server `pid`, which leads a session of its own, ends with its last user.

    The caller is one. Raises ProcessLookupError when the server has ended.
    """
    own = os.pidfd_open(pid)
    # Opened here, and not by a user: a lock belongs to who opened the file.
    users = os.open(users_file(run), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        subprocess.Popen(
            # Isolated and without packages: it starts in 15 ms and holds 7 MB.
            [sys.executable, "-I", "-S", __file__, str(users), str(own), str(pid), str(run)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(users, own),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(users)
        os.close(own)


def main() -> None:
    """Wait until nobody uses the server, then end it; who comes meanwhile waits, and finds none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("users", "own", "pid"):
        parser.add_argument(name, type=int)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    users, own, pid, run = given.users, given.own, given.pid, given.run
    is_ours = threading.Event()
    threading.Thread(target=_end_with, args=[own, pid, is_ours], daemon=True).start()
    fcntl.flock(users, fcntl.LOCK_EX)
    is_ours.set()
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(own, signal.SIGKILL)
    select.select([own], [], [])
    _end_session(pid)
    # Without its record nobody takes this end for a death.
    (run / "spark.json").unlink(missing_ok=True)
    for left in ("spark", "sessions"):
        shutil.rmtree(run / left, ignore_errors=True)


def _end_with(own: int, pid: int, is_ours: threading.Event) -> None:
    """When the server ends by itself, or its last user has stopped it, end its workers, and go."""
    select.select([own], [], [])
    if not is_ours.is_set():
        _end_session(pid)
        os._exit(0)


def _end_session(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
