"""Make `.venv` equal to `uv.lock`, with Delta's jars in it; what is there already is kept.

Run by the wrapper `edulake` as `python prepare.py <stamp>`, with any Python 3.11 and nothing but its standard
library. The stamp is written last, so a set-up that was killed is taken up again by the next call; two calls
at once wait for each other. Needs a network only for what is missing.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = ROOT / "uv.lock"
VENV = ROOT / ".venv"
STATE = VENV / "edulake"
PYTHON = VENV / "bin" / "python"


class NotPreparedError(Exception):
    """A step failed; says which, and what a person can do."""


def main(stamp: str) -> None:
    """Prepare the environment unless its stamp is `stamp` already; one process at a time."""
    # The lock belongs to the open file and ends with the process, however it ends.
    with LOCK.open("rb") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another call is preparing the environment; waiting for it")
            fcntl.flock(turn, fcntl.LOCK_EX)
        if (STATE / "stamp").is_file() and (STATE / "stamp").read_text() == stamp and works(PYTHON, "-V"):
            return
        make_environment()
        sync(find_uv())
        fetch_jars()
        fresh = STATE / f"stamp.{os.getpid()}"
        fresh.write_text(stamp)
        fresh.replace(STATE / "stamp")


def make_environment() -> None:
    """An empty `.venv` of this Python, unless a usable one of this checkout stands there."""
    usable = works(PYTHON, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))")
    if usable and not is_moved():
        return
    say("making the Python environment in .venv (once; about 2 GB)")
    problem = run(sys.executable, "-m", "venv", "--clear", VENV)
    if problem is not None and works("uv", "--version"):
        # Debian's Python cannot put pip into it without the package python3-venv; uv needs none.
        problem = run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    if problem is not None:
        raise NotPreparedError(
            f"could not make .venv: {problem}\n"
            "On Debian 12: apt-get install python3.11-venv. Elsewhere: a complete Python 3.11."
        )


def is_moved() -> bool:
    """Whether the checkout was moved since: scripts in `.venv/bin` name their Python by its full path."""
    for script in (VENV / "bin" / "dbt", VENV / "bin" / "pip"):
        if script.is_file():
            first = script.read_bytes()[:4096].split(b"\n", 3)
            return not any(str(VENV).encode() in line for line in first)
    return False


def find_uv() -> Path:
    """The pinned uv of the environment, else one from PATH where the environment has no pip."""
    own = VENV / "bin" / "uv"
    if works(own, "--version"):
        return own
    pinned = re.search(r'^name = "uv"\nversion = "([^"]+)"', LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None:
        raise NotPreparedError("uv.lock does not pin uv.\nRestore it from the repository.")
    if not works(PYTHON, "-m", "pip", "--version"):
        if works("uv", "--version"):
            return Path("uv")
        shutil.rmtree(VENV)
        raise NotPreparedError("the environment was incomplete and has been removed.\nRun the command again.")
    say(f"installing uv {pinned[1]}")
    problem = run(PYTHON, "-m", "pip", "install", "--quiet", "--no-input", f"uv=={pinned[1]}")
    if problem is not None:
        raise NotPreparedError(
            f"could not install uv, with which every other package comes: {problem}\n"
            "The first call needs a network with a Python package index, as pip is set; later ones none."
        )
    return own


def sync(uv: Path) -> None:
    """Every package of the lock. An installation that was killed may have left halves: then all anew."""
    STATE.mkdir(parents=True, exist_ok=True)
    unfinished = STATE / "unfinished"
    if unfinished.exists():
        remove_packages()
    unfinished.touch()
    say("installing the packages of uv.lock")
    # Byte code for all at once: else every one of Airflow's processes compiles the same modules side by side.
    options = ["--frozen", "--inexact", "--compile-bytecode", "--quiet"]
    problem = run(uv, "sync", *options, "--project", ROOT)
    if problem is not None:
        raise NotPreparedError(
            f"could not install the packages of uv.lock: {problem}\n"
            "The first call needs a network with a Python package index and 3 GB of disk; later ones none."
        )
    unfinished.unlink()


def remove_packages() -> None:
    """Remove all packages but the tools that bring them. uv would read the list of a package's files before
    it replaced the package, and fails where that list was cut short.
    """
    tools = re.compile(r"(pip|uv|setuptools)(-.*)?|pkg_resources|.*distutils.*")
    for path in VENV.glob("lib/python3.11/site-packages/*"):
        if not tools.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def fetch_jars() -> None:
    """Fetch Delta's jars with the environment's own Python."""
    if subprocess.run([PYTHON, "-m", "jobs.spark.jars"], cwd=ROOT).returncode:
        raise NotPreparedError("")


def works(*command: Path | str) -> bool:
    """Whether the command can be run and ends with 0."""
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def run(*command: Path | str) -> str | None:
    """Null when it went well, else its last words."""
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, cwd=ROOT
    )
    words = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return None if done.returncode == 0 else " / ".join(words[-3:])


def say(words: str) -> None:
    """Print a line for the person who waits."""
    print(f"edulake: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stamp", help="what the wrapper says of uv.lock, the jars and this checkout")
    try:
        main(parser.parse_args().stamp)
    except NotPreparedError as error:
        if str(error):
            say(str(error))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("stopped; the next call goes on from here")
        raise SystemExit(130) from None
