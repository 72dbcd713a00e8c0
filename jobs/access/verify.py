"""Whether the trail is as it was written: what was changed, removed, put in, moved or cut off, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from jobs.access.trail import START, TORN, UNANCHORED, folder, hashed, head, segments
from jobs.settings import Settings


@dataclass(frozen=True)
class Fault:
    """A place of the trail, and what is wrong there."""

    segment: str
    line: int
    words: str


@dataclass
class Verified:
    """What was found. `number` and `hash` are the last line's: kept elsewhere, they prove all before it."""

    lines: int = 0
    number: int = 0
    hash: str = START
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)


def verify(settings: Settings, anchor: str = "") -> Verified:
    """Read the whole trail. `anchor`: a hash that was noted earlier, and must be that of a line."""
    of = folder(settings)
    found = Verified()
    is_anchored = not anchor
    ends: dict[str, int] = {}
    for path in segments(settings):
        ends[path.stem] = 0
        with path.open("rb") as file:
            for place, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    words = "is half written: the next line sets it aside"
                    found.notes.append(Fault(path.name, place, words))
                    break
                ends[path.stem] += len(raw)
                _take(found, path, place, raw[:-1])
                is_anchored = is_anchored or found.hash == anchor
    _compare_head(found, of, ends)
    if not is_anchored:
        found.faults.append(Fault("-", 0, "no line has the hash that was noted: lines are gone or changed"))
    return found


def _take(found: Verified, path: Path, place: int, raw: bytes) -> None:
    """One line: does it follow the one before?"""
    found.lines += 1
    try:
        told: dict[str, Any] = orjson.loads(raw)
        number, previous, act = int(told["n"]), told["prev"], told.get("act")
    except (ValueError, KeyError, TypeError):
        found.faults.append(Fault(path.name, place, "is no line of a trail: it was changed"))
        found.number, found.hash = found.number + 1, hashed(raw)
        return
    due = found.number + 1
    if number == due and previous != found.hash:
        words = "does not hold the hash of the line before it: one of the two was changed"
        if due == 1:
            words = "is not how a trail begins"
        found.faults.append(Fault(path.name, place, words))
    elif number > due:
        found.faults.append(Fault(path.name, place, f"is number {number}: {number - due} before it are gone"))
    elif number < due:
        found.faults.append(Fault(path.name, place, f"is number {number} after {due - 1}: moved or put in"))
    if act == TORN:
        words = f"tells that {told.get('bytes')} bytes behind it were torn by a kill, now {told.get('aside')}"
        found.notes.append(Fault(path.name, place, words))
        if not (path.parent / str(told.get("aside"))).is_file():
            found.faults.append(Fault(path.name, place, "names a torn end that is gone"))
    if act == UNANCHORED:
        found.faults.append(Fault(path.name, place, "tells that head.json was lost: lines may be cut off"))
    found.number, found.hash = number, hashed(raw)


def _compare_head(found: Verified, of: Path, ends: dict[str, int]) -> None:
    """A trail that was cut short ends before the last line that was acknowledged."""
    last = head(of)
    if last is None:
        if found.lines:
            found.faults.append(Fault("head.json", 0, "is gone: the last lines may be cut off"))
        return
    end = ends.get(last.segment, -1)
    if end < last.end or found.number < last.number:
        words = f"ends before line number {last.number}, which was acknowledged: lines are cut off"
        found.faults.append(Fault(f"{last.segment}.jsonl", 0, words))
    elif (end, found.number) == (last.end, last.number) and found.hash != last.hash:
        found.faults.append(Fault(f"{last.segment}.jsonl", 0, f"line number {last.number} was changed"))
