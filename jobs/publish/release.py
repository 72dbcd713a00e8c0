"""A release: what one run has to show, in files that never change, and one pointer to the current one.

    run/build-<run_id>.duckdb  ->  releases/<n>/{full,city,district-<code>,public}.duckdb, manifest.json
                                   releases/CURRENT   (renamed into place: the one act of publication)

A DuckDB file has no users, so the file that a person may open is what he may see: rows are chosen here, by
the `meta` of each dbt model, and nowhere later. Readers find a release through `current` and open it with
`open_release`. A path is never used twice and a file never overwritten: DuckDB caches instances by path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs.settings import Settings, UserError, writing
from jobs.sql import literals

CITY = "city"
KEPT_RELEASES = 5

# Every connection that a process opens on one file must have the same configuration, or DuckDB refuses it.
# With these, a query can neither read nor write anything but the release.
HARDENED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "512MB",
    "threads": 1,
    "lock_configuration": True,
}

_PUPIL_COLUMN = re.compile(
    r"(^|_)(pupil_key|person_token|(pupil|student)_(national_)?(id|no|name)|staff_key|id_card_no|national_id)$"
)
# Rows of a file from which on large blocks are the smaller file.
_MANY_ROWS = 200_000

# The columns of each table with their types, in order.
_Columns = dict[str, dict[str, str]]

_DISTRICT_CODE = re.compile(r"[0-9A-Za-z]{1,20}")


class ReleaseError(Exception):
    """Marts that must not be published as they are, or a release that is not what it says; names which."""


@dataclass(frozen=True)
class Column:
    """What a column means, as its dbt model says."""

    title_zh: str = ""
    description: str = ""


@dataclass(frozen=True)
class Model:
    """What a dbt model says about its place in a release.

    `scope` is `city` (every audience gets the whole table) or the column that holds the district code. A row
    without a code goes to no district, unless `city_rows` says that such rows are the city's totals.
    """

    name: str
    scope: str
    platform: str | None = None
    pupil_rows: bool = False
    public: bool = False
    city_rows: bool = False
    title_zh: str = ""
    title_en: str = ""
    description: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """One published release: complete on disk, and never changed."""

    number: int
    run_id: str
    folder: Path
    manifest: Mapping[str, Any]

    def file(self, audience: str) -> Path:
        """The file of `full`, `city`, `public` or `district-<code>`; KeyError where the release has none."""
        name = f"{audience}.duckdb"
        if name not in self.manifest["files"]:
            raise KeyError(audience)
        return self.folder / name


def read_models(dbt_manifest: Path) -> dict[str, Model]:
    """The models to publish (their `meta` names a `scope`), from dbt's `target/manifest.json`."""
    nodes = orjson.loads(dbt_manifest.read_bytes())["nodes"].values()
    models = {}
    for node in nodes:
        meta = _meta(node)
        if node["resource_type"] != "model" or "scope" not in meta:
            continue
        name = node.get("alias") or node["name"]
        models[name] = Model(
            name=name,
            scope=meta["scope"],
            platform=meta.get("platform"),
            pupil_rows=bool(meta.get("pupil_rows", False)),
            public=bool(meta.get("public", False)),
            city_rows=bool(meta.get("city_rows", False)),
            title_zh=meta.get("title_zh", ""),
            title_en=meta.get("title_en", ""),
            description=node.get("description", ""),
            columns={
                column: Column(_meta(told).get("title_zh", ""), told.get("description", ""))
                for column, told in node.get("columns", {}).items()
            },
        )
    return models


