"""Set a damaged release aside, point to the newest sound one, and record published runs anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jobs.lake import runs, spare, tables
from jobs.publish import publication, release
from jobs.publish.release import BrokenReleaseError, Release
from jobs.repair.finding import Finding, Say
from jobs.settings import Settings


def mend(settings: Settings, found: Sequence[Finding], aside: Callable[[Path], None], tell: Say) -> bool:
    """Mend what concerns releases; returns whether there was anything."""
    bad = sorted({one.subject for one in found if one.mend in ("aside", "lose") and _is_of_release(one)})
    for place in bad:
        aside(settings.releases / place.partition("/")[2])
        spare.drop(settings, place)
        tell(f"{place}: set aside; `./edulake run` publishes its figures again from the lake")
    is_wrong = any(one.mend == "point" for one in found)
    if not bad and not is_wrong:
        return False
    _point(settings, aside, tell, is_wrong=is_wrong)
    return True


def _is_of_release(one: Finding) -> bool:
    return one.place.startswith("releases/") and one.wrong != "pointer"


def _point(settings: Settings, aside: Callable[[Path], None], tell: Say, *, is_wrong: bool) -> None:
    pointer = settings.releases / "CURRENT"
    try:
        if not is_wrong and release.current(settings) is not None:
            return
    except BrokenReleaseError:
        pass
    sound = _newest_sound(settings)
    aside(pointer)
    if sound is None:
        tell("no sound release is left: `./edulake run` publishes one from the lake")
        return
    publication.point(settings.releases, sound)
    tell(f"releases/CURRENT: points to release {sound.number}")


def _newest_sound(settings: Settings) -> Release | None:
    for number in release.numbers(settings.releases):
        try:
            one = release.read(settings.releases / str(number))
            release.verify(one)
        except (BrokenReleaseError, release.ReleaseError, FileNotFoundError):
            continue
        return one
    return None


def record_run(settings: Settings, run_id: str) -> None:
    """Write the record of a published run anew from the manifest of its release."""
    kept = (release.read(settings.releases / str(n)) for n in release.numbers(settings.releases))
    one = next(release for release in kept if release.run_id == run_id)
    manifest = one.manifest
    published = datetime.fromisoformat(manifest["published_at"])
    row: dict[str, Any] = {
        "run_id": run_id,
        "site": manifest["site"],
        "as_of_date": date.fromisoformat(manifest["as_of_date"]),
        "known_at": datetime.fromisoformat(manifest["known_at"]),
        "trigger": "repair",
        "code_version": manifest["code_version"],
        "seed": None,
        "state": runs.PUBLISHED,
        "release_number": one.number,
        "inputs": json.dumps(manifest["inputs"], sort_keys=True),
        "started_at": published,
        "finished_at": published,
    }
    tables.append_rows(settings, runs.TABLE, [row], f"repair/{run_id}", run_id)
