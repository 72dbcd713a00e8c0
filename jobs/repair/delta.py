"""The tables on the disk: each log against the second copy and itself, each file against its log."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from jobs import declare
from jobs.files import sha256
from jobs.lake import spare
from jobs.lake.spare import LOG, Known
from jobs.repair.finding import Finding
from jobs.settings import Settings


@dataclass(frozen=True)
class ToRead:
    """A file to compare with what is known of it; where no digest is known, a table is read through."""

    place: str
    path: Path
    mend: str
    subject: str
    size: int | None = None
    sha256: str | None = None


@dataclass
class Examined:
    """What was found in tables; `unsound` are those whose rows cannot be counted."""

    findings: list[Finding] = field(default_factory=list)
    unsound: set[str] = field(default_factory=set)


def examine(settings: Settings, known: Mapping[str, Known], *, quick: bool) -> Examined:
    """Compare every table that is there, or was."""
    found = Examined()
    todo: list[ToRead] = []
    of_table = _by_table(known)
    there = {f"lake/{where.relative_to(settings.lake)}": where for where in spare.written(settings).values()}
    for relative in sorted(there.keys() | of_table.keys()):
        where = there.get(relative, spare.place(settings, relative))
        own = of_table.get(relative, {})
        todo += _log_files(settings, relative, own)
        log = [*_log_faults(where, relative, is_known=bool(own))]
        found.findings += log
        files = _active(where) if where.exists() and not log else None
        if files is None:
            found.unsound.add(where.name)
            files = {name: one.size for name, one in _data(own, relative).items()}
            if not log and not own:
                found.findings.append(_log(relative, where.name))
        todo += [_file(settings, f"{relative}/{name}", size, own) for name, size in files.items()]
        found.findings += _left_over(where, relative, files)
    wrong = compare(todo, quick=quick)
    found.findings += wrong
    found.unsound |= {finding.subject for finding in wrong}
    return found


def compare(todo: Iterable[ToRead], *, quick: bool) -> list[Finding]:
    """Read the files, as many at once as there are cores, and tell which differ."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        listed = [*todo]
        faults = pool.map(lambda one: _fault(one, quick), listed)
        return [
            Finding(one.place, wrong, one.mend, one.subject)
            for one, wrong in zip(listed, faults, strict=True)
            if wrong
        ]


def _fault(one: ToRead, quick: bool) -> str | None:
    try:
        if not one.path.is_file():
            return "missing"
        if one.size is not None and one.path.stat().st_size != one.size:
            return "size"
        if quick:
            return None
        if one.sha256 is not None:
            return None if sha256(one.path) == one.sha256 else "changed"
        if one.path.suffix == ".parquet":
            with pq.ParquetFile(one.path, page_checksum_verification=True) as file:
                for group in range(file.num_row_groups):
                    file.read_row_group(group)
    except (OSError, pa.ArrowException):
        return "unreadable"
    return None


def _by_table(known: Mapping[str, Known]) -> dict[str, dict[str, Known]]:
    """Folder of a table -> what is known of its files."""
    found: dict[str, dict[str, Known]] = defaultdict(dict)
    for name, one in known.items():
        if name.startswith("lake/"):
            folder = name.split(f"/{LOG}/")[0] if f"/{LOG}/" in name else name.rpartition("/")[0]
            found[folder][name] = one
    return found


def _data(own: Mapping[str, Known], relative: str) -> dict[str, Known]:
    return {name.removeprefix(f"{relative}/"): one for name, one in own.items() if f"/{LOG}/" not in name}


def _log_files(settings: Settings, relative: str, own: Mapping[str, Known]) -> Iterator[ToRead]:
    for name, one in own.items():
        if f"/{LOG}/" in name:
            table = relative.rpartition("/")[2]
            mend = "copy" if spare.copy_of(settings, name).is_file() else "remake"
            yield ToRead(name, spare.place(settings, name), mend, table, one.size, one.sha256)


def _log_faults(where: Path, relative: str, *, is_known: bool) -> Iterator[Finding]:
    """What is wrong with a log by itself: entries that are no JSON, and that it cannot be opened."""
    table, log = where.name, where / LOG
    is_broken = False
    for file in sorted(log.glob("[0-9]*.json")) if log.is_dir() else ():
        if not _is_log_entry(file):
            is_broken = True
            yield Finding(
                f"{relative}/{LOG}/{file.name}", "unreadable", "copy" if is_known else "remake", table
            )
    hint = log / "_last_checkpoint"
    if hint.is_file() and not _is_hint(hint):
        is_broken = True
        yield Finding(f"{relative}/{LOG}/{hint.name}", "unreadable", "remove", table)
    if not is_broken and where.exists() and _active(where) is None:
        yield Finding(f"{relative}/{LOG}", "log", "copy" if is_known else "remake", table)


def _is_log_entry(file: Path) -> bool:
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return False
    return bool(lines) and all(isinstance(line, dict) for line in lines)


def _is_hint(file: Path) -> bool:
    try:
        version = json.loads(file.read_text(encoding="utf-8"))["version"]
        return any(file.parent.glob(f"{version:020d}.checkpoint*.parquet"))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _active(where: Path) -> dict[str, int] | None:
    """File -> size, of what the newest version is made of; None where the log cannot be opened."""
    try:
        actions = pa.table(DeltaTable(str(where)).get_add_actions())
    except (TableNotFoundError, DeltaError, OSError, ValueError):
        return None
    return dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))


def _log(relative: str, table: str) -> Finding:
    return Finding(f"{relative}/{LOG}", "missing", "remake", table)


def _file(settings: Settings, name: str, size: int, own: Mapping[str, Known]) -> ToRead:
    table = name.split("/")[-2]
    noted = own.get(name)
    digest = noted.sha256 if noted else None
    return ToRead(name, spare.place(settings, name), mend_of(settings, name), table, size, digest)


def mend_of(settings: Settings, name: str) -> str:
    """What brings the rows of a file of a table back."""
    table = name.split("/")[-2]
    if spare.copy_of(settings, name).is_file():
        return "copy"
    if table.startswith("raw_"):
        return "reread"
    if table in declare.STATEMENTS_OF:
        return "rescore"
    return "remake" if declare.statements_of(table) is not None else "lose"


def _left_over(where: Path, relative: str, files: Mapping[str, int]) -> Iterator[Finding]:
    """Files that no version names: a write that was killed left them, and no reader sees them."""
    if not (where / LOG).is_dir():
        return
    named = "".join(
        file.read_text(encoding="utf-8", errors="replace") for file in (where / LOG).glob("*.json")
    )
    is_whole = not any((where / LOG).glob("*.checkpoint*.parquet"))
    for file in sorted(where.glob("*.parquet")):
        if is_whole and file.name not in files and file.name not in named:
            yield Finding(f"{relative}/{file.name}", "unlisted", "none", where.name, is_note=True)