def _meta(node: Mapping[str, Any]) -> dict[str, Any]:
    # dbt keeps `meta` under `config`, for a model and for a column alike.
    return node.get("config", {}).get("meta", {})


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
    keep: int = KEPT_RELEASES,
) -> Release:
    """Publish the marts of one run, all or nothing; a run that is published already is returned as it stands.

    `inputs` are the versions of the Delta tables that the run read. Whenever this is killed, CURRENT names a
    complete release, and the next call removes what was left half built. Keeps the newest `keep` releases.
    Raises ReleaseError when a model would show pupils to those who may not see them, is not built or has no
    such scope column; UserError when the disk is full or locked.
    """
    if keep < 2:
        raise ValueError("a reader may be opening the release before this one: keep at least 2")
    with writing(settings.releases):
        settings.releases.mkdir(parents=True, exist_ok=True)
        with _publishing_alone(settings.releases):
            _sweep(settings.releases)
            release = _of_run(settings.releases, run_id)
            if release is None:
                columns = _checked(build_file, models)
                number = max([0, *_numbers(settings.releases)]) + 1
                about = {
                    "format": 1,
                    "release": number,
                    "run_id": run_id,
                    "site": settings.site,
                    "title_zh": settings.title_zh,
                    "title_en": settings.title_en,
                    "as_of_date": as_of_date,
                    "known_at": known_at,
                    "code_version": code_version,
                    "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "inputs": dict(sorted(inputs.items())),
                }
                release = _build(settings.releases, about, build_file, models, columns)
            pointed = current(settings)
            if pointed is None or pointed.number < release.number:
                _point(settings.releases, release)
            _forget_old(settings.releases, keep)
    return release


def current(settings: Settings) -> Release | None:
    """The release that CURRENT names; None before the first one."""
    pointer = settings.releases / "CURRENT"
    try:
        number = orjson.loads(pointer.read_bytes())["release"]
    except FileNotFoundError:
        return None
    return _read(settings.releases / str(number))


def published_day(settings: Settings) -> date:
    """The day that the current release shows. Raises UserError before the first release."""
    published = current(settings)
    if published is None:
        raise UserError(
            f"there is no release of {settings.site}.", f"Make one: ./edulake run --site {settings.site}"
        )
    return date.fromisoformat(published.manifest["as_of_date"])


def find(settings: Settings, number: int) -> Release | None:
    """A release by its number; None when it is not kept (any more), or was never published."""
    try:
        return _read(settings.releases / str(number))
    except FileNotFoundError:
        return None


def open_release(release: Release, audience: str = CITY) -> duckdb.DuckDBPyConnection:
    """A read-only connection that reaches nothing outside the file, checked to be what the manifest means.

    Raises KeyError for an audience without a file, ReleaseError when number, tables or rows differ.
    Never close it under a reader: drop the reference, and the last one to let go closes it.
    """
    path = release.file(audience)
    connection = duckdb.connect(str(path), read_only=True, config=HARDENED)
    found: tuple[Any, ...] = connection.execute("select release, audience from _release").fetchall()[0]
    if found != (release.number, audience):
        raise ReleaseError(f"{path.name} says it is {found}, not release {release.number} for {audience}")
    for table, rows in release.manifest["files"][path.name]["tables"].items():
        counted = _scalar(connection, f"select count(*) from {_quoted(table)}")
        if counted != rows:
            raise ReleaseError(f"{path.name}: {table} has {counted} rows, the manifest says {rows}")
    return connection


def verify(release: Release) -> None:
    """Read every file of a release again; ReleaseError names the first that differs from the manifest."""
    for name, told in release.manifest["files"].items():
        path = release.folder / name
        if not path.is_file() or _sha256(path) != told["sha256"]:
            raise ReleaseError(f"release {release.number}: {name} is missing or was changed")


def _checked(build_file: Path, models: Mapping[str, Model]) -> _Columns:
    """The columns of what is to be published; ReleaseError if it must not be."""
    if not build_file.is_file():
        raise ReleaseError(f"there is no {build_file.name}: the marts of this run are not built")
    with duckdb.connect(str(build_file), read_only=True) as build:
        found = build.execute(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'main' order by table_name, ordinal_position"
        ).fetchall()
    columns: _Columns = {}
    for table, column, kind in found:
        columns.setdefault(table, {})[column] = kind
    for name, model in sorted(models.items()):
        if name not in columns:
            raise ReleaseError(f"{name} is declared, but not in {build_file.name}")
        if model.scope != CITY and model.scope not in columns[name]:
            raise ReleaseError(f"{name}: its scope is the column {model.scope}, which it has not")
        if model.public and model.pupil_rows:
            raise ReleaseError(f"{name} has a row per pupil and cannot be public")
        personal = [column for column in columns[name] if _PUPIL_COLUMN.search(column)]
        if personal and not model.pupil_rows:
            raise ReleaseError(f"{name} has {', '.join(personal)} without `pupil_rows: true`")
    return columns


