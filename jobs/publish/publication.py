"""Publish the marts of one run: build all files aside, rename the folder, then move the one pointer.

`restricted/builds/build-<run_id>.duckdb` → `releases/<n>/{full,city,district-<code>,public}.duckdb` and
`manifest.json` → `releases/CURRENT`. Renaming CURRENT into place is the one act of publication. What the
current release shows already is not published again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs import faults
from jobs.files import fsync, sha256
from jobs.lake import runs
from jobs.publish import kept
from jobs.publish.audience_files import (
    described,
    district_codes,
    write,
)
from jobs.publish.protect import archive, hide, rules
from jobs.publish.published_models import (
    Columns,
    Model,
    checked_columns,
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

    A run whose marts, with what is declared of them, are those of the current release gets that one, and
    nothing is written. `inputs` are the versions of the Delta tables that the run read. Whenever this is
    killed, CURRENT names a complete release, and the next call removes what was left half built. Releases
    that the site's rule does not keep go (`kept`). Raises ReleaseError when a model would show pupils to
    those who may not see them, is not built or has no such scope column; UserError when the disk is full or
    locked.
    """
    with faults.told(settings), writing(settings.releases):
        settings.releases.mkdir(parents=True, exist_ok=True)
        with publishing_alone(settings.releases):
            _sweep(settings.releases)
            pointed = current(settings)
            release = _of_run(settings.releases, run_id)
            if release is None:
                columns = checked_columns(build_file, models)
                past = archive.read(settings)
                # A release that was set aside as damaged has had its number: no path is used twice.
                former = [run.release_number or 0 for run in runs.all_runs(settings)]
                number = past.next_number(max([0, *former, *numbers(settings.releases)]), run_id)
                about = {
                    "format": 1,
                    "release": number,
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
                release = _build(settings, about, build_file, models, columns, past.before(number), pointed)
            if pointed is None or pointed.number < release.number:
                try:
                    point(settings.releases, release)
                except OSError:
                    # Nobody may find it among the releases: it was never published.
                    shutil.rmtree(release.folder, ignore_errors=True)
                    raise
            _forget_others(settings)
    return release


def is_sound(release: Release) -> bool:
    """Whether all files of a release are as they were published."""
    try:
        verify(release)
    except (ReleaseError, OSError):
        return False
    return True


def _build(
    settings: Settings,
    about: Mapping[str, Any],
    build_file: Path,
    models: Mapping[str, Model],
    columns: Columns,
    past: archive.Archive,
    before: Release | None,
) -> Release:
    """The files of a release in a folder of its number; `before` where that one shows the same."""
    releases = settings.releases
    public = [rules.read_rule(name, model.protect) for name, model in sorted(models.items()) if model.public]
    aside = releases / f".build-{about['release']}-{os.getpid()}"
    aside.mkdir()
    published = [models[name] for name in sorted(models)]
    shown = [model for model in published if not model.pupil_rows]
    try:
        # One file at a time, so that two cores and a small memory are enough.
        with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as writer:
            writer.execute(f"attach {literals(build_file)} as build (read_only)")
            done = hide.protect(writer, "build.main", public, past, settings)
            tables = {model.name: described(writer, model, columns[model.name]) for model in published}
            is_shown = before and content({**about, "tables": tables}) == content(before.manifest)
            if before and is_shown and is_sound(before):
                aside.rmdir()
                return before
            audiences: list[tuple[str, list[Model], str | None]] = [
                ("full", published, None),
                (CITY, shown, None),
                *((f"district-{code}", shown, code) for code in district_codes(writer, shown)),
                ("public", [model for model in shown if model.public], None),
            ]
            files = {
                f"{audience}.duckdb": write(writer, aside, audience, {**about, "tables": tables}, own, code)
                for audience, own, code in audiences
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

    manifest = {**about, "files": files, "tables": tables, "suppression": done.counted}
    _write_durably(aside / "manifest.json", manifest)
    (aside / "manifest.json").chmod(0o400)
    fsync(aside)
    # Kept before anybody can read the release: what was once shown is never forgotten.
    archive.append(settings, about["release"], about["run_id"], past, done.cells)
    folder = releases / str(about["release"])
    aside.rename(folder)
    fsync(releases)
    return read(folder)


def point(releases: Path, release: Release) -> None:
    """Make CURRENT name this release as its manifest now is."""
    fresh = releases / f".CURRENT-{os.getpid()}"
    manifest_sha256 = sha256(release.folder / "manifest.json")
    _write_durably(
        fresh, {"release": release.number, "run_id": release.run_id, "manifest_sha256": manifest_sha256}
    )
    fresh.replace(releases / "CURRENT")
    fsync(releases)


def _of_run(releases: Path, run_id: str) -> Release | None:
    kept = (read(releases / str(number)) for number in numbers(releases))
    return next((release for release in kept if release.run_id == run_id), None)


def _forget_others(settings: Settings) -> None:
    try:
        why = kept.why(settings, kept.all_kept(settings))
    except UserError:
        return  # While it is not known which have names, all stay.
    for number, reasons in why.items():
        if not reasons:
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
