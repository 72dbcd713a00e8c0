"""Landing against receipts, releases against their manifests, and the notes of runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from jobs.files import sha256
from jobs.lake import deliveries, forgotten, receipt_text, runs, spare
from jobs.lake.spare import Known
from jobs.publish import release
from jobs.publish.release import BrokenReleaseError
from jobs.repair.delta import ToRead, compare
from jobs.repair.finding import Finding
from jobs.settings import DamagedError, Settings


def landing(settings: Settings, *, quick: bool) -> list[Finding]:
    """Every file that has a receipt, as it lies in landing: there, and with the bytes that were sent."""
    aliases = forgotten.load(settings).aliases
    names = ["receipt_id", "delivery_id", "file_sha256", "byte_count", "file_name", "sender_code"]
    receipts = receipt_text.receipts(settings, names)

    def fault(row: Mapping[str, Any]) -> str | None:
        path = deliveries.located(settings, row["delivery_id"], row["file_name"] or "")
        if not path.is_file():
            return "missing"
        if quick:
            return None
        try:
            digest = sha256(path)
        except OSError:
            return "unreadable"
        return None if aliases.get(digest, digest) == row["file_sha256"] else "changed"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = [*pool.map(fault, receipts)]
    return [
        Finding(
            f"landing/{row['delivery_id']}/{row['file_name']}",
            wrong,
            "find",
            row["receipt_id"],
            f"{row['sender_code']}",
        )
        for row, wrong in zip(receipts, faults, strict=True)
        if wrong
    ]


def releases(settings: Settings, known: Mapping[str, Known], *, quick: bool) -> list[Finding]:
    """The pointer, and of every kept release its manifest and its files."""
    found: list[Finding] = []
    todo: list[ToRead] = []
    kept = release.numbers(settings.releases) if settings.releases.is_dir() else []
    for number in kept:
        folder, place = settings.releases / str(number), f"releases/{number}"
        name = f"{place}/manifest.json"
        noted, mend = known.get(name), _mend_of_manifest(settings, name)
        if noted:
            todo.append(ToRead(name, folder / "manifest.json", mend, place, noted.size, noted.sha256))
        try:
            one = release.read(folder)
        except (BrokenReleaseError, FileNotFoundError):
            if not noted:
                found.append(Finding(name, "unreadable", mend, place))
            continue
        todo += _files(one)
        found += _unlisted(one)
    for name in known:
        if name.startswith("releases/") and not spare.place(settings, name).parent.exists():
            place = name.rpartition("/")[0]
            found.append(Finding(place, "missing", "lose", place, "its figures can be published again"))
    return [*_pointer(settings, kept), *found, *compare(todo, quick=quick)]


def _files(one: release.Release) -> Iterator[ToRead]:
    place = f"releases/{one.number}"
    for name, entry in one.manifest["files"].items():
        path = one.folder / entry.get("path", name)
        yield ToRead(f"{place}/{path.name}", path, "aside", place, entry["bytes"], entry["sha256"])


def _unlisted(one: release.Release) -> Iterator[Finding]:
    named = {entry.get("path", name) for name, entry in one.manifest["files"].items()}
    for file in sorted(one.folder.glob("*.duckdb")):
        if file.name not in named:
            yield Finding(f"releases/{one.number}/{file.name}", "unlisted", "none", is_note=True)


def _mend_of_manifest(settings: Settings, name: str) -> str:
    return "copy" if spare.copy_of(settings, name).is_file() else "aside"


def _pointer(settings: Settings, kept: list[int]) -> Iterator[Finding]:
    place = "releases/CURRENT"
    try:
        number = release.pointed(settings)
    except BrokenReleaseError:
        yield Finding(place, "pointer", "point")
        return
    if number is None:
        if kept:
            yield Finding(place, "missing", "point")
    elif number not in kept:
        yield Finding(place, "pointer", "point", detail=f"it names release {number}")
    elif not _is_of_manifest(settings, number):
        yield Finding(place, "pointer", "point", detail="its digest is not the manifest's")


def _is_of_manifest(settings: Settings, number: int) -> bool:
    manifest = settings.releases / str(number) / "manifest.json"
    told = orjson.loads((settings.releases / "CURRENT").read_bytes())
    # Without a manifest it is the release that is broken.
    return not manifest.is_file() or told.get("manifest_sha256") in (None, sha256(manifest))


def notes(settings: Settings) -> Iterator[Finding]:
    """Notes that runs leave for the next one, and runs whose record is gone."""
    for file in sorted((settings.restricted / "batches").glob("*/*.json")):
        if not _is_json(file):
            yield Finding(f"lake/{file.relative_to(settings.lake)}", "unreadable", "again", str(file))
    for file in sorted((settings.run / "batches").glob("*/taken_again")):
        if not _is_json(file):
            yield Finding(f"run/{file.relative_to(settings.run)}", "unreadable", "renew", str(file))
    if (settings.secrets / "forgetting.json").is_file():
        detail = "`./edulake forget --help`: call it again"
        yield Finding("secrets/forgetting.json", "waits", "none", detail=detail, is_note=True)
    try:
        known = {run.run_id for run in runs.all_runs(settings)}
    except DamagedError:
        return
    for number in release.numbers(settings.releases) if settings.releases.is_dir() else ():
        try:
            one = release.read(settings.releases / str(number))
        except (BrokenReleaseError, FileNotFoundError):
            continue
        if one.run_id not in known:
            yield Finding(f"releases/{number}", "unknown_run", "renew", one.run_id)


def _is_json(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
