"""End a process, and all of its session, with the process that owns it: also when that one is killed.

    python guard.py <descriptor of the owner> <descriptor of the process> <process id>

Started by `jobs.spark.server` beside each server. It only waits: for the owner's end, or for the process's.
Descriptors name processes without doubt, whatever ids are used again meanwhile (`pidfd_open`).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress


def tie(pid: int, owner: int) -> None:
    """From now on the process `pid`, which leads a session of its own, ends with `owner`.

    Raises ProcessLookupError when either has ended.
    """
    owners, own = os.pidfd_open(owner), os.pidfd_open(pid)
    try:
        subprocess.Popen(
            # Isolated and without packages: it starts in 15 ms and holds 7 MB.
            [sys.executable, "-I", "-S", __file__, str(owners), str(own), str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(owners, own),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(owners)
        os.close(own)


def main() -> None:
    """Wait for the first end of the two, then end what is left of the session."""
    owner, own, pid = (int(argument) for argument in sys.argv[1:])
    select.select([owner, own], [], [])
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(own, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
