"""What happened to releases: drafted, approved, rejected, published, amended. One line each, never changed.

`releases/journal.jsonl` lies beside the releases, so that none of their files ever changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from jobs.settings import Settings

DRAFTED, APPROVED, REJECTED, PUBLISHED, AMENDED = "drafted", "approved", "rejected", "published", "amended"
# A pupil was: of no release by itself, so its number is 0.
FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a release. `publish_at`: when an approved one goes out, if not at once."""

    release: int
    event: str
    at: str
    by: str
    note: str = ""
    publish_at: str = ""


def file(releases: Path) -> Path:
    """Where the lines stand."""
    return releases / "journal.jsonl"


def events(releases: Path, number: int | None = None) -> list[Event]:
    """All that happened, or what happened to one release, oldest first. A line that was cut short is none."""
    path = file(releases)
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            told: Mapping[str, Any] = orjson.loads(line)
            found.append(Event(**told))
        except (ValueError, TypeError):
            continue
    return [event for event in found if number is None or event.release == number]


def last(releases: Path, number: int, *kinds: str) -> Event | None:
    """The newest event of one of these kinds."""
    return next((event for event in reversed(events(releases, number)) if event.event in kinds), None)


def notes(releases: Path, number: int) -> list[Event]:
    """The public notes on a release, oldest first."""
    return [event for event in events(releases, number) if event.event == AMENDED]


def write(
    settings: Settings, number: int, event: str, by: str, note: str = "", publish_at: str = ""
) -> Event:
    """Add a line. The caller holds the lock of the publishers."""
    told = Event(number, event, datetime.now(UTC).isoformat(timespec="seconds"), by, note, publish_at)
    path = file(settings.releases)
    with path.open("ab") as lines:
        # A line that a kill cut short must not swallow this one.
        begin = b"\n" if lines.tell() and not path.read_bytes().endswith(b"\n") else b""
        lines.write(begin + orjson.dumps(vars(told)) + b"\n")
        lines.flush()
        os.fsync(lines.fileno())
    return told
