"""The files of a release: older clients read them, and each column says in both languages what it means."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jobs.forget import releases as amended
from jobs.publish import audience_files
from jobs.publish import release as releases
from jobs.publish.release import Release
from jobs.settings import Settings

# The oldest that must read a release, and the newest of its line.
CLIENTS = ("1.4.0", "1.5.6")
# Reads every row of every table of each file: file -> table -> rows and a sum over all values.
READER = """
import json, sys, duckdb
all_columns = "select table_name, column_name from duckdb_columns() where not internal order by all"
found = {"version": duckdb.__version__}
for file in sys.argv[1:]:
    found[file], columns = {}, {}
    with duckdb.connect(file, read_only=True) as db:
        for table, column in db.execute(all_columns).fetchall():
            columns.setdefault(table, []).append(f'coalesce("{column}"::varchar, chr(0))')
        for table, cells in columns.items():
            row = f"concat_ws(chr(1), {', '.join(cells)})"
            query = f'select count(*), sum(md5_number_lower({row}))::varchar from "{table}"'
            found[file][table] = db.execute(query).fetchall()[0]
print(json.dumps(found))
"""


@pytest.fixture(scope="session", params=CLIENTS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A Python with that DuckDB alone: its version and path. uv keeps what it has fetched once."""
    uv, folder = Path(sys.executable).with_name("uv"), tmp_path_factory.mktemp("client")
    python = folder / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--python", sys.executable, folder],
        ["pip", "install", "--quiet", "--python", python, f"duckdb=={request.param}"],
    ):
        done = subprocess.run([uv, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            pytest.skip(f"NOT RUN: duckdb {request.param} cannot be installed: {done.stderr.strip()[-200:]}")
    return request.param, python


def read_by(python: Path | str, files: list[Path]) -> dict[str, Any]:
    command = [python, "-c", READER, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_older_clients_read_every_table_of_every_audience(lake: Settings, client: tuple[str, Path]) -> None:
    release = releases.current(lake)
    assert release is not None
    files = sorted(release.folder.glob("*.duckdb"))
    assert len(files) == len(release.manifest["files"]) >= 4
    version, python = client
    found, ours = read_by(python, files), read_by(sys.executable, files)
    assert (found.pop("version"), ours.pop("version")) == (version, duckdb.__version__)
    assert found == ours
    for name, entry in release.manifest["files"].items():
        counted = {table: rows for table, (rows, _) in found[str(release.folder / name)].items()}
        assert {table: counted[table] for table in entry["tables"]} == entry["tables"]


def silent(file: Path) -> list[str]:
    """The tables and columns of a file without a comment, or with one in one language alone."""
    with duckdb.connect(str(file), read_only=True) as db:
        told = db.execute(
            "select table_name, comment from duckdb_tables() where not internal union all"
            " select table_name || '.' || column_name, comment from duckdb_columns() where not internal"
        ).fetchall()
    assert told
    return [
        name
        for name, words in told
        if not (words and re.search("[\u4e00-\u9fff]", words) and re.search("[A-Za-z]{2}", words))
    ]


def test_every_table_and_column_of_every_file_is_explained_in_both_languages(lake: Settings) -> None:
    release = releases.current(lake)
    assert release is not None
    files = sorted(release.folder.glob("*.duckdb"))
    assert {file.name: silent(file) for file in files} == {file.name: [] for file in files}
    with duckdb.connect(str(files[0]), read_only=True) as db:
        tables = (
            "select table_name, column_name from duckdb_columns() where not internal and table_name[1] <> '_'"
        )
        assert not db.execute(f"({tables}) except (select table_name, column_name from _column)").fetchall()


def test_a_missing_comment_is_found(publish: Callable[..., Release]) -> None:
    found = silent(publish("2026-09-10.1").file("city"))
    assert {"fct_school_fitness", "fct_school_fitness.school_name"} <= {*found}
    assert not {"fct_school_fitness.pass_share", "_release", "_column.title_zh"} & {*found}


def test_a_file_without_forgotten_pupils_is_as_old_clients_read_it_and_keeps_its_comments(
    publish: Callable[..., Release],
) -> None:
    release = publish("2026-09-10.1")
    with duckdb.connect() as db:
        db.execute(f"attach '{release.file('full')}' as before (read_only)")
        rows = {"fct_pupil_fitness": 1}
        fresh = release.folder / "again.duckdb"
        amended._copy(release.file("full"), fresh, ["P1"], {**release.manifest["tables"]}, rows)
        db.execute(f"attach '{fresh}' as after (read_only)")
        assert audience_files.comments(db, "after") == audience_files.comments(db, "before")
        storage = "select distinct tags['storage_version'] from duckdb_databases() where not internal"
        stored = f"{storage} and database_name in ('before', 'after')"
        assert db.execute(stored).fetchall() == [(f"{audience_files.STORAGE_VERSION}+",)]
