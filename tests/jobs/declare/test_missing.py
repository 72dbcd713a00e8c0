"""The one list of reasons: whole, in both languages, and every code that our code writes is in it."""

from __future__ import annotations

import re

from jobs import declare
from jobs.decide.evaluation.balance import changed, stages, values
from jobs.decide.evaluation.compare import similar
from jobs.decide.fitness import score
from jobs.declare import missing, standards
from jobs.publish.protect import states
from jobs.settings import ROOT


def test_each_reason_has_words_in_both_languages_and_a_symbol() -> None:
    told = missing.reasons()
    assert len(told) == len(declare.code_list(missing.LIST).rows) > 40
    assert [code for code, words in told.items() if not all(words.values())] == []
    assert [code for code, words in told.items() if not re.search(r"[\u4e00-\u9fff]", words["zh"])] == []


def test_every_reason_that_python_writes_is_listed() -> None:
    left_out = {
        row["case_code"]
        for row in standards.rows("evaluation/balance_special_cases")
        if row["effect"] == "left_out"
    }
    written = {
        *(states.SMALL, states.COMPLEMENT, states.UNTOLD, states.WITHHELD, "x"),
        *(stages.LOST, stages.NOT_REGISTERED, stages.NOT_STATED, stages.NO_STAFF),
        *(values.NO_PUPILS, values.NOT_COLLECTED, changed.NO_ANSWER, changed.TOO_MANY, similar.TOO_FEW),
        *left_out,
        *(score.STATUS_ZH.keys() - set(missing.NO_REASON)),
    }
    assert len(written) > 20
    assert written - missing.reasons().keys() == set()


def test_every_reason_that_sql_writes_is_listed() -> None:
    written: set[str] = set()
    for file in [*(ROOT / "dbt" / "models").rglob("*.sql"), *(ROOT / "dbt" / "macros").glob("*.sql")]:
        text = file.read_text("utf-8")
        for case in re.findall(
            r"case\b((?:(?!\bcase\b).)*?)\bend as (?:\w+_)?missing_reason", text, re.DOTALL
        ):
            written |= set(re.findall(r"(?:then|else) '(\w+)'", case))
    assert {"no_denominator", "u", "not_in_lake"} <= written
    assert written - missing.reasons().keys() == set()


def test_a_column_of_reasons_is_known_by_its_name_and_an_unknown_code_stays_itself() -> None:
    assert missing.is_reason_column("pass_missing_reason")
    assert missing.is_reason_column("missing_reason")
    assert missing.is_reason_column("rate_status")
    assert not missing.is_reason_column("day_reason_code")
    assert missing.told("k") == "人数过少，不予公布"
    assert (missing.told("moon"), missing.told(None)) == ("moon", "")
