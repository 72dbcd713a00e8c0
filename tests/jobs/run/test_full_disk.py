"""A disk that fills while a run is under way: words and an exit code; then a plain run mends it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs import settings as site_settings
from jobs.publish import release
from jobs.settings import LEAST_FREE_BYTES, ROOT, Settings

from ...holding import small_disk

SITE = "us"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Table -> digest of its content, from a run that nothing disturbed."""
    settings = site_settings.load(SITE, tmp_path_factory.mktemp("undisturbed"))
    done = _run(settings)
    assert done.returncode == 0, done.stdout
    return _content(settings)


def _run(settings: Settings) -> subprocess.CompletedProcess[str]:
    with _started(settings) as running:
        said, _ = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, said)


def _started(settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs", "run", "--site", SITE],
        cwd=ROOT,
        env={**os.environ, "EDULAKE_HOME": str(settings.home.parent), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _content(settings: Settings) -> dict[str, str]:
    """Table -> digest of its rows in any order, without the column that names the run of a decision."""
    published = release.current(settings)
    assert published is not None
    release.verify(published)
    opened = release.open_release(published, "full")
    found = {}
    for name, told in published.manifest["tables"].items():
        columns = [c["name"] for c in told["columns"] if not c["name"].endswith("_by_run_id")]
        rows = opened.table(name).select(*(f'"{column}"' for column in columns)).fetchall()
        found[name] = hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()
    return found


def _of_the_site(settings: Settings) -> Iterator[psutil.Process]:
    """The processes that work for a site: its folder is named in their command or environment."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("EDULAKE_HOME", "")]
            if process.pid != psutil.Process().pid and any(str(settings.home.parent) in w for w in words):
                yield process


def _fill(disk: Path) -> Path:
    """Take all that is free, as another program might."""
    filler = disk / "another program's file"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
    return filler


# What the run prints when the disk fills: while Airflow starts, while files are read, while marts are built.
MOMENTS = ("starting Spark", "write_raw", "decide_places")


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_disk_that_fills_ends_the_run_and_a_plain_run_mends_it(
    undisturbed: dict[str, str], tmp_path: Path, moment: str
) -> None:
    with small_disk(tmp_path / "disk", LEAST_FREE_BYTES // 2**20 + 200) as disk:
        settings = site_settings.load(SITE, disk / "home")
        running = _started(settings)
        try:
            assert running.stdout is not None
            assert any(moment in line for line in running.stdout), "the moment never came"
            filler = _fill(disk)
            said, _ = running.communicate()
        finally:
            running.kill()
            running.wait()
        assert running.returncode == 1, said
        assert "Traceback" not in said
        assert f"the disk of {settings.home}" in said
        assert "MB are free now, and a run needs 2,048 MB" in said
        assert "full-disk.md" in said
        assert list(_of_the_site(settings)) == []
        assert not settings.releases.exists() or release.current(settings) is None
        assert not list(settings.releases.glob("[0-9]*"))

        filler.unlink()
        assert shutil.disk_usage(disk).free > LEAST_FREE_BYTES
        done = _run(settings)
        assert done.returncode == 0, done.stdout
        assert _content(settings) == undisturbed
