"""What a sender is told of a file: one of four words, and one next step."""

from __future__ import annotations

import pytest

from jobs.declare import reasons
from jobs.ingest import verdicts
from jobs.replies import verdict


@pytest.mark.parametrize(
    ("outcome", "counts", "word"),
    [
        ("accepted", (0, 0, 0), "正常接收"),
        ("accepted", (0, 3, 0), "接收但有疑问"),
        ("accepted", (0, 0, 1), "接收但有疑问"),
        ("accepted", (1, 3, 1), "部分退回"),
        ("held", (5, 0, 0), "整份退回"),
        ("refused", (0, 0, 0), "整份退回"),
        ("repeated", (0, 0, 0), "重复报送"),
        ("withdrawn", (1, 1, 0), "已撤回"),
        ("failed", (0, 0, 0), "暂未读取"),
        ("waiting", (0, 0, 0), "已收下待核对"),
    ],
)
def test_outcome_and_counts_are_one_word_and_one_sentence(
    outcome: str, counts: tuple[int, int, int], word: str
) -> None:
    found = verdict.verdict_of(outcome, *counts)
    assert found.zh == word
    for said, end in ((found.next_zh, "。"), (found.next_en, ".")):
        assert said.endswith(end)
    assert found.next_zh.count("。") == 1


def test_every_outcome_has_a_verdict_and_no_other() -> None:
    own = {verdicts.ACCEPTED, verdicts.HELD, verdicts.REFUSED, verdicts.REPEATED, verdicts.FAILED}
    assert {*verdict.OUTCOMES} == own | {"withdrawn"}
    assert all(verdict.verdict_of(outcome) for outcome in verdict.OUTCOMES)
    with pytest.raises(KeyError):
        verdict.verdict_of("lost")


def test_lines_that_are_no_data_send_nothing_back() -> None:
    receipt = {"outcome": "accepted", "refused_count": 2, "flagged_count": 0}
    aside = reasons.text("lines_aside", lines=2)
    assert verdict.of_receipt(receipt | {"remarks": [aside]}).code == verdict.ACCEPTED
    assert verdict.of_receipt(receipt | {"remarks": []}).code == verdict.PARTLY
    gone = receipt | {"remarks": [aside], "withdrawal": object()}
    assert verdict.of_receipt(gone).code == verdict.WITHDRAWN
