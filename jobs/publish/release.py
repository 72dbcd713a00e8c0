"""Read a release: find the current one, open a file of it read-only, verify its files.

Readers find a release through `current` and open it with `open_release`; `publication` makes one. A path is
never used twice and a file never overwritten: DuckDB caches instances by path.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from jobs import faults
from jobs.files import sha256
from jobs.settings import DamagedError, Settings, UserError
from jobs.sql import identifier

if TYPE_CHECKING:
    import duckdb

CITY = "city"
# The folder of complete releases that wait to be published.
DRAFTS = "drafts"

# Every connection that a process opens on one file must have the same configuration, or DuckDB refuses it.
# With these, a query can neither read nor write anything but the release.
HARDENED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "512MB",
    "max_temp_directory_size": "0B",
    "threads": 1,
    # Else a name in SQL could mean a variable of this process.
    "python_enable_replacements": False,
    "lock_configuration": True,
}


class ReleaseError(Exception):
    """A mart that must not be published, or a release that differs from its manifest; names which."""


class BrokenReleaseError(DamagedError, ReleaseError):
    """The pointer or the manifest of a release that is no longer what was written; names the file."""


@dataclass(frozen=True)
class Release:
    """One published release: complete on disk, and never changed."""

    number: int
    run_id: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def is_synthetic(self) -> bool:
        """Whether it was made of the data of a made-up city."""
        return bool(self.manifest.get("is_synthetic"))

    @property
    def is_draft(self) -> bool:
        """Whether it is complete and not published: nobody who looks for releases finds it."""
        return self.folder.parent.name == DRAFTS

    def file(self, audience: str) -> Path:
        """The file of full, city, public, district-<code> or district-<code>-pupils; KeyError for another."""
        name = f"{audience}.duckdb"
        if name not in self.manifest["files"]:
            raise KeyError(audience)
        return self.folder / self.manifest["files"][name].get("path", name)


def current(settings: Settings) -> Release | None:
    """The release that CURRENT names; None before the first one. Raises BrokenReleaseError where it names
    none.
    """
    number = pointed(settings)
    if number is None:
        return None
    try:
        return read(settings.releases / str(number))
    except FileNotFoundError as error:
        raise BrokenReleaseError(
            f"{settings.releases / 'CURRENT'} names release {number}, which is gone"
        ) from error


def pointed(settings: Settings) -> int | None:
    """The number that CURRENT names; None before the first release. Raises BrokenReleaseError for garbage."""
    pointer = settings.releases / "CURRENT"
    try:
        number = orjson.loads(pointer.read_bytes())["release"]
        if not isinstance(number, int):
            raise TypeError("the number of a release is none")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BrokenReleaseError(f"the pointer to the release is damaged: {pointer}") from error
    return number


def published(settings: Settings) -> Release:
    """The current release. Raises UserError before the first."""
    found = current(settings)
    if found is None:
        raise UserError(f"there is no release of {settings.site}.", f"Make one: {settings.command('run')}")
    return found


def published_day(settings: Settings) -> date:
    """The day that the current release shows. Raises UserError before the first release."""
    return date.fromisoformat(published(settings).manifest["as_of_date"])


def find(settings: Settings, number: int) -> Release | None:
    """A release by its number. None if it was never published or is no longer kept."""
    try:
        return read(settings.releases / str(number))
    except FileNotFoundError:
        return None


def open_release(release: Release, audience: str = CITY) -> duckdb.DuckDBPyConnection:
    """A read-only connection that reaches nothing outside the file, whose content is checked by the manifest.

    Raises KeyError for an audience without a file, ReleaseError when number, tables or rows differ, UserError
    for a file that another program holds. Do not close the connection: another reader may share it. It closes
    when the last reference is dropped.
    """
    import duckdb

    path = release.file(audience)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=HARDENED)
    except duckdb.IOException as error:
        raise faults.locked(error) or error from error
    check(connection, release, audience)
    return connection


def rows(
    connection: duckdb.DuckDBPyConnection, table: str, equal: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a table of an open release whose columns have these values."""
    held = " and ".join(f"{identifier(name)} = ?" for name in equal or {})
    asked = connection.execute(
        f"select * from {identifier(table)} where {held or 'true'}", list((equal or {}).values())
    )
    names = [column[0] for column in asked.description]
    return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]


def check(connection: duckdb.DuckDBPyConnection, release: Release, audience: str) -> None:
    """Compare the file that is open as the connection's own database with the manifest: number, audience,
    tables, rows. Raises ReleaseError.
    """
    path = release.file(audience)
    found: tuple[Any, ...] = connection.execute("select release, audience from _release").fetchall()[0]
    if found != (release.number, audience):
        raise ReleaseError(f"{path.name} says it is {found}, not release {release.number} for {audience}")
    for table, rows in release.manifest["files"][f"{audience}.duckdb"]["tables"].items():
        (counted,) = connection.execute(f"select count(*) from {identifier(table)}").fetchall()[0]
        if counted != rows:
            raise ReleaseError(f"{path.name}: {table} has {counted} rows, the manifest says {rows}")


def verify(release: Release) -> None:
    """Read every file of a release again; ReleaseError names the first that differs from the manifest."""
    for name, entry in release.manifest["files"].items():
        path = release.folder / entry.get("path", name)
        if not path.is_file() or sha256(path) != entry["sha256"]:
            raise ReleaseError(f"release {release.number}: {name} is missing or was changed")


def read(folder: Path) -> Release:
    """The release in a folder. FileNotFoundError: without a manifest; BrokenReleaseError: one of garbage."""
    file = folder / "manifest.json"
    try:
        manifest = orjson.loads(file.read_bytes())
        made = Release(manifest["release"], manifest["run_id"], folder, manifest)
        if not manifest["files"] or str(made.number) != folder.name:
            raise ValueError("it is another release's, or names no file")
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BrokenReleaseError(f"the manifest of a release is damaged: {file}") from error
    return made


def numbers(releases: Path) -> list[int]:
    """The numbers of the kept releases, newest first."""
    return sorted((int(path.name) for path in releases.iterdir() if path.name.isdecimal()), reverse=True)


@contextmanager
def publishing_alone(releases: Path) -> Iterator[None]:
    """One publisher at a time. The kernel releases the lock when its holder is killed."""
    with (releases / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# What a manifest says of the act of publishing, or repeats. All else is what the release shows.
_OF_THE_ACT = frozenset(
    {
        *("release", "run_id", "code_version", "published_at", "inputs", "files", "amended", "suppression"),
        *("checklist", "changes", "versions", "compared_with"),
    }
)


def content(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a release shows: the digest of each table, what is declared of it, the days it is about.

    Two releases with equal content answer every question alike.
    """
    shown: dict[str, Any] = orjson.loads(orjson.dumps(dict(manifest)))
    return {name: value for name, value in shown.items() if name not in _OF_THE_ACT}
