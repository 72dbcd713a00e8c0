"""What a sender is asked of a total that is no sum (`jobs.reading.wide`): a remark told line by line."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.declare import reasons
from jobs.declare.words import Explanation, Text
from jobs.ingest import verdicts

SAID = Explanation(
    Text("合计等于所合计的各数之和", "A total is the sum of what it stands for"),
    Text("这一格的合计与所合计的各数之和不符", "This total is not the sum of the numbers that it stands for"),
    Text(
        "请核对各数是否齐全、有误, 更正后重报; 合计本身不计入",
        "Check the numbers, correct what is wrong and send it again; totals themselves do not count.",
    ),
)


def is_one(remark: str) -> bool:
    """Whether a remark of a receipt is about a total."""
    return reasons.code_of(remark) == verdicts.TOTAL


def unread(remarks: Iterable[str] | None) -> list[str]:
    """Return the remarks that are not told line by line."""
    return [remark for remark in remarks or () if not is_one(remark)]
