"""Processes named so that the name outlives them: by id and start, since the system uses an id again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

# What one engine takes: threads of Spark, or of DuckDB where lines are judged.
CORES = max(2, min(os.cpu_count() or 2, 4))


def noted(pid: int | None = None) -> dict[str, Any]:
    """What names a process, this one by default, in a file that others read: `pid` and `started` (epoch
    seconds).
    """
    process = psutil.Process(pid)
    return {"pid": process.pid, "started": process.create_time()}


def living(note: Mapping[str, Any] | None) -> psutil.Process | None:
    """The process that a note names, if it still runs; None for a zombie, and for another with its id."""
    if not note or note.get("pid") is None or note.get("started") is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(note["pid"])
        # The start is counted from the boot, whose time the system's clock may move by a little.
        is_same = abs(process.create_time() - note["started"]) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    return None