def _build(
    releases: Path,
    about: Mapping[str, Any],
    build_file: Path,
    models: Mapping[str, Model],
    columns: _Columns,
) -> Release:
    aside = releases / f".build-{about['release']}-{os.getpid()}"
    aside.mkdir()
    published = [models[name] for name in sorted(models)]
    shown = [model for model in published if not model.pupil_rows]
    try:
        # One file at a time, so that two cores and a small memory are enough.
        with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as writer:
            writer.execute(f"attach {literals(build_file)} as build (read_only)")
            tables = {model.name: _described(writer, model, columns[model.name]) for model in published}
            audiences: list[tuple[str, list[Model], str | None]] = [
                ("full", published, None),
                (CITY, shown, None),
                *((f"district-{code}", shown, code) for code in _district_codes(writer, shown)),
                ("public", [model for model in shown if model.public], None),
            ]
            files = {
                f"{audience}.duckdb": _write(writer, aside, audience, {**about, "tables": tables}, own, code)
                for audience, own, code in audiences
            }
    except duckdb.IOException as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise UserError(
            f"cannot write the release: {str(error).splitlines()[0]}",
            "Free some space, or set EDULAKE_HOME to a folder on another disk, and run again.",
        ) from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise

    _write_durably(aside / "manifest.json", {**about, "files": files, "tables": tables})
    (aside / "manifest.json").chmod(0o444)
    _fsync(aside)
    folder = releases / str(about["release"])
    aside.rename(folder)
    _fsync(releases)
    return _read(folder)


def _write(
    writer: duckdb.DuckDBPyConnection,
    aside: Path,
    audience: str,
    about: Mapping[str, Any],
    models: list[Model],
    district_code: str | None = None,
) -> dict[str, Any]:
    """One file for one audience; returns what the manifest says about it."""
    path = aside / f"{audience}.duckdb"
    sources = {}
    for model in models:
        source = f"build.main.{_quoted(model.name)}"
        if district_code is not None and model.scope != CITY:
            source += f" where {_quoted(model.scope)}::varchar = {literals(district_code)}"
            if model.city_rows:
                source += f" or {_quoted(model.scope)} is null"
        sources[model.name] = source
    rows = {name: _scalar(writer, f"select count(*) from {source}") for name, source in sources.items()}
    # A column takes a block at least: 256 kB, the default, would make small files mostly air (6 MB for 150
    # rows of 23 tables), and 16 kB would double large ones.
    block_size = 16384 if sum(rows.values()) < _MANY_ROWS else 262144
    writer.execute(f"attach {literals(path)} as release (block_size {block_size})")
    # One transaction a file, not one a table: each would wait for the disk.
    writer.execute("begin")
    for name, source in sources.items():
        writer.execute(f"create table release.main.{_quoted(name)} as from {source}")
    _write_about(writer, audience, about, models)
    writer.execute("commit")
    writer.execute("checkpoint release")
    writer.execute("detach release")
    if path.with_name(path.name + ".wal").exists():
        raise ReleaseError(f"{path.name} still has a log beside it: it would be incomplete without")
    # Pupils' rows are for the steward alone, who is the owner.
    path.chmod(0o400 if audience == "full" else 0o444)
    _fsync(path)
    return {"sha256": _sha256(path), "bytes": path.stat().st_size, "tables": rows}


def _write_about(
    writer: duckdb.DuckDBPyConnection, audience: str, about: Mapping[str, Any], models: list[Model]
) -> None:
    """A file can be copied and sent on: `_release` says what it is, `_column` what its columns mean."""
    writer.execute(
        "create table release.main._release as select ?::integer as release, ? as run_id, ? as site,"
        " ? as audience, ?::date as as_of_date, ? as known_at",
        [about["release"], about["run_id"], about["site"], audience, about["as_of_date"], about["known_at"]],
    )
    told = [
        (model.name, column["name"], column["type"], column["title_zh"], column["description"])
        for model in models
        for column in about["tables"][model.name]["columns"]
    ]
    names = ("table_name", "column_name", "column_type", "title_zh", "description")
    # Lists, not rows: a file without tables has no row, and the table all the same.
    lists = ", ".join(f"unnest(?::varchar[]) as {name}" for name in names)
    writer.execute(
        f"create table release.main._column as select {lists}",
        [[row[place] for row in told] for place in range(len(names))],
    )
    for model in models:
        comment = " — ".join(part for part in (model.title_zh, model.description) if part)
        writer.execute(f"comment on table release.main.{_quoted(model.name)} is {literals(comment)}")


