"""The same files give the same published figures: under another key, in another order, on fewer cores."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.release_diff import compare
from jobs import settings as site_settings
from jobs.lake import tables
from jobs.publish import release
from jobs.settings import Settings

from .by_tasks import run_by_tasks

# Columns that name a pupil, or the run and the files that it was read from.
NAMES = ("pupil_key",)


@contextmanager
def one_core() -> Iterator[None]:
    """This process and its children see one core: DuckDB and Arrow take one thread."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(own)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def hand_in_otherwise(source: Path, target: Path) -> int:
    """The same files under names that turn their order round. Returns how many."""
    files = sorted(file for file in source.rglob("*") if file.is_file() and not file.name.startswith("."))
    for number, file in enumerate(reversed(files)):
        copy = target / file.relative_to(source).with_name(f"{number:06d}_{file.name}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return len(files)


@pytest.fixture
def other(lake: Settings, tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake of the same files, with another key, other names and one core."""
    monkeypatch.setenv("EDULAKE_SITE", "beijing")
    monkeypatch.setenv("EDULAKE_SPARK", engine_url)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path))
    settings = site_settings.load().prepare()
    assert hand_in_otherwise(lake.landing, settings.landing) > 300
    shutil.copyfile(lake.run / "city.json", settings.run / "city.json")
    key = settings.secrets / "identity.json"
    key.write_text(json.dumps({"version": 2}))
    key.chmod(0o600)
    with one_core():
        run_by_tasks(settings, seed=7)
    return settings


@pytest.mark.slow
def test_key_order_and_cores_change_no_published_figure(lake: Settings, other: Settings) -> None:
    keys = {row["pupil_key"] for row in tables.rows(lake, "clean_enrollment__pupil_roll", ["pupil_key"])}
    others = {row["pupil_key"] for row in tables.rows(other, "clean_enrollment__pupil_roll", ["pupil_key"])}
    assert len(keys) == len(others) > 1000
    assert not keys & others, "the key is another one"
    first, second = release.current(lake), release.current(other)
    assert first is not None
    assert second is not None
    found = compare(first.folder, second.folder, without=NAMES)
    assert len(found) > 500
    differing = [diff for diff in found if not diff.is_equal]
    assert not differing, "\n".join(
        f"{d.file} {d.table}: {d.only_a} of {d.rows_a} and {d.only_b} of {d.rows_b} {d.note}"
        for d in differing
    )
