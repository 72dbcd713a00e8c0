"""What an entry of landing is: the day and number of a delivery's name, a file to read, a readable name."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from jobs.declare import reasons
from jobs.files import LARGEST_FILE, is_hidden, readable

# A busy office hands in thousands of events a day, each of them a delivery.
DELIVERY = re.compile(r"(\d{4}-\d{2}-\d{2})_([1-9]\d{0,5})", re.ASCII)
# Nothing was received before: a day this early is a slip of the hand.
EARLIEST = date(1970, 1, 1)


def entries_of(folder: str | Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing where there is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def why_unread(entry: os.DirEntry[str]) -> str | None:
    """Why an entry of a delivery is no file to read, as a reason; None where it is one."""
    if is_hidden(entry.name):
        return reasons.text("aside_hidden")
    if entry.is_symlink():
        return reasons.text("aside_link")
    if entry.is_dir():
        return reasons.text("aside_deep")
    if not entry.is_file() or not os.access(entry, os.R_OK):
        return reasons.text("aside_no_file")
    if entry.stat().st_size > LARGEST_FILE:
        return reasons.text("file_too_large", megabytes=LARGEST_FILE // 1024**2)
    return None


def day_and_number(folder: str) -> tuple[date, int] | None:
    """The day and number that a folder is named by; None where it is no delivery."""
    match = DELIVERY.fullmatch(folder)
    if not match:
        return None
    try:
        day = date.fromisoformat(match[1])
    except ValueError:
        return None
    return (day, int(match[2])) if day >= EARLIEST else None


def readable_names(names: Iterable[str]) -> dict[str, str]:
    """Name on the disk -> readable name, no two alike; names that are readable already stay."""
    listed = sorted(names, key=lambda name: (readable(name) != name, os.fsencode(name)))
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in listed:
        shown = readable(name)
        if shown in taken:
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
            shown = f"{Path(shown).stem}~{digest}{Path(shown).suffix}"
        found[name] = shown
        taken.add(shown)
    return found
