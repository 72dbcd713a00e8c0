"""`./edulake test`: which linters it runs, and what it says of those that fail or are missing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobs.cli import check
from jobs.screen import Screen
from jobs.settings import ROOT

PASSES = [sys.executable, "-c", ""]
FAILS = [sys.executable, "-c", "raise SystemExit(3)"]
MISSING = ["/no/such/tool"]


def test_linters_are_the_hooks_in_their_order_with_this_environments_tools() -> None:
    found = check.linters()
    assert list(found) == ["lint", "format", "imports", "types", "SQL", "YAML", "spelling"]
    for name, (tool, *_) in found.items():
        assert Path(tool).parent == Path(sys.executable).parent, name
        assert Path(tool).is_file(), name


def test_a_hook_that_is_added_is_a_step_at_once(tmp_path: Path) -> None:
    hooks = yaml.safe_load(check.HOOKS.read_text(encoding="utf-8"))
    hooks["repos"][0]["hooks"].append(
        {"id": "x", "name": "more", "entry": ".venv/bin/more --than 'one word'"}
    )
    changed = tmp_path / "hooks.yaml"
    changed.write_text(yaml.safe_dump(hooks), encoding="utf-8")
    assert check.linters(changed)["more"][1:] == ["--than", "one word"]


def test_no_hook_needs_a_network() -> None:
    hooks = yaml.safe_load(check.HOOKS.read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks["repos"][0]["hooks"]} == {"system"}


def test_pre_commit_itself_takes_the_file_and_runs_a_hook(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("pre-commit")), "run", "typos", "--all-files"]
    if not (ROOT / ".git").exists():
        pytest.skip("pre-commit needs a git repository, and these files are not in one")
    environment = os.environ | {"PRE_COMMIT_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("steps", "in_ci", "code", "says"),
    [
        ({"a": PASSES, "b": PASSES}, True, 0, "every check passed"),
        ({"a": FAILS, "b": PASSES}, False, 1, "failed: a"),
        ({"a": PASSES, "b": MISSING}, False, 0, "NOT RUN"),
        ({"a": PASSES, "b": MISSING}, True, 1, "failed: b"),
    ],
)
def test_each_step_runs_and_failures_are_named(
    monkeypatch: pytest.MonkeyPatch, steps: dict[str, list[str]], in_ci: bool, code: int, says: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    printed = io.StringIO()
    assert check.run_steps(steps, Screen(file=printed, width=100)) == code
    assert says in printed.getvalue()
    assert "2/2 b" in printed.getvalue(), "a failure must not end the steps after it"


def test_a_slow_linter_runs_beside_the_tests_and_its_words_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    wrong = [sys.executable, "-c", "print('line 7: [wrong]'); raise SystemExit(1)"]
    printed = io.StringIO()
    code = check.run_steps({"slow": wrong, "tests": PASSES}, Screen(file=printed, width=100), beside=["slow"])
    assert code == 1
    assert "failed: slow" in printed.getvalue()
    assert "line 7: [wrong]" in printed.getvalue()


def test_the_slow_linters_are_hooks() -> None:
    assert set(check.SLOW_LINTERS) < set(check.linters())


@pytest.mark.parametrize(("in_ci", "code", "word"), [(False, 0, "SKIPPED"), (True, 1, "ERROR")])
def test_a_missing_browser_is_named_and_fails_in_ci(
    tmp_path: Path, in_ci: bool, code: int, word: str
) -> None:
    """The page's own tests on a machine without chromium: its folder of programs is empty."""
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"PATH": str(tmp_path)}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "tests/portal/test_page.py",
            "-k",
            "page_by_page",
        ],
        cwd=ROOT,
        env=environment | ({"CI": "true"} if in_ci else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert word in done.stdout
    assert "NOT RUN: chromium" in done.stdout
