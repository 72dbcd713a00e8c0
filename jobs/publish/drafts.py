"""Drafts: releases that are complete, checked and not published, and the manifests of those that went.

`releases/drafts/<n>/` is a whole release; beside it `<n>.cells.json` keeps the hidden counts until it is
published. There is one draft at a time: the next one takes its place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from jobs.files import fsync, replacing
from jobs.publish import journal
from jobs.publish import release as releases
from jobs.publish.release import DRAFTS, Release
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from jobs.publish.protect.archive import Cells, GroupKey

# Why a draft is not published.
WAITS, REJECTED, SCHEDULED = "waits", "rejected", "scheduled"


def folder(root: Path) -> Path:
    """The folder of the drafts."""
    return root / DRAFTS


def numbers(root: Path) -> list[int]:
    """The numbers of the drafts, newest first."""
    return releases.numbers(folder(root)) if folder(root).is_dir() else []


def waiting(settings: Settings) -> Release | None:
    """The draft, whatever was said of it; None where there is none."""
    for number in numbers(settings.releases):
        with suppress(FileNotFoundError):
            return releases.read(folder(settings.releases) / str(number))
    return None


def find(settings: Settings, number: int) -> Release | None:
    """The draft of that number, or None."""
    found = waiting(settings)
    return found if found is not None and found.number == number else None


def state(settings: Settings, number: int) -> str:
    """What was last said of a draft."""
    said = journal.last(settings.releases, number, journal.APPROVED, journal.REJECTED)
    if said is None:
        return WAITS
    if said.event == journal.REJECTED:
        return REJECTED
    return SCHEDULED if said.publish_at else WAITS


def publish_at(settings: Settings, number: int) -> datetime | None:
    """The moment for which a draft was approved."""
    said = journal.last(settings.releases, number, journal.APPROVED, journal.REJECTED)
    return datetime.fromisoformat(said.publish_at) if said and said.publish_at else None


def is_due(settings: Settings, number: int) -> bool:
    """Whether a draft was approved for a moment that has come."""
    moment = publish_at(settings, number)
    return moment is not None and moment <= datetime.now(UTC)


def approves_itself(settings: Settings, draft: Release) -> bool:
    """Whether no person is needed: the site asks for none, and no check is red."""
    # What measures a checklist loads an engine, which `status` must not.
    from jobs.publish import checklist

    is_red = checklist.state(draft.manifest["checklist"]) == checklist.RED
    said = journal.last(settings.releases, draft.number, journal.APPROVED, journal.REJECTED)
    return (
        settings.release.approval == "checklist" and not is_red and (said is None or said.event != REJECTED)
    )


def keep(settings: Settings, aside: Path, number: int, shown: Mapping[GroupKey, Cells]) -> Release:
    """Move a complete folder among the drafts, in place of any other one."""
    root = folder(settings.releases)
    root.mkdir(exist_ok=True)
    rows = [
        [*group, unit, column, count, why]
        for group, own in shown.items()
        for (unit, column), (count, why) in own.items()
    ]
    empty = [list(group) for group, own in shown.items() if not own]
    with replacing(_cells_file(settings, number)) as fresh:
        fresh.write_bytes(orjson.dumps({"cells": rows, "empty": empty}))
        fsync(fresh)
    aside.rename(root / str(number))
    fsync(root)
    for earlier in numbers(settings.releases)[1:]:
        shutil.rmtree(root / str(earlier))
        _cells_file(settings, earlier).unlink(missing_ok=True)
    draft = releases.read(root / str(number))
    journal.write(settings, number, journal.DRAFTED, draft.run_id)
    return draft


def cells(settings: Settings, number: int) -> dict[GroupKey, Cells]:
    """The counts of the draft's public tables, with why some are hidden."""
    told = orjson.loads(_cells_file(settings, number).read_bytes())
    found: dict[GroupKey, Cells] = {tuple(group): {} for group in told["empty"]}
    for table, panel, group, unit, column, count, why in told["cells"]:
        found.setdefault((table, panel, group), {})[(unit, column)] = (count, why)
    return found


def take_back(settings: Settings, release: Release) -> None:
    """Make a draft again of a release that could not be pointed to."""
    if _cells_file(settings, release.number).is_file():
        folder(settings.releases).mkdir(exist_ok=True)
        release.folder.rename(folder(settings.releases) / str(release.number))
    else:
        shutil.rmtree(release.folder, ignore_errors=True)


def remove(settings: Settings) -> None:
    """Remove every draft."""
    shutil.rmtree(folder(settings.releases), ignore_errors=True)


def unknown(settings: Settings, number: int) -> UserError:
    """What a person is told who names no draft."""
    found = waiting(settings)
    now = f"the draft that waits is release {found.number}" if found else "no draft waits"
    return UserError(
        f"release {number} is no draft: {now}.", f"`{settings.command('release', 'list')}` shows all."
    )


def keep_manifest(settings: Settings, number: int) -> None:
    """Keep the manifest of a release that goes: with it the release can be made again."""
    target = _past_file(settings, number)
    target.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError), replacing(target) as fresh:
        shutil.copyfile(settings.releases / str(number) / "manifest.json", fresh)


def past_manifest(settings: Settings, number: int) -> dict[str, object] | None:
    """The manifest of a release that is kept no longer."""
    with suppress(FileNotFoundError):
        found: dict[str, object] = orjson.loads(_past_file(settings, number).read_bytes())
        return found
    return None


def past_numbers(settings: Settings) -> list[int]:
    """The releases that went and whose manifests are kept, newest first."""
    names: Iterable[Path] = (settings.releases / "past").glob("*.json")
    return sorted((int(path.stem) for path in names if path.stem.isdecimal()), reverse=True)


def _past_file(settings: Settings, number: int) -> Path:
    return settings.releases / "past" / f"{number}.json"


def _cells_file(settings: Settings, number: int) -> Path:
    return folder(settings.releases) / f"{number}.cells.json"
