"""No page points at nothing: links, anchors, paths, modules and commands that pages name are there."""

from __future__ import annotations

import importlib.util
import re
from itertools import product
from pathlib import Path

import pytest

from jobs.settings import ROOT

from . import pages

LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:jobs|dags|dbt|docs|expectations|infra|portal|synthetic|tests|benchmarks)/[^`\s]*)`")
# A file that is named outside backticks too, in a block of commands say.
FILE = re.compile(r"(?<![\w/`.\]-])((?:jobs|dags|dbt|expectations|infra|portal|synthetic|tests)/[\w/]+\.\w+)")
MODULE = re.compile(r"`((?:jobs|portal|synthetic)(?:\.[a-z_]+)+)[`(]")
COMMAND = re.compile(r"\./edulake ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*))?")
PAGES = pages.markdown()


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(found) for found in re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)}


def dead_links(page: Path) -> list[str]:
    """Links of a page to a file or an anchor that is not there."""
    dead = []
    # An expression in a code span is no link, though it looks like one.
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "code", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


def missing_paths(text: str) -> list[str]:
    """Paths in a text that match nothing; `{a,b}` stands for both, `<x>` and `…` for anything."""
    missing = []
    for named in [*NAMED.findall(text), *FILE.findall(text)]:
        parts = [p.split(",") if i % 2 else [p] for i, p in enumerate(re.split(r"[{}]", named))]
        for path in ("".join(choice) for choice in product(*parts)):
            pattern = re.sub(r"<[^>]*>|…", "*", path.split(":")[0]).rstrip("/")
            if not any(any(ROOT.glob(p)) for p in (pattern, f"{pattern}.py", f"{pattern}.sql")):
                missing.append(path)
    return missing


def missing_modules(text: str) -> list[str]:
    """Dotted names that are neither a module nor something in one."""
    return [name for name in MODULE.findall(text) if not _is_there(name)]


def _is_there(name: str) -> bool:
    module, _, inside = name.rpartition(".")
    if (ROOT / name.replace(".", "/")).is_dir() or (ROOT / f"{name.replace('.', '/')}.py").is_file():
        return True
    spec = importlib.util.find_spec(module) if "." in module else None
    return bool(spec and spec.origin and re.search(rf"\b{inside}\b", Path(spec.origin).read_text("utf-8")))


def missing_commands(text: str) -> list[str]:
    known = pages.command_tree()
    return [
        f"{command} {below}".strip()
        for command, below in COMMAND.findall(text)
        if command not in known or (known[command] and below and below not in known[command])
    ]


def test_there_are_pages_with_links() -> None:
    assert len(PAGES) > 70
    assert sum(len(LINK.findall(page.read_text("utf-8"))) for page in PAGES) > 300


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    assert dead_links(page) == []
    assert missing_paths(text) == []
    assert missing_modules(text) == []
    assert missing_commands(text) == []


def test_what_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](page.md#one) [d](other.md) [e](https://example.org)\n")
    assert dead_links(page) == ["#two", "other.md"]
    named = "`jobs/{settings,absent}.py` `jobs/<room>/` `dbt/models/absent/` and jobs/gone.py"
    assert missing_paths(named) == ["jobs/absent.py", "dbt/models/absent/", "jobs/gone.py"]
    assert missing_modules("`jobs.settings.load` `jobs.settings.absent` `jobs.absent`") == [
        "jobs.settings.absent",
        "jobs.absent",
    ]
    assert missing_commands("./edulake run, ./edulake unlearn, ./edulake feed list, ./edulake feed eat") == [
        "unlearn",
        "feed eat",
    ]


def test_each_decision_has_a_date_and_a_status_and_stands_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    found = sorted(page for page in folder.glob("*.md") if page.name != "README.md")
    assert len(found) >= 15
    listed = (folder / "README.md").read_text("utf-8")
    for page in found:
        head = page.read_text("utf-8").split("\n## ")[0]
        assert re.search(r"^Date: \d{4}-\d\d-\d\d\b.* · Status: (accepted|superseded)", head, re.MULTILINE), (
            page
        )
        assert f"]({page.name})" in listed, page
