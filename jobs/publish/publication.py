"""Publish the marts of one run: build all files aside, as a draft, then move the one pointer.

`restricted/builds/build-<run_id>.duckdb` → `releases/drafts/<n>/` with a checklist → approval →
`releases/<n>/{full,city,district-<code>,district-<code>-pupils,public}.duckdb` and `manifest.json` →
`releases/CURRENT`. Renaming CURRENT into place is the one act of publication. What the current release shows
already is not published again. A draft without a red check approves itself, unless the site wants a person.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs import faults
from jobs.files import fsync, sha256
from jobs.lake import runs
from jobs.publish import checklist, contract, drafts, journal, kept
from jobs.publish.audience_files import (
    described,
    district_codes,
    write,
)
from jobs.publish.protect import archive, hide, rules
from jobs.publish.published_models import (
    PUPILS,
    Columns,
    Model,
    checked_columns,
    district_of,
    of_audience,
)
from jobs.publish.release import (
    CITY,
    Release,
    ReleaseError,
    content,
    current,
    numbers,
    publishing_alone,
    read,
    verify,
)
from jobs.settings import Settings, UserError, writing
from jobs.sql import literals

CHECKLIST = "checklist"


@dataclass(frozen=True)
class Made:
    """What the marts of a run are to become: of which files, about what, and compared with which release."""

    build_file: Path
    models: Mapping[str, Model]
    columns: Columns
    about: Mapping[str, Any]
    past: archive.Archive
    before: Release | None


def publish(
    settings: Settings,
    run_id: str,
    build_file: Path,
    models: Mapping[str, Model],
    inputs: Mapping[str, int],
    *,
    as_of_date: str,
    known_at: str,
    code_version: str,
) -> Release:
    """Publish the marts of one run, all or nothing. Returns the release; of a published run, the one it has.

    The release that is returned `is_draft` where a person must approve it first: by the site's settings, or
    because a check is red. A run whose marts, with what is declared of them, are those of the current release
    or of the draft that waits gets that one, and nothing is written. `inputs` are the versions of the Delta
    tables that the run read. Whenever this is killed, CURRENT names a complete release, and the next call
    removes what was left half built. Releases that the site's rule does not keep go (`kept`). Raises
    ReleaseError when a model would show pupils to those who may not see them, is not built or has no such
    scope column; UserError when the disk is full or locked.
    """
    with faults.told(settings), writing(settings.releases):
        settings.releases.mkdir(parents=True, exist_ok=True)
        with publishing_alone(settings.releases):
            _sweep(settings.releases)
            pointed = current(settings)
            release = _of_run(settings, run_id)
            if release is None:
                about = {
                    "format": 1,
                    "run_id": run_id,
                    "site": settings.site,
                    "is_synthetic": settings.is_synthetic,
                    "title_zh": settings.title_zh,
                    "title_en": settings.title_en,
                    "as_of_date": as_of_date,
                    "known_at": known_at,
                    "code_version": code_version,
                    "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "inputs": dict(sorted(inputs.items())),
                }
                release = _drafted(settings, build_file, models, about, pointed)
            if release.is_draft and drafts.approves_itself(settings, release):
                journal.write(settings, release.number, journal.APPROVED, CHECKLIST)
                release = _put_out(settings, release)
            elif not release.is_draft and (pointed is None or pointed.number < release.number):
                _point_or_take_back(settings, release)
            _forget_others(settings)
    return release


def _drafted(
    settings: Settings,
    build_file: Path,
    models: Mapping[str, Model],
    about: Mapping[str, Any],
    pointed: Release | None,
) -> Release:
    """The draft of a run under the next number, or the release that shows the same."""
    day = datetime.fromisoformat(about["as_of_date"]).date()
    shown = {name: model.on(day) for name, model in models.items()}
    columns = checked_columns(build_file, shown)
    past = archive.read(settings)
    # A release that was set aside as damaged has had its number: no path is used twice.
    former = [run.release_number or 0 for run in runs.all_runs(settings)]
    last = max([0, *former, *numbers(settings.releases), *drafts.numbers(settings.releases)])
    number = past.next_number(last, about["run_id"])
    told = {**about, "release": number}
    release = _build(settings, Made(build_file, shown, columns, told, past.before(number), pointed))
    if not release.is_draft:
        # What waited for approval is what nobody has any more.
        drafts.remove(settings)
    return release


def approve(settings: Settings, number: int, by: str, note: str = "", at: datetime | None = None) -> Release:
    """Approve a draft: it is published at once, or from `at` on by whoever calls `publish_due`.

    Doing it again, or after a kill, finishes it. Raises UserError for what is no draft that waits, and where
    a check is red and no note says why it goes out.
    """
    with faults.told(settings), writing(settings.releases), publishing_alone(settings.releases):
        release = drafts.find(settings, number)
        if release is None:
            return _finish(settings, number)
        if not note and checklist.state(release.manifest["checklist"]) == checklist.RED:
            raise UserError(
                f"the checklist of release {number} is red.",
                f"See `{settings.command('release', 'check', str(number))}`, and say with --note why it goes "
                "out nevertheless.",
            )
        if not is_sound(release):
            raise UserError(
                f"the draft of release {number} is no longer what was checked.",
                f"Make another: {settings.command('run')}",
            )
        is_later = at is not None and at > datetime.now(UTC)
        when = at.astimezone(UTC).isoformat(timespec="seconds") if at is not None and is_later else ""
        journal.write(settings, number, journal.APPROVED, by, note, when)
        return release if is_later else _published(settings, release)


def reject(settings: Settings, number: int, by: str, note: str) -> Release:
    """Reject a draft: it stays to be looked at until the next one is made. Raises UserError for none."""
    with writing(settings.releases), publishing_alone(settings.releases):
        release = drafts.find(settings, number)
        if release is None:
            raise drafts.unknown(settings, number)
        journal.write(settings, number, journal.REJECTED, by, note)
    return release


def publish_due(settings: Settings) -> Release | None:
    """Publish the draft that was approved for a time that has come. None where there is none."""
    release = drafts.waiting(settings)
    if release is None or not drafts.is_due(settings, release.number):
        return None
    with faults.told(settings), writing(settings.releases), publishing_alone(settings.releases):
        again = drafts.find(settings, release.number)
        return _published(settings, again) if again else None


def amend(settings: Settings, number: int, by: str, note: str) -> None:
    """Attach a public note to a published release; no file of it changes. Raises UserError for none."""
    kept.published(settings, number)
    with writing(settings.releases), publishing_alone(settings.releases):
        kept.published(settings, number)
        journal.write(settings, number, journal.AMENDED, by, note)


def _finish(settings: Settings, number: int) -> Release:
    """A release that a killed approval left unpointed is pointed to; a published one stays."""
    if number not in numbers(settings.releases):
        raise drafts.unknown(settings, number)
    release = read(settings.releases / str(number))
    pointed = current(settings)
    if pointed is None or pointed.number < number:
        _point_or_take_back(settings, release)
    drafts.remove(settings)
    return _noted(settings, release)


def _published(settings: Settings, release: Release) -> Release:
    published = _put_out(settings, release)
    _forget_others(settings)
    return _noted(settings, published)


def _noted(settings: Settings, release: Release) -> Release:
    """The same, after its run was noted to be published."""
    waiting = [run for run in runs.all_runs(settings) if run.run_id == release.run_id]
    if waiting and waiting[0].state == runs.WAITING:
        runs.finish(settings, release.run_id, runs.PUBLISHED, release.number)
    return release


def _put_out(settings: Settings, draft: Release) -> Release:
    """Move a draft among the releases and the pointer to it."""
    # Kept before anybody can read the release: what was once shown is never forgotten.
    past = archive.read(settings).before(draft.number)
    archive.append(settings, draft.number, draft.run_id, past, drafts.cells(settings, draft.number))
    folder = settings.releases / str(draft.number)
    draft.folder.rename(folder)
    fsync(settings.releases)
    release = read(folder)
    _point_or_take_back(settings, release)
    drafts.remove(settings)
    return release


def _point_or_take_back(settings: Settings, release: Release) -> None:
    try:
        point(settings.releases, release)
    except OSError:
        # Nobody may find it among the releases: it was never published.
        drafts.take_back(settings, release)
        raise
    if journal.last(settings.releases, release.number, journal.PUBLISHED) is None:
        journal.write(settings, release.number, journal.PUBLISHED, "")


def is_sound(release: Release) -> bool:
    """Whether all files of a release are as they were published."""
    try:
        verify(release)
    except (ReleaseError, OSError):
        return False
    return True


def _build(settings: Settings, made: Made) -> Release:
    """The draft of a release; or the current release, or the draft that waits, where that shows the same."""
    models, about = made.models, made.about
    public = [rules.read_rule(name, model.protect) for name, model in sorted(models.items()) if model.public]
    aside = settings.releases / f".build-{about['release']}-{os.getpid()}"
    aside.mkdir()
    published = [models[name] for name in sorted(models)]
    shown = [model for model in published if not model.pupil_rows]
    try:
        # One file at a time, so that two cores and a small memory are enough.
        with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as writer:
            writer.execute(f"attach {literals(made.build_file)} as build (read_only)")
            done = hide.protect(writer, "build.main", public, made.past, settings)
            tables = {model.name: described(writer, model, made.columns[model.name]) for model in published}
            for same in filter(None, (made.before, drafts.waiting(settings))):
                if content({**about, "tables": tables}) == content(same.manifest) and is_sound(same):
                    aside.rmdir()
                    return same
            about = {**about, "tables": tables, **_compared(made.before, tables)}
            checks = checklist.measure(
                settings, writer, about, made.before.manifest if made.before else None, public, done.counted
            )
            about["checklist"] = [vars(item) for item in checks]
            districts = [f"district-{code}" for code in district_codes(writer, shown)]
            pupils = (
                [f"{district}{PUPILS}" for district in districts] if of_audience(published, PUPILS) else []
            )
            files = {
                f"{audience}.duckdb": write(
                    writer, aside, audience, about, of_audience(published, audience), district_of(audience)
                )
                for audience in ("full", CITY, *districts, *pupils, "public")
            }
    except duckdb.IOException as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise faults.locked(error) or UserError(
            f"cannot write the release: {str(error).splitlines()[0]}",
            "Free some space, or set EDULAKE_HOME to a folder on another disk, and run again.",
        ) from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise

    manifest = {**about, "files": files, "suppression": done.counted}
    _write_durably(aside / "manifest.json", manifest)
    (aside / "manifest.json").chmod(0o400)
    fsync(aside)
    return drafts.keep(settings, aside, about["release"], done.cells)


def _compared(before: Release | None, tables: Mapping[str, Any]) -> dict[str, Any]:
    """How the tables differ from those of the last release, and the version that each gets by that."""
    old: Mapping[str, Any] = before.manifest if before else {"tables": {}}
    changed = contract.changes(old["tables"], tables) if before else []
    return {
        "compared_with": before.number if before else None,
        "changes": [vars(change) for change in changed],
        "versions": contract.versions(old["tables"], tables, old.get("versions", {}), changed),
    }


def point(releases: Path, release: Release) -> None:
    """Make CURRENT name this release as its manifest now is."""
    fresh = releases / f".CURRENT-{os.getpid()}"
    manifest_sha256 = sha256(release.folder / "manifest.json")
    _write_durably(
        fresh, {"release": release.number, "run_id": release.run_id, "manifest_sha256": manifest_sha256}
    )
    fresh.replace(releases / "CURRENT")
    fsync(releases)


def _of_run(settings: Settings, run_id: str) -> Release | None:
    waiting = drafts.waiting(settings)
    kept = (read(settings.releases / str(number)) for number in numbers(settings.releases))
    return next((release for release in (*kept, waiting) if release and release.run_id == run_id), None)


def _forget_others(settings: Settings) -> None:
    try:
        why = kept.why(settings, kept.all_kept(settings))
    except UserError:
        return  # While it is not known which have names, all stay.
    for number, reasons in why.items():
        if not reasons:
            drafts.keep_manifest(settings, number)
            # Renamed first: a folder with a number is complete, even while its files are going.
            folder = settings.releases / str(number)
            shutil.rmtree(folder.rename(settings.releases / f".gone-{number}-{os.getpid()}"))


def _sweep(releases: Path) -> None:
    """Remove the leftovers of killed publishers. The caller holds the lock, so nobody else is at work."""
    for pattern in (".build-*", ".gone-*"):
        for orphan in releases.glob(pattern):
            shutil.rmtree(orphan)
    for orphan in releases.glob(".CURRENT-*"):
        orphan.unlink()


def _write_durably(path: Path, content: Mapping[str, Any]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    fsync(path)
