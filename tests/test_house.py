"""Rules of the house: sizes, words, and where tests lie. Which room may import which: pyproject.toml."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jobs.settings import ROOT

PACKAGES = ("jobs", "portal", "synthetic", "dags", "client", "infra", "dbt", "benchmarks", "tests")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

# Files that may be longer, each with its reason. Data is not Python, so none is needed today.
LONG_FILES: dict[str, str] = {}
# A longer function says why in the comment above it.
_REASON = re.compile(r"#.*\b[Ll]ong because\b")

# Folders of tests that are not named after a package.
OTHER_TESTS = {"benchmarks", "bootstrap", "dbt", "docs", "cases"}
# A package → the folder of its tests, where that is not the one of the same name.
TESTED_BESIDE = {
    "jobs/decide": "tests/jobs/lake",  # frames: what the jobs of decisions share
    "jobs/decide/places/model": "tests/jobs/decide/places",
    "jobs/decide/places/registration": "tests/jobs/decide/places",
    "jobs/decide/safety/reference": "tests/jobs/decide/safety",
    "jobs/decide/safety/school": "tests/jobs/decide/safety",
    "synthetic": "tests/jobs/decide/safety",  # outbreaks, which grade the detection
}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if not {"__pycache__", "node_modules"} & set(path.parts):
                yield path


def long_files(paths: Iterator[Path]) -> list[str]:
    found = []
    for path in paths:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES and path.relative_to(ROOT).as_posix() not in LONG_FILES:
            found.append(f"{path.relative_to(ROOT)}: {lines} lines")
    return found


def long_functions(name: str, text: str) -> list[str]:
    lines = text.splitlines()
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        above = []
        while first > 1 and lines[first - 2].lstrip().startswith("#"):
            first -= 1
            above.append(lines[first - 1])
        if length > MOST_LINES_OF_A_FUNCTION and not _REASON.search("\n".join(above)):
            found.append(f"{name}:{node.lineno} {node.name}: {length} lines")
    return found


def test_no_file_is_longer_than_one_reads_at_once() -> None:
    assert long_files(sources()) == []
    for name, reason in LONG_FILES.items():
        assert reason, name
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > MOST_LINES, (
            f"{name} is short now"
        )


def test_no_function_is_long_without_a_reason() -> None:
    found = [f for p in sources() for f in long_functions(str(p.relative_to(ROOT)), p.read_text("utf-8"))]
    assert found == []


def test_a_long_function_is_found_unless_it_says_why() -> None:
    body = "def f():\n" + "    x = 1\n" * MOST_LINES_OF_A_FUNCTION
    assert long_functions("a.py", body) == ["a.py:1 f: 61 lines"]
    assert long_functions("a.py", "# Long because it is a table.\n" + body) == []


def test_modules_are_many_enough_to_be_the_whole_house() -> None:
    assert len(list(sources())) > 300


def test_only_a_site_has_settings() -> None:
    homes = [
        path.relative_to(ROOT).as_posix()
        for path in sources()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ]
    assert homes == ["jobs/settings.py"]


def test_no_name_is_a_word_for_everything() -> None:
    """`thing` was the private word for a dataset; docs/glossary.md has the words to use."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = next(
                (getattr(node, field) for field in ("id", "arg", "name", "attr") if hasattr(node, field)), ""
            )
            if {"thing", "things"} & set(str(name).lower().split("_")):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}")
    assert found == []


def rooms(package: str) -> list[str]:
    """The packages below a folder that hold modules, as paths."""
    folders = {path.parent for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"}
    return sorted(folder.relative_to(ROOT).as_posix() for folder in folders)


def test_each_room_has_tests_in_the_folder_of_its_name() -> None:
    found = [*rooms("jobs"), *rooms("portal"), *rooms("synthetic"), *rooms("dags")]
    assert len(found) > 15
    folders = {room: ROOT / TESTED_BESIDE.get(room, f"tests/{room}") for room in found}
    # The ground of `jobs` is tested in `tests/jobs` itself.
    assert [room for room, folder in folders.items() if not list(folder.glob("test_*.py"))] == []
    assert set(TESTED_BESIDE) <= set(found), "a package that is gone"


def test_each_folder_of_tests_is_named_after_what_it_tests() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path()}
    astray = [f for f in folders if f.parts[0] not in OTHER_TESTS and not (ROOT / f).is_dir()]
    assert astray == []
