"""The verdict on a file in a clerk's words: one of four, with the next step in one sentence.

A receipt has an outcome and counts (`jobs.ingest.verdicts`). Whoever tells them to people (report, door,
`check`) tells them by `verdict_of`, so that all say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.declare import reasons
from jobs.declare.words import Text
from jobs.ingest import verdicts

ACCEPTED, IN_DOUBT, PARTLY, WHOLE = "accepted", "in_doubt", "partly_refused", "refused"
# Other states of a file: none of the four words is true of them.
HELD, REPEATED, WITHDRAWN, FAILED, WAITING = "held", "repeated", "withdrawn", "failed", "waiting"


@dataclass(frozen=True)
class Verdict:
    """A word for what became of a file, and what its sender does next."""

    code: str
    zh: str
    en: str
    next_zh: str
    next_en: str

    @property
    def word(self) -> Text:
        """Return the verdict."""
        return Text(self.zh, self.en)

    @property
    def next_step(self) -> Text:
        """Return what its sender does next."""
        return Text(self.next_zh, self.next_en)


_WHOLE_WORDS = ("整份退回", "sent back as a whole")
VERDICTS = {
    found.code: found
    for found in (
        Verdict(
            ACCEPTED,
            "正常接收",
            "accepted",
            "全部数据行已生效，不必重报。",
            "All rows count; nothing needs to be sent again.",
        ),
        Verdict(
            IN_DOUBT,
            "接收但有疑问",
            "accepted with questions",
            "全部数据行已生效；请核实标为“核对”或“存疑”的行，有误的更正后重报，无误的不必重报。",
            "All rows count. Check the rows marked 核对 or 存疑: correct what is wrong and send it again; "
            "what is right stays as it is.",
        ),
        Verdict(
            PARTLY,
            "部分退回",
            "sent back in part",
            "合格的行已生效；请按标注更正“退回”的行后重报，只报更正的行即可，要求整表报送的须整表重报。",
            "The accepted rows count. Correct the refused rows as marked and send them again, those "
            "rows alone, unless the table is one that is sent whole.",
        ),
        Verdict(
            WHOLE,
            *_WHOLE_WORDS,
            "没有一行生效；请按所列原因改好 (可下载报送模板填写) 后重新报送整个文件。",
            "No row counts. Mend what is named (the template helps) and send the whole file again.",
        ),
        Verdict(
            HELD,
            *_WHOLE_WORDS,
            "本批暂缓、尚未生效，上一批仍然有效；请按所列原因更正后重新报送整个文件。",
            "This delivery is held, nothing of it counts yet; the one before stands. Correct what is "
            "named and send the whole file again.",
        ),
        Verdict(
            REPEATED,
            "重复报送",
            "sent before",
            "内容与先前收到的文件完全相同，未再处理，以先前那份的结果为准；若本意是更正，请修改后重新报送。",
            "The content equals that of a file received earlier, whose result stands. If it was meant "
            "as a correction, change it and send it again.",
        ),
        Verdict(
            WITHDRAWN,
            "已撤回",
            "withdrawn",
            "本批数据已撤回，不再生效；如需报送，请更正后重新报送。",
            "This delivery was withdrawn, and nothing of it counts. Send what should count again.",
        ),
        Verdict(
            FAILED,
            "暂未读取",
            "not read yet",
            "读取程序出错，与报送内容无关；程序修复后自动重读，不必重新报送。",
            "Our program failed, whatever the file holds. It is read again once the program is mended; "
            "do not send it again.",
        ),
        Verdict(
            WAITING,
            "已收下待核对",
            "received, waiting",
            "文件已安全收下，正在排队核对；请稍后查看结果，不必重新报送。",
            "The file is safe and waits to be checked. Look again in a while; do not send it again.",
        ),
    )
}

# A file of such a verdict is to be mended.
TO_MEND = frozenset({PARTLY, WHOLE, HELD, FAILED})

# The next step of a file that was only looked at: nothing of it is handed in yet.
BEFORE = {
    ACCEPTED: Text("可以报送。", "It can be handed in."),
    IN_DOUBT: Text(
        "可以报送；请先核实标为“核对”或“存疑”的行，有误的先更正。",
        "It can be handed in. Check the rows marked 核对 or 存疑 first, and correct what is wrong.",
    ),
    PARTLY: Text(
        "请按标注更正“退回”的行后再报送；照现在这样报送，这些行不会生效。",
        "Correct the refused rows as marked before it is handed in; as it is, those rows would not count.",
    ),
    WHOLE: Text(
        "请按所列原因改好 (可下载报送模板填写) 后再报送；照现在这样报送会整份退回。",
        "Mend what is named (the template helps) before it is handed in; as it is, it would be sent back.",
    ),
    HELD: Text(
        "请按所列原因更正后再报送；照现在这样报送会整批暂缓。",
        "Correct what is named before it is handed in; as it is, the whole delivery would be held.",
    ),
    REPEATED: Text(
        "内容与先前报送的文件完全相同，不必再报；若本意是更正，请修改后报送。",
        "The content equals that of a file handed in earlier. If it is meant as a correction, change it.",
    ),
    FAILED: Text(
        "读取程序出错，与文件内容无关：请把所用文件的格式告知数据管理单位。",
        "Our program failed, whatever the file holds: tell the office that takes the data which form it has.",
    ),
}

# Outcome of a receipt -> verdict, where the counts do not matter.
_BY_OUTCOME = {
    verdicts.HELD: HELD,
    verdicts.REFUSED: WHOLE,
    verdicts.REPEATED: REPEATED,
    verdicts.FAILED: FAILED,
    WITHDRAWN: WITHDRAWN,
    WAITING: WAITING,
}

# The outcomes that a receipt may show.
OUTCOMES = (
    *(verdicts.ACCEPTED, verdicts.HELD, verdicts.REFUSED, verdicts.REPEATED, WITHDRAWN, verdicts.FAILED),
)


def verdict_of(
    outcome: str, refused_count: int = 0, flagged_count: int = 0, finding_count: int = 0
) -> Verdict:
    """Return the verdict of an outcome and its counts.

    `refused_count` is without the lines that are no data (sums, notes, examples): nobody mends those.
    `finding_count` are the questions that other files raise. Raises KeyError for an unknown outcome.
    """
    if outcome != verdicts.ACCEPTED:
        return VERDICTS[_BY_OUTCOME[outcome]]
    if refused_count > 0:
        return VERDICTS[PARTLY]
    return VERDICTS[IN_DOUBT if flagged_count + finding_count > 0 else ACCEPTED]


def of_receipt(receipt: Mapping[str, Any], finding_count: int = 0) -> Verdict:
    """Return the verdict of a row of `ops__receipt`; `withdrawal` beside it if its delivery is taken back."""
    aside = verdicts.counted(receipt["remarks"] or (), verdicts.ASIDE, verdicts.EXAMPLES)
    finding_count += sum(reasons.code_of(one) == verdicts.TOTAL for one in receipt["remarks"] or ())
    return verdict_of(
        WITHDRAWN if receipt.get("withdrawal") else str(receipt["outcome"]),
        (receipt["refused_count"] or 0) - aside,
        receipt["flagged_count"] or 0,
        finding_count,
    )
