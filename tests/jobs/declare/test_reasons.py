"""Reasons are codes with details; their sentences are in one file, in two languages, and decide nothing."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import verdicts
from jobs.ingest.verdicts import HELD, REPEATED, Filed
from jobs.settings import ROOT

MADE = re.compile(
    r"(?:reasons\.text|UnreadableError|NoTableError|_refuse_undecodable)\("
    r"(?:data, \"[\w-]+\", )?\s*\"(\w+)\""
)


def used() -> set[str]:
    """Every code that some module makes a reason of."""
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "jobs").rglob("*.py")]
    return {code for source in sources for code in MADE.findall(source)}


def test_every_code_has_words_in_both_languages_and_every_sentence_a_code() -> None:
    assert len(used()) > 40
    assert used() == reasons.sentences().keys()
    for code, sentence in reasons.sentences().items():
        assert sentence.keys() == {"zh", "en"}, code
        assert re.search("[一-龥]", sentence["zh"]), code
        assert not re.search("[一-龥]", sentence["en"]), code
        details = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in sentence.values()]
        assert details[0] - {"place"} == details[1] - {"place"}, code


def test_a_code_without_words_is_no_reason() -> None:
    with pytest.raises(KeyError):
        reasons.text("no_such_code")


def test_details_are_put_into_the_language_of_the_sentence() -> None:
    lacking = reasons.text("header_lacks", line=2, dataset="birth", columns=["birth_count"], sheet="2班")
    assert reasons.sentence(lacking, "zh") == "工作表“2班”第2行像“出生人口”的表头, 但缺少: 出生人数"
    assert (
        reasons.sentence(lacking, "en")
        == "Line 2 of sheet “2班” looks like a header of birth, but lacks birth_count."
    )
    picture = reasons.text("no_table", kind="picture")
    skipped = reasons.text("member_skipped", member="公章.png", because=picture)
    assert "这是图片" in reasons.sentence(skipped, "zh")
    assert "This is a picture" in reasons.sentence(skipped, "en")
    fell = reasons.text("rows_fell", rows=50.0, before=100.0, least=0.7)
    assert reasons.joined([fell, picture], "zh").startswith("每期 50 行, 少于上次 100 行的 70%; 这是图片")
    assert reasons.joined([fell], "en") == "50 rows per snapshot, fewer than 70% of the 100 before."
    assert reasons.joined(None, "en") == ""


def test_rewording_a_sentence_changes_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def file(day: int, content: int, accepted: int) -> Filed:
        return Filed(
            receipt_id=f"r{day}",
            feed="enrollment",
            sender="110101",
            received=f"2025-09-{day:02d}",
            delivery_no=1,
            file_name="名册.csv",
            sha256=f"{content:064x}",
            dataset="pupil_roll",
            line_count=100,
            accepted_count=accepted,
            refused_count=100 - accepted,
            scope_count=1,
        )

    files = [file(1, 0, 100), file(2, 1, 40), file(3, 0, 100)]
    before = verdicts.judge(files, declare.load())
    assert [before[f.receipt_id].outcome for f in files][1:] == [HELD, REPEATED]
    reworded: dict[str, Any] = {
        code: {"zh": "另一种说法", "en": "other words"} for code in reasons.sentences()
    }
    monkeypatch.setattr(reasons, "sentences", lambda: reworded)
    assert verdicts.judge(files, declare.load()) == before
    assert reasons.sentence(before["r2"].reasons[0], "zh") == "另一种说法"
