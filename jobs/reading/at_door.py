"""What is refused before anything of it is kept: told by a file's container, none of its rows read."""

from __future__ import annotations

from pathlib import Path

from jobs.declare import reasons
from jobs.files import is_hidden
from jobs.reading import containers
from jobs.reading.sheet import LARGEST_MEMBER, UnreadableError


def refusal_at_door(name: str, content: bytes | Path) -> str | None:
    """Return why a file is not taken at all, as a reason (`jobs.declare.reasons`); None where it may be read.

    It is what reading it would end in: encrypted, with macros, a trap, damaged, empty, or no table. `name` is
    the file's own; the content decides what it is.
    """
    if is_hidden(name):
        return reasons.text("aside_hidden")
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > LARGEST_MEMBER:
        return reasons.text("file_too_large", megabytes=LARGEST_MEMBER // 1024**2)
    remarks: list[str] = []
    may_be_read = False
    try:
        for _ in containers.leaves(content if isinstance(content, bytes) else content.read_bytes(), remarks):
            may_be_read = True
    except UnreadableError as error:
        return error.reason
    if may_be_read:
        return None
    return remarks[0] if remarks else reasons.text("file_without_data")
