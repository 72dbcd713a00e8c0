"""Files that failed elsewhere, each by its own way: landed, read, judged, and answered by a report.

All of them are landed in one lake and taken in one run; `cases.yaml` says what is right for each.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobs import clock, declare
from jobs import settings as site_settings
from jobs.ingest import clean, raw, relations
from jobs.lake import deliveries, links, persons, receipt_text, tables
from jobs.lake.runs import Run
from jobs.replies import report
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
CASES: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "cases.yaml").read_text("utf-8"))
RUN, RECEIVED = "2025-11-01.1", date(2025, 11, 1)


@dataclass
class Answer:
    """What became of one file: its receipt, its accepted rows by line, its refused lines with their rules."""

    receipt: dict[str, Any]
    accepted: dict[int, dict[str, Any]] = field(default_factory=dict)
    refused: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    findings: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def codes(self) -> set[str]:
        """Return every code that the sender is told: of reasons, of remarks, of rules."""
        said = [json.loads(text) for text in (*self.receipt["reasons"], *self.receipt["remarks"])]
        return {one["code"] for one in said}.union(*self.refused.values())


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory, engine_url: str, spark: SparkSession
) -> tuple[Settings, dict[str, Answer]]:
    """The lake of all cases after one run, and the answer to each file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_HOME", str(tmp_path_factory.mktemp("cases")))
        patch.setenv("EDULAKE_SITE", "beijing")
        patch.setenv("EDULAKE_SPARK", engine_url)
        settings = site_settings.load().prepare()
        landed = {
            hashlib.sha256((HERE / "files" / name).read_bytes()).hexdigest(): name
            for name, case in CASES.items()
            if deliveries.land(settings, HERE / "files" / name, case["feed"], case["sender"], RECEIVED)
        }
        for feed in dict.fromkeys(case["feed"] for case in CASES.values()):
            raw.write_raw(settings, RUN, feed)
            clean.clean_rows(settings, spark, RUN, feed)
        links.find_links(settings)
        day = date.fromisoformat(RUN.partition(".")[0])
        relations.measure(
            settings,
            Run(
                RUN,
                "beijing",
                day,
                clock.end_of_day(day, settings.timezone),
                "test",
                "0" * 16,
                7,
                "running",
                None,
                {},
            ),
        )
    answers = {landed[r["file_sha256"]]: Answer(r) for r in receipt_text.receipts(settings)}
    for row in tables.rows(settings, "ops__refused_row"):
        answers[landed[row["file_sha256"]]].refused[row["line_number"]].add(row["rule"])
    for row in tables.rows(settings, "ops__finding"):
        answers[landed[row["file_sha256"]]].findings[row["relation"]].append(row["line_number"])
    for contract in declare.load().values():
        if tables.open_table(settings, contract.table):
            for row in tables.rows(settings, contract.table):
                answers[landed[row["_file_sha256"]]].accepted[row["_line_number"]] = row
    return settings, answers


def same(value: Any, right: Any) -> bool:
    """A number equals a number, whatever its type; all else by its text."""
    if isinstance(right, int | float) and value is not None:
        return float(value) == right
    return str(value) == str(right)


@pytest.mark.parametrize("name", CASES)
def test_each_file_is_answered_rightly(name: str, taken: tuple[Settings, dict[str, Answer]]) -> None:
    case, answer = CASES[name], taken[1][name]
    right = case.get("outcome", answer.receipt["outcome"])
    assert answer.receipt["outcome"] in ([right] if isinstance(right, str) else right), answer
    for line, values in case.get("rows", {}).items():
        assert line in answer.accepted, (line, answer.refused.get(line))
        for column, value in values.items():
            assert same(answer.accepted[line][column], value), (line, column, answer.accepted[line][column])
    for column, values in case.get("never", {}).items():
        found = [row[column] for row in answer.accepted.values()]
        assert not [value for value in found if any(same(value, wrong) for wrong in values)]
    assert set(case.get("refused", ())) <= set(answer.refused)
    assert not set(case.get("refused", ())) & set(answer.accepted)
    assert len(answer.accepted) == case.get("accepted", len(answer.accepted))
    for line, rules in case.get("asked", {}).items():
        assert {flag.partition(":")[2] for flag in answer.accepted[line]["flags"]} >= set(rules), line
    for relation, lines in case.get("findings", {}).items():
        assert sorted(answer.findings[relation]) == lines
    assert set(case.get("says", ())) <= answer.codes()
    if "pupils" in case:
        one = persons.persons(taken[0], clock.start_of_day(date(2025, 12, 1), taken[0].timezone))
        keys = [row["pupil_key"] for row in answer.accepted.values()]
        assert len({one.get(key, key) for key in keys}) == case["pupils"]


@pytest.mark.parametrize("name", CASES)
def test_each_sender_gets_a_report(name: str, taken: tuple[Settings, dict[str, Answer]]) -> None:
    settings, answers = taken
    told = report.gather(settings, answers[name].receipt)
    assert len(told.facts()) == len(dict(told.facts())) > 5
    assert {problem.line for problem in told.problems} >= set(answers[name].refused)
