"""Reasons are codes with details; their sentences are in one file, in two languages, and decide nothing."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import relations, verdicts
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


# Said within another sentence, which says what to do.
_NESTED = "{because}"
_DO_ZH = re.compile("请|无需|不必|自动重读")
_DO_EN = re.compile(
    r"\b(send|add|use|delete|remove|unhide|rename|put|hand|name|check|save|fill|correct|export|unpack|compress"
    r"|write|read (it )?again|reads (the file|it) again|nothing)\b",
    re.IGNORECASE,
)
# What no sender should read: a name of ours, a pattern.
_OURS = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b|\[[^\]]+-[^\]]+\]")


def faults(sentence: dict[str, str]) -> list[str]:
    """What a reason's sentences lack: a way out in each language, words that a stranger knows."""
    said = {language: re.sub(r"{\w+(:[^}]*)?}", "", text) for language, text in sentence.items()}
    found = [] if _DO_ZH.search(said["zh"]) else ["no way out in Chinese"]
    found += [] if _DO_EN.search(said["en"]) else ["no way out in English"]
    found = [] if all(_NESTED in text for text in sentence.values()) else found
    return found + [f"{language}: ours" for language, text in said.items() if _OURS.search(text)]


def test_every_reason_says_the_way_out() -> None:
    told = {code: faults(dict(sentence)) for code, sentence in reasons.sentences().items()}
    assert {code: wrong for code, wrong in told.items() if wrong} == {}
    assert faults({"zh": "文件是空的", "en": "The file is empty."}) == [
        "no way out in Chinese",
        "no way out in English",
    ]
    assert faults({"zh": "请改为 birth_count", "en": "Use [0-9]."}) == ["zh: ours", "en: ours"]


def test_every_relation_says_the_way_out() -> None:
    """What lines of several files owe each other is told as plainly."""
    for relation in relations.load().values():
        for language, text, do in (("zh", relation.fix_zh, _DO_ZH), ("en", relation.fix_en, _DO_EN)):
            assert do.search(text), (relation.name, language)
        for text in (relation.wrong_zh, relation.wrong_en, relation.fix_zh, relation.fix_en):
            assert not _OURS.search(text), relation.name


def test_what_a_sender_typed_is_left_out_of_receipts() -> None:
    """A detail is in our own words, or listed as typed: a new one has to be the one or the other."""
    named = {name for code in reasons.sentences().values() for name in _details(code["en"])}
    assert named - {*reasons.TYPED, "place", "because"} <= OUR_OWN
    inner = reasons.text("header_lacks", line=2, dataset="birth", columns=["birth_count"], sheet="2班")
    outer = reasons.text("table_skipped", member="张三.csv", sheet="2班", because=inner)
    kept = reasons.without_text(outer)
    assert "2班" in outer
    assert not re.search("2班|张三", kept)
    assert reasons.code_of(kept) == "table_skipped"
    for language in ("zh", "en"):
        assert "birth_count" not in reasons.sentence(kept, language)  # type: ignore[arg-type]
        for code in reasons.sentences():
            if "headings" in _details(reasons.sentences()[code][language]):  # type: ignore[index]
                told = reasons.without_text(reasons.text(code, dataset="birth", line=2, headings=["张三"]))
                assert "…" in reasons.sentence(told, language)  # type: ignore[arg-type]


OUR_OWN = {
    *("megabytes", "kind", "row", "column", "line", "encoding", "most", "count", "within", "dataset"),
    *(
        "columns",
        "other_dataset",
        "minutes",
        "error",
        "receipt",
        "refused",
        "share",
        "rows",
        "before",
        "least",
        "lines",
        "sender",
        "senders",
        "period",
        "day",
    ),
}


def _details(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_a_code_without_words_is_no_reason() -> None:
    with pytest.raises(KeyError):
        reasons.text("no_such_code")


def test_details_are_put_into_the_language_of_the_sentence() -> None:
    lacking = reasons.text("header_lacks", line=2, dataset="birth", columns=["birth_count"], sheet="2班")
    assert (
        reasons.sentence(lacking, "zh")
        == "工作表“2班”第2行像“出生人口”的表头, 但缺少: 出生人数。请补上这些列后重新报送"
    )
    assert reasons.sentence(lacking, "en") == (
        "Line 2 of sheet “2班” looks like a header of “Births by unit and calendar year”, but lacks: "
        "Births (出生人数). Add these columns and send it again."
    )
    picture = reasons.text("no_table", kind="picture")
    skipped = reasons.text("member_skipped", member="公章.png", because=picture)
    assert "这是图片" in reasons.sentence(skipped, "zh")
    assert "This is a picture" in reasons.sentence(skipped, "en")
    fell = reasons.text("rows_fell", rows=50.0, before=100.0, least=0.7)
    both = reasons.joined([fell, picture], "zh")
    assert both.startswith("每期 50 行, 少于上次 100 行的 70%: 请补齐后")
    assert "; 这是图片" in both
    assert reasons.joined([fell], "en").startswith("50 rows per snapshot, fewer than 70% of the 100 before: ")
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
