"""The second copy: what a damaged lake is mended from where landing cannot give it again.

`restricted/spare/known.json` has size and SHA-256 of every file that the newest versions of the tables are
made of, and of the manifests of kept releases: none of them ever changes. Beside it lie copies of all logs
and manifests, and of the rows that landing does not hold: runs, receipts, withdrawals, links, identifiers and
decisions. Raw and clean rows and scores are read and made again instead.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs import declare
from jobs.files import replacing, sha256
from jobs.lake import tables
from jobs.settings import DamagedError, Settings

LOG = "_delta_log"
# Parts of a log that change or that nobody needs.
_UNKEPT = ("_last_checkpoint", "_staged_commits", "_commits")
# Delta removes logs of its own accord when they are so old, once a checkpoint holds their content.
_LOG_SECONDS = 29 * 24 * 3600


@dataclass(frozen=True)
class Known:
    """What a file was when it was written: its size, its SHA-256, the time of the change."""

    size: int
    sha256: str
    written: float


def place(settings: Settings, name: str) -> Path:
    """The file that a name of `known` means: `lake/…` or `releases/…`."""
    root, _, rest = name.partition("/")
    return (settings.lake if root == "lake" else settings.releases) / rest


def copy_of(settings: Settings, name: str) -> Path:
    """Where the copy of a file lies, if there is one."""
    return tables.spare(settings) / name


def known(settings: Settings) -> dict[str, Known]:
    """Name -> what it was; empty where nothing was noted yet. Raises DamagedError for a note of garbage."""
    note = tables.spare(settings) / "known.json"
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        if told["digest"] != _digest(told["files"]):
            raise ValueError("its digest differs")
        return {name: Known(*entry) for name, entry in told["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"the note of the second copy is damaged: {note}") from error


def written(settings: Settings) -> dict[str, Path]:
    """Table -> where it lies, of every Delta table on the disk, those that nobody declares too."""
    roots = (settings.lake, settings.restricted)
    return {log.parent.name: log.parent for root in roots for log in sorted(root.glob(f"*/{LOG}"))}


def is_remade(table: str) -> bool:
    """Whether rows of the table can be read or made again from landing."""
    return table.startswith("raw_") or declare.statements_of(table) is not None


def keep(settings: Settings, only: Iterable[str] | None = None) -> None:
    """Note what was written since, and copy of it what is copied; of some tables alone where they are given.

    A file that is known already stays as it was noted, whatever it is now: `lake check` tells the difference.
    """
    found = known(settings)
    wanted = None if only is None else {*only}
    names: set[str] = set()
    for table, where in written(settings).items():
        if wanted is None or table in wanted:
            names |= {*_of_table(settings, table, where)}
    if wanted is None:
        names |= {f"releases/{path.parent.name}/manifest.json" for path in _manifests(settings)}
    for name in sorted(names - found.keys()):
        file = place(settings, name)
        if file.is_file():
            _copy(settings, name, file)
            status = file.stat()
            found[name] = Known(status.st_size, sha256(file), status.st_mtime)
    gone = _outlived(settings, found, names, wanted)
    for name in gone:
        del found[name]
        copy_of(settings, name).unlink(missing_ok=True)
    if names or gone:
        _save(settings, found)


def forget(settings: Settings) -> None:
    """Remove the second copy whole: before rows are taken out of tables for good. `keep` makes it again."""
    shutil.rmtree(tables.spare(settings), ignore_errors=True)


def log_files(where: Path) -> Iterator[Path]:
    """The files of a table's log that never change, hidden checksums among them."""
    log = where / LOG
    if log.is_dir():
        for file in sorted(log.iterdir()):
            is_kept = not file.name.lstrip(".").startswith(_UNKEPT) and not file.name.endswith(".tmp")
            if file.is_file() and is_kept:
                yield file


def _of_table(settings: Settings, table: str, where: Path) -> Iterator[str]:
    relative = f"lake/{where.relative_to(settings.lake)}"
    for file in log_files(where):
        yield f"{relative}/{LOG}/{file.name}"
    try:
        opened = tables.open_table(settings, table)
    except DamagedError:
        # What it is made of nobody can say; what was known of it stays.
        yield from (name for name in known(settings) if name.startswith(f"{relative}/"))
        return
    for data in tables.files(opened):
        yield f"{relative}/{Path(data).relative_to(where)}"


def _copy(settings: Settings, name: str, file: Path) -> None:
    is_log = f"/{LOG}/" in name
    if not is_log and name.startswith("lake/") and is_remade(file.parent.name):
        return
    target = copy_of(settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        shutil.copyfile(file, fresh)


def _manifests(settings: Settings) -> list[Path]:
    kept = settings.releases.iterdir() if settings.releases.is_dir() else ()
    return [one / "manifest.json" for one in kept if one.name.isdecimal()]


def _outlived(
    settings: Settings, found: dict[str, Known], names: set[str], wanted: set[str] | None
) -> set[str]:
    """Files that were taken away on purpose: of no version of today, of an evicted release, of an old log."""
    gone = set()
    tables_now = {
        f"lake/{where.relative_to(settings.lake)}/"
        for table, where in written(settings).items()
        if wanted is None or table in wanted
    }
    for name in found.keys() - names:
        file = place(settings, name)
        if name.startswith("releases/"):
            if not file.parent.exists():
                gone.add(name)
        elif f"/{LOG}/" in name:
            if not file.exists() and found[name].written < time.time() - _LOG_SECONDS:
                gone.add(name)
        elif any(name.startswith(table) for table in tables_now):
            gone.add(name)
    return gone


def _save(settings: Settings, found: dict[str, Known]) -> None:
    files = {name: [one.size, one.sha256, one.written] for name, one in sorted(found.items())}
    target = tables.spare(settings) / "known.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.write_text(json.dumps({"digest": _digest(files), "files": files}), encoding="utf-8")


def _digest(files: object) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def drop(settings: Settings, name: str) -> None:
    """Forget what is known of a file, or of all below a folder: it begins anew."""
    found = known(settings)
    for one in [one for one in found if one == name or one.startswith(f"{name}/")]:
        del found[one]
        copy_of(settings, one).unlink(missing_ok=True)
    below = copy_of(settings, name)
    if below.is_dir():
        shutil.rmtree(below)
    _save(settings, found)
