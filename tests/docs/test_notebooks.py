"""The worked examples of `./edulake notebook`: every cell answers on a release, and shows its plot."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobs.cli import notebook
from jobs.settings import Settings, UserError
from portal.app import create_app

from ..portal import test_page as portal

EXAMPLES = sorted(notebook.EXAMPLES.glob("*.py"))


def exported(file: Path, settings: Settings, to: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "marimo",
        "export",
        "html",
        "--no-include-code",
        str(file),
        "-o",
        str(to),
    ]
    env = notebook.environment(settings)
    return subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)


def test_there_are_four_examples() -> None:
    assert [file.stem for file in EXAMPLES] == ["api", "fitness", "places", "senders"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_cell_of_an_example_answers_and_its_plot_is_shown(
    file: Path, lake: Settings, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    # A copy: marimo keeps what it has shown beside the notebook.
    copy = tmp_path / file.name
    with portal.served(create_app(lake)) as address:
        text = file.read_text(encoding="utf-8")
        copy.write_text(text.replace("http://127.0.0.1:8090", address), encoding="utf-8")
        done = exported(copy, lake, page)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = page.read_text(encoding="utf-8")
    assert "vega" in shown
    assert "Synthetic data" in shown, "who sees a figure of a made-up city sees that it is one"


def test_a_cell_that_fails_is_found(lake: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    text = EXAMPLES[1].read_text(encoding="utf-8")
    broken.write_text(text.replace("good_or_excellent_share", "no_such_column"), encoding="utf-8")
    assert exported(broken, lake, tmp_path / "page.html").returncode != 0


def test_examples_lie_in_the_sites_folder_and_own_changes_stay(settings: Settings) -> None:
    folder = notebook.placed(settings)
    assert {file.name for file in folder.iterdir()} == {file.name for file in EXAMPLES}
    (folder / "places.py").write_text("mine")
    (folder / "fitness.py").unlink()
    assert notebook.placed(settings) == folder
    assert (folder / "places.py").read_text() == "mine"
    assert (folder / "fitness.py").read_bytes() == (notebook.EXAMPLES / "fitness.py").read_bytes()


def test_an_unknown_notebook_is_named_with_those_there_are(settings: Settings) -> None:
    for name in ("nothing", "../secrets/x"):
        with pytest.raises(UserError, match="no notebook") as told:
            notebook.notebook(name, "beijing")
        assert "places" in told.value.way_out


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The command at work, in a process of its own; its address with the token."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["notebook", "--headless", "--port", str(port), "--site", "beijing"]
    env = os.environ | {"EDULAKE_HOME": str(settings.home.parent), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "jobs", *words]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            command, cwd=settings.root, env=env, stdout=said, stderr=said, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://\S+", (tmp_path / "said").read_text())):
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.05)
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=60)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


def test_notebooks_are_served_on_this_machine_alone_and_with_a_token(served: str) -> None:
    assert re.match(r"http://(127\.0\.0\.1|localhost):\d+", served)
    assert "access_token=" in served
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(served, timeout=10) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
