"""The reference of all layers: everything is documented, and the page says it without asking anybody."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs import settings as site
from jobs.declare import ContractError, column_units
from jobs.files import parse_yaml
from jobs.lake import tables
from jobs.publish import reference_entries, reference_page, reference_site, release
from jobs.publish.contract import Change
from jobs.publish.lineage import Lineage
from jobs.publish.reference_entries import LAYERS, NOTHING, Entry
from jobs.settings import Settings


@pytest.fixture(scope="module")
def listed(found: Lineage) -> list[Entry]:
    return reference_entries.entries(found)


def test_every_column_of_every_layer_is_documented(listed: list[Entry]) -> None:
    assert {entry.layer for entry in listed} == LAYERS.keys()
    assert sum(len(entry.lines) for entry in listed) > 3000
    assert reference_entries.undocumented(listed) == []


def test_what_is_not_documented_is_found(listed: list[Entry]) -> None:
    mart = next(entry for entry in listed if entry.name == "fct_fitness_rate")
    silent = replace(mart.lines[0], means=("", "x"), privacy="", sources=())
    assert reference_entries.undocumented([replace(mart, means=("x", " "), lines=(silent,))]) == [
        "mart fct_fitness_rate: en",
        *(f"mart fct_fitness_rate.{silent.name}: {lack}" for lack in ("zh", "privacy", "source")),
    ]
    with pytest.raises(ContractError, match="a number without a unit"):
        column_units.unit_of("flux")


def test_every_declared_unit_is_of_some_number(listed: list[Entry]) -> None:
    declared = parse_yaml(column_units.FILE.read_text("utf-8"))
    numbers = {line.name for entry in listed for line in entry.lines if line.unit != NOTHING}
    first = {next((p for p in declared["columns"] if fnmatchcase(name, p)), "") for name in numbers}
    assert [pattern for pattern in declared["columns"] if pattern not in first] == []


def test_values_of_persons_keep_their_class_in_marts(listed: list[Entry]) -> None:
    marts = {
        entry.name: {line.name: line for line in entry.lines} for entry in listed if entry.layer == "mart"
    }
    pupils = marts["fct_fitness_result"]
    of_pupils = {
        name: pupils[name].privacy for name in ("pupil_key", "height_cm", "bmi", "sex_code", "school_code")
    }
    assert of_pupils == {
        "pupil_key": "pseudonym",
        "height_cm": "sensitive",
        "bmi": "sensitive",
        "sex_code": "quasi",
        "school_code": "ordinary",
    }
    assert {line.privacy for line in marts["fct_fitness_rate"].values()} == {"ordinary"}
    assert [
        name for lines in marts.values() for name, line in lines.items() if line.privacy == "direct"
    ] == []


class _Tags(HTMLParser):
    """Notes what is open, what asks for something, and the ids."""

    VOID = ("meta", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asks: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.asks += [f"{tag} {name}" for name in ("src", "href", "action") if name in told]
        if told.get("id"):
            self.ids.append(str(told["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(listed: list[Entry]) -> None:
    changed = {"fct_fitness_rate": ("发布 3 起", "since release 3")}
    text = reference_page.page(listed, {"fct_fitness_rate": 12345}, changed, ("关于", "about"))
    seen = _Tags()
    seen.feed(text)
    assert seen.open == []
    assert seen.asks == []
    assert not re.search(r"url\(|@import|fetch\(|https?://", text)
    assert len(seen.ids) == len(set(seen.ids)), "two things of one name"
    assert {reference_page.anchor(entry) for entry in listed} <= set(seen.ids)
    assert "12,345" in text
    assert text.count("发布 3 起") == text.count("since release 3") == 1
    assert '<label for="q">' in text
    assert 'aria-live="polite"' in text


def test_each_table_says_when_it_last_changed(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    current = release.current(lake)
    assert current is not None
    told = reference_site.last_changes(lake, current)
    run, day = current.run_id, current.manifest["as_of_date"]
    assert told["fct_fitness_rate"] == (
        f"版本 1.0.0，自发布 1（{day}）起未变", f"version 1.0.0, unchanged since release 1 ({day})"
    )  # fmt: skip
    assert told["decision_fitness__percentile"][1].endswith(f", run {run}")
    days = {file.parent.name[:10] for file in lake.landing.glob("physical_fitness/*/*/*")}
    assert told["recheck_sample"][1].removeprefix("delivered ") in days
    change = vars(Change("fct_fitness_rate", "minor", "column_added", "share"))
    newer = {**current.manifest, "versions": {"fct_fitness_rate": "1.1.0"}, "changes": [change]}
    monkeypatch.setattr(release, "read", lambda _: replace(current, manifest=newer))
    assert reference_site.last_changes(lake, replace(current, manifest=newer))["fct_fitness_rate"] == (
        f"版本 1.1.0，发布 1（{day}）：新增字段 share", f"version 1.1.0, release 1 ({day}): new column share"
    )  # fmt: skip


def test_tidying_a_table_is_no_change(settings: Settings) -> None:
    for run in ("2025-01-01.1", "2025-01-01.2"):
        tables.append_rows(settings, "ops__refused_row", [{"rule": "x"}], run, run)
    told = reference_site.last_changes(settings, None)
    assert told["ops__refused_row"][0].endswith("写入，运行 2025-01-01.2")
    table = tables.open_table(settings, "ops__refused_row")
    assert table is not None
    table.optimize.compact()
    assert table.history(1)[0]["operation"] == "OPTIMIZE"
    assert reference_site.last_changes(settings, None) == told


@pytest.mark.slow
def test_both_pages_are_built_without_a_release(tmp_path: Path) -> None:
    settings = site.load("beijing", home=tmp_path)
    made = reference_site.build(settings, tmp_path / "docs")
    assert [path.name for path in made] == ["index.html", "dbt.html"]
    assert "尚无发布版本" in made[0].read_text("utf-8")
    assert "fct_fitness_rate" in made[1].read_text("utf-8")
