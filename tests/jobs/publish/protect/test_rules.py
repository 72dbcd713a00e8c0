"""Every number of a public table is declared: a count that is protected, or why it tells of nobody."""

from __future__ import annotations

import pytest

from jobs.publish.protect.rules import read_rule
from jobs.publish.release import ReleaseError

from .conftest import PUBLIC, declared

TABLES = sorted(path.stem for path in PUBLIC.glob("*.sql"))


def test_every_public_number_is_protected_or_harmless() -> None:
    counted: list[str] = []
    for table in TABLES:
        meta = declared(table)
        rule = read_rule(table, meta["protect"])
        numbers = {
            name
            for name, kind in meta["columns"].items()
            if kind.startswith(("integer", "bigint", "decimal", "double", "float"))
        }
        protected = {name for count in rule.counts for name in (count.column, *count.hidden_with)}
        # words that follow from a hidden number are hidden with it
        assert protected <= set(meta["columns"]), table
        assert numbers - set(rule.key) == protected & numbers | set(rule.harmless), table
        assert {*rule.key, *(count.reason for count in rule.counts)} <= set(meta["columns"]), table
        assert all(rule.harmless.values()), table
        counted += [count.column for count in rule.counts]
    # The same number in two tables would have to be hidden in both.
    assert len(counted) == len(set(counted)) >= 7


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (None, "declares no `protect`"),
        ({"key": ["a"], "counts": {"n": {"reason": "r", "part_of": "m"}}}, "part of what"),
        (
            {"key": ["a"], "adds_up": {"by": "b", "whole": "x", "parts": "y", "over": "a"}},
            "not told apart by its key",
        ),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(meta: dict[str, object] | None, words: str) -> None:
    with pytest.raises(ReleaseError, match=words):
        read_rule("pub_some", meta)


def test_what_a_row_tells() -> None:
    panel = read_rule("pub_fitness_district_year", declared("pub_fitness_district_year")["protect"]).panels[0]
    names = [count.column for count in panel.counts]
    told = {
        " ".join(f"{weight:+d} {name}" for name, weight in zip(names, form.weights, strict=True) if weight)
        for form in panel.forms
    }
    assert told == {
        "+1 scored_count",
        "+1 good_or_excellent_count",
        "+1 scored_count -1 good_or_excellent_count",
        "+1 pass_count",
        "+1 scored_count -1 pass_count",
        "-1 good_or_excellent_count +1 pass_count",
    }
