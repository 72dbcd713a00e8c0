"""A new generation of a kept release without some pupils: new files under new names, new digests.

Rows of pupils lie in `full` and in `district-<code>-pupils`. What was published about groups stays as it
was published. The manifest says what was amended, and keeps the hash of the file before, so that whoever
noted it still finds the release.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs.files import fsync, replacing, sha256
from jobs.publish import audience_files
from jobs.publish.release import Release
from jobs.sql import identifier, literals

_KEYS = ("pupil_key", "person_token")


def amend(release: Release, tokens: Collection[str], day: date, because: str) -> int:
    """Write the files of a release again that hold these pupils' rows. Returns how many rows went.

    Called again it finds none. Killed in between it leaves the release as it was, and perhaps a file that no
    manifest names, which the next call replaces.
    """
    manifest: dict[str, Any] = orjson.loads(orjson.dumps(dict(release.manifest)))
    went = 0
    for name, entry in manifest["files"].items():
        before = release.folder / entry.get("path", name)
        rows = _rows(before, tokens)
        if not any(rows.values()):
            continue
        went += sum(rows.values())
        fresh = _next(before)
        digests = _copy(before, fresh, tokens, manifest["tables"], rows)
        for table, told in digests.items():
            entry["tables"][table] = told[0]
            if name == "full.duckdb":
                manifest["tables"][table] |= {"rows": told[0], "digest": told[1]}
        entry |= {"path": fresh.name, "sha256": sha256(fresh), "bytes": fresh.stat().st_size}
        manifest.setdefault("amended", []).append(
            {"on": day.isoformat(), "file": name, "because": because, "sha256_before": sha256(before)}
        )
    if went:
        with replacing(release.folder / "manifest.json", mode=0o400) as target:
            target.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            fsync(target)
    named = {entry.get("path", name) for name, entry in manifest["files"].items()}
    for file in release.folder.glob("*.duckdb*"):
        if file.name not in named:
            file.unlink()
    return went


def count(release: Release, tokens: Collection[str]) -> int:
    """How many rows of a release are about these pupils."""
    files = [release.folder / entry.get("path", name) for name, entry in release.manifest["files"].items()]
    return sum(sum(_rows(file, tokens).values()) for file in files)


def _rows(file: Path, tokens: Collection[str]) -> dict[str, int]:
    """Table -> its rows of these pupils."""
    with duckdb.connect() as db:
        db.execute(f"attach {literals(file)} as old (read_only)")
        return {
            table: db.execute(f"select count(*) from old.{identifier(table)} where {gone}").fetchall()[0][0]
            for table, gone in _gone(db, tokens).items()
        }


def _gone(db: duckdb.DuckDBPyConnection, tokens: Collection[str]) -> dict[str, str]:
    """Table with a key of pupils -> the condition of these pupils' rows."""
    columns = db.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'old'"
        f" and column_name in ({literals(*_KEYS)}) order by all"
    ).fetchall()
    return {table: f"{identifier(column)} in ({literals(*tokens)})" for table, column in columns}


def _copy(
    before: Path, fresh: Path, tokens: Collection[str], about: dict[str, Any], rows: dict[str, int]
) -> dict[str, tuple[int, str]]:
    """Write every table to a new file without these pupils. Returns rows and digest of those that changed."""
    fresh.unlink(missing_ok=True)
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as db:
        db.execute(f"attach {literals(before)} as old (read_only)")
        audience_files.attach_new(db, fresh, "build", sum(table["rows"] for table in about.values()))
        gone = _gone(db, tokens)
        told = audience_files.comments(db, "old")
        for table in sorted(told):
            name = identifier(table)
            is_gone = f"coalesce({gone.get(table, 'false')}, false)"
            db.execute(f"create table build.main.{name} as from old.{name} where not {is_gone}")
        audience_files.comment(db, "build", told)
        db.execute("checkpoint build")
        columns = {table: [(c["name"], c["type"]) for c in about[table]["columns"]] for table in about}
        return {
            table: audience_files.digest(db, f"build.main.{identifier(table)}", columns[table])
            for table, count in rows.items()
            if count
        }


def _next(before: Path) -> Path:
    """The file's next name: no path is used twice, for DuckDB caches what lies there."""
    stem, _, number = re.fullmatch(r"(.*?)(~(\d+))?\.duckdb", before.name).groups()  # type: ignore[union-attr]
    return before.with_name(f"{stem}~{int(number or 1) + 1}.duckdb")
