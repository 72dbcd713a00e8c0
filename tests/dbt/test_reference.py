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
from jobs.publish import reference_entries, reference_page, reference_site
from jobs.publish.lineage import Lineage
from jobs.publish.reference_entries import LAYERS, NOTHING, Entry


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
    text = reference_page.page(listed, {"fct_fitness_rate": 12345}, ("关于", "about"))
    seen = _Tags()
    seen.feed(text)
    assert seen.open == []
    assert seen.asks == []
    assert not re.search(r"url\(|@import|fetch\(|https?://", text)
    assert len(seen.ids) == len(set(seen.ids)), "two things of one name"
    assert {reference_page.anchor(entry) for entry in listed} <= set(seen.ids)
    assert "12,345" in text
    assert '<label for="q">' in text
    assert 'aria-live="polite"' in text


@pytest.mark.slow
def test_both_pages_are_built_without_a_release(tmp_path: Path) -> None:
    settings = site.load("beijing", home=tmp_path)
    made = reference_site.build(settings, tmp_path / "docs")
    assert [path.name for path in made] == ["index.html", "dbt.html"]
    assert "尚无发布版本" in made[0].read_text("utf-8")
    assert "fct_fitness_rate" in made[1].read_text("utf-8")