def _described(writer: duckdb.DuckDBPyConnection, model: Model, columns: Mapping[str, str]) -> dict[str, Any]:
    rows, digest = _digest(writer, model.name, list(columns.items()))
    return {
        "rows": rows,
        "digest": digest,
        "title_zh": model.title_zh,
        "title_en": model.title_en,
        "description": model.description,
        "platform": model.platform,
        "scope": model.scope,
        "pupil_rows": model.pupil_rows,
        "public": model.public,
        "columns": [
            {"name": name, "type": kind, **vars(model.columns.get(name, Column()))}
            for name, kind in columns.items()
        ],
    }


def _digest(writer: duckdb.DuckDBPyConnection, table: str, columns: list[tuple[str, str]]) -> tuple[int, str]:
    """Rows and a digest of their content that depends neither on their order nor on the file's layout.

    Each row is written as length-prefixed text, so that no two rows share one, and hashed; the sums of the
    two halves of the hashes are order-free. DuckDB's own `hash` may change with its version, md5 does not.
    """
    texts = ", ".join(f"{_quoted(name)}::varchar" for name, _ in columns)
    row = f"list_aggregate([coalesce(length(v) || ':' || v, '-') for v in [{texts}]], 'string_agg', '')"
    counted = writer.execute(
        f"with written as (select {row} as text from build.main.{_quoted(table)})"
        " select count(*), coalesce(sum(md5_number_lower(text)), 0), coalesce(sum(md5_number_upper(text)), 0)"
        " from written"
    ).fetchall()[0]
    rows, lower, upper = (int(number) for number in counted)
    return rows, hashlib.sha256(repr((columns, rows, lower, upper)).encode()).hexdigest()


def _district_codes(writer: duckdb.DuckDBPyConnection, models: list[Model]) -> list[str]:
    codes: set[str] = set()
    for model in models:
        if model.scope != CITY:
            scope = _quoted(model.scope)
            found = writer.execute(
                f"select distinct {scope}::varchar from build.main.{_quoted(model.name)}"
                f" where {scope} is not null"
            ).fetchall()
            codes |= {code for (code,) in found}
    for code in codes:
        if not _DISTRICT_CODE.fullmatch(code):
            raise ReleaseError(f"{code!r} is not a district code: a file is named after each")
    return sorted(codes)


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def _point(releases: Path, release: Release) -> None:
    fresh = releases / f".CURRENT-{os.getpid()}"
    manifest_sha256 = _sha256(release.folder / "manifest.json")
    _write_durably(
        fresh, {"release": release.number, "run_id": release.run_id, "manifest_sha256": manifest_sha256}
    )
    fresh.replace(releases / "CURRENT")
    _fsync(releases)


def _read(folder: Path) -> Release:
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    return Release(manifest["release"], manifest["run_id"], folder, manifest)


def _of_run(releases: Path, run_id: str) -> Release | None:
    kept = (_read(releases / str(number)) for number in _numbers(releases))
    return next((release for release in kept if release.run_id == run_id), None)


def _numbers(releases: Path) -> list[int]:
    return sorted((int(path.name) for path in releases.iterdir() if path.name.isdecimal()), reverse=True)


def _forget_old(releases: Path, keep: int) -> None:
    for number in _numbers(releases)[keep:]:
        # Renamed first: a folder with a number is complete, even while its files are going.
        gone = (releases / str(number)).rename(releases / f".gone-{number}-{os.getpid()}")
        shutil.rmtree(gone)


def _sweep(releases: Path) -> None:
    """Remove what killed publishers left; called under the lock, so nobody is still at it."""
    for pattern in (".build-*", ".gone-*"):
        for orphan in releases.glob(pattern):
            shutil.rmtree(orphan)
    for orphan in releases.glob(".CURRENT-*"):
        orphan.unlink()


@contextmanager
def _publishing_alone(releases: Path) -> Iterator[None]:
    """One publisher at a time; the kernel lets go of the lock when its holder is killed."""
    with (releases / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_durably(path: Path, content: Mapping[str, Any]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
