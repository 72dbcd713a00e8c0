"""The wrapper `edulake`, in a copy of the checkout whose Python and uv only note how they are called.

One test, marked slow, makes the whole environment for real.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.settings import ROOT

# Where the checkout lies: a name that a shell would take apart.
CHECKOUT = "a 教育 checkout#1 100%;'$HOME\"`x`&*[a]"
# What the wrapper may use besides Python: all of it is in every Unix.
TOOLS = ("sh", "cat", "cksum", "dirname", "readlink")


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _wait(is_so: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Copy:
    """A checkout of the wrapper's own files, without an environment; a PATH with nothing but the tools."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / CHECKOUT
        self.calls = folder / "calls"
        self.elsewhere = folder / "elsewhere"
        self.tools = folder / "tools"
        for made in (self.root / "infra" / "bootstrap", self.elsewhere, self.tools):
            made.mkdir(parents=True)
        for file in ("edulake", "uv.lock", "infra/bootstrap/prepare.py", "infra/bootstrap/jars.sha256"):
            shutil.copy2(ROOT / file, self.root / file)
        for tool in TOOLS:
            (self.tools / tool).symlink_to(str(shutil.which(tool)))
        self.env = {"PATH": str(self.tools), "HOME": str(folder), "CALLS": str(self.calls)}

    def add_python(self) -> Path:
        """A 3.11 to prepare with: this test's own."""
        return _script(self.tools / "python3.11", f'exec "{sys.executable}" "$@"\n')

    def add_environment(self, uv: str = "") -> None:
        """What `prepare` would make: its Python and uv write down each call; `uv` is what uv does then."""
        venv = self.root / ".venv"
        _script(venv / "bin" / "python", 'echo "python $*" >>"$CALLS"\n')
        _script(venv / "bin" / "uv", f'echo "uv $*" >>"$CALLS"\n{uv}\n')

    def start(self, *arguments: str, file: Path | None = None, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [file or self.root / "edulake", *arguments],
            cwd=self.elsewhere,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str, file: Path | None = None, **env: str) -> tuple[int, str]:
        process = self.start(*arguments, file=file, **env)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors

    def called(self, name: str) -> list[str]:
        """The calls of `name` so far, without the asking for a version."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [
            line for line in lines if line.startswith(name + " ") and not line.endswith(("-V", "--version"))
        ]


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture
def prepared(copy: Copy) -> Copy:
    """A copy that was prepared by one call."""
    copy.add_python()
    copy.add_environment()
    code, errors = copy.call("status")
    assert (code, copy.called("python")[-1]) == (0, "python -P -m jobs status"), errors
    assert (copy.root / ".venv" / "edulake" / "stamp").is_file()
    copy.calls.unlink()
    (copy.tools / "python3.11").unlink()
    return copy


def test_second_call_asks_neither_uv_nor_pip_nor_another_python(prepared: Copy) -> None:
    assert prepared.call("sql", "select 'a b'") == (0, "")
    assert prepared.calls.read_text().splitlines() == ["python -P -m jobs sql select 'a b'"]


def test_works_through_symlinks_from_any_folder(prepared: Copy) -> None:
    first = prepared.elsewhere / "edulake"
    first.symlink_to(f"../{CHECKOUT}/edulake")
    second = prepared.tools / "lake"
    second.symlink_to(first)
    for file in (first, second):
        assert prepared.call("status", file=file) == (0, "")
    assert prepared.called("python") == ["python -P -m jobs status"] * 2


def test_arguments_and_exit_code_pass_unchanged(prepared: Copy) -> None:
    _script(prepared.root / ".venv" / "bin" / "python", 'for a; do echo "<$a>" >>"$CALLS"; done; exit 7\n')
    assert prepared.call("run", "--site", "two words", "", "*") == (7, "")
    expected = ["<-P>", "<-m>", "<jobs>", "<run>", "<--site>", "<two words>", "<>", "<*>"]
    assert prepared.calls.read_text().splitlines() == expected


def test_no_foreign_python_and_nothing_that_reports_home(prepared: Copy) -> None:
    _script(prepared.root / ".venv" / "bin" / "python", '/usr/bin/env >>"$CALLS"\n')
    foreign = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "VIRTUAL_ENV": "/x", "PYTHONDONTWRITEBYTECODE": "1"}
    assert prepared.call("status", **foreign) == (0, "")
    seen = dict(line.split("=", 1) for line in prepared.calls.read_text().splitlines())
    assert not foreign.keys() & seen.keys()
    assert seen["GX_ANALYTICS_ENABLED"] == "false"
    assert seen["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert seen["DO_NOT_TRACK"] == "1"


@pytest.mark.parametrize("file", ["uv.lock", "infra/bootstrap/jars.sha256"])
def test_changed_lock_is_followed(file: str, prepared: Copy) -> None:
    prepared.add_python()
    with (prepared.root / file).open("a", encoding="utf-8") as changed:
        changed.write("\n# newer\n")
    assert prepared.call("status")[0] == 0
    assert len(prepared.called("uv")) == 1
    assert "sync --frozen" in prepared.called("uv")[0]
    assert prepared.call("status") == (0, "")
    assert len(prepared.called("uv")) == 1


def test_a_service_without_a_home_is_prepared(copy: Copy) -> None:
    copy.add_python()
    copy.add_environment()
    del copy.env["HOME"]
    assert copy.call("status")[0] == 0
    assert copy.called("python")[-1] == "python -P -m jobs status"


def test_missing_python_says_how_to_get_it(copy: Copy) -> None:
    _script(copy.tools / "python3", "exit 1\n")  # a Python, but of another version
    code, errors = copy.call("run")
    assert code == 1
    assert "no Python 3.11" in errors
    assert "apt-get install python3.11-venv" in errors


def test_no_network_and_nothing_prepared_says_what_is_missing(copy: Copy) -> None:
    copy.add_python()
    closed = "http://127.0.0.1:9"
    offline = {
        "PIP_INDEX_URL": f"{closed}/simple",
        "PIP_NO_INDEX": "0",
        "PIP_RETRIES": "0",
        "PIP_TIMEOUT": "2",
    }
    code, errors = copy.call("run", PIP_CONFIG_FILE="/dev/null", **offline)
    assert code == 1
    assert "could not install uv" in errors
    assert "The first call needs a network" in errors
    assert "Traceback" not in errors
    assert not (copy.root / ".venv" / "edulake" / "stamp").exists()


def test_packages_that_cannot_be_fetched_leave_no_stamp(copy: Copy) -> None:
    copy.add_python()
    copy.add_environment(uv='case $1 in sync) echo "error: Failed to fetch: no route" >&2; exit 2;; esac')
    for _ in range(2):
        code, errors = copy.call("run")
        assert code == 1
        assert "Failed to fetch: no route" in errors
        assert "The first call needs a network" in errors
    assert not (copy.root / ".venv" / "edulake" / "stamp").exists()
    assert not any("-m jobs run" in call for call in copy.called("python"))


def test_killed_preparation_is_taken_up_again(copy: Copy) -> None:
    copy.add_python()
    copy.add_environment(uv="case $1 in sync) kill -9 $PPID;; esac")
    assert copy.call("status")[0] != 0
    packages = copy.root / ".venv" / "lib" / "python3.11" / "site-packages"
    for name in ("numpy", "numpy-2.0.dist-info", "pip", "uv", "uv-0.13.9.dist-info", "uvloop"):
        (packages / name).mkdir(parents=True)
    (packages / "half.py").touch()

    copy.add_environment()
    assert copy.call("status")[0] == 0
    left = {path.name for path in packages.iterdir()}
    assert left == {"pip", "uv", "uv-0.13.9.dist-info"}, "a killed installation may have left half a package"
    assert copy.called("python")[-1] == "python -P -m jobs status"


def test_two_first_calls_prepare_once(copy: Copy) -> None:
    copy.add_python()
    go = copy.elsewhere / "go"
    copy.add_environment(uv=f'case $1 in sync) while [ ! -e "{go}" ]; do /bin/sleep 0.02; done;; esac')
    first = copy.start("status")
    try:
        assert _wait(lambda: len(copy.called("uv")) == 1)
        second = copy.start("doctor")
        assert second.stderr is not None
        assert "waiting" in second.stderr.readline()
    finally:
        go.touch()
    for process in (first, second):
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(copy.called("uv")) == 1
    assert {call.split()[-1] for call in copy.called("python")} >= {"status", "doctor"}


def test_environment_of_a_moved_checkout_is_made_anew(prepared: Copy) -> None:
    prepared.add_python()
    old = prepared.root / ".venv"
    _script(old / "bin" / "dbt", "").write_text("#!/the/old/place/.venv/bin/python\n")
    (old / "edulake" / "stamp").unlink()
    code, errors = prepared.call("status", PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="")
    assert code == 1, "there is no network in this test, so it ends where uv would be installed"
    assert "making the Python environment" in errors
    assert not (old / "bin" / "dbt").exists()


@pytest.mark.slow
def test_whole_environment_is_made_killed_completed_and_used_offline(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    root.mkdir()
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    (tmp_path / "head.tar").write_bytes(packed.stdout)
    with tarfile.open(tmp_path / "head.tar") as archive:
        archive.extractall(root, filter="data")
    command = [str(root / "edulake"), "doctor"]
    environment = os.environ | {"EDULAKE_JAVA": "packaged", "EDULAKE_HOME": str(tmp_path / "home")}

    killed = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    site = root / ".venv" / "lib" / "python3.11" / "site-packages"
    assert _wait(lambda: site.is_dir() and len(list(site.glob("*.dist-info"))) > 20, 600)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    # At an unlucky moment the list of a package's files is half written.
    record = max(site.glob("*.dist-info/RECORD"), key=lambda path: path.stat().st_size)
    record.write_bytes(record.read_bytes()[:-40])

    completed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert "packaged" in completed.stdout

    closed = "http://127.0.0.1:9"
    offline = environment | dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), closed)
    again = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")
