"""What a check finds: the file, what is wrong with it, and what a repair will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.declare.words import Text

Say = Callable[[str], None]

WRONG = {
    "missing": Text("文件缺失", "is missing"),
    "changed": Text("内容被改动", "was changed"),
    "size": Text("大小不符", "has another size"),
    "unreadable": Text("无法读取", "cannot be read"),
    "log": Text("表日志不完整", "the table's log is broken"),
    "short": Text("行数与回执不符", "rows differ from the receipts"),
    "stray": Text("有行而无回执", "rows without a receipt"),
    "sum": Text("行数不平", "lines do not add up"),
    "pointer": Text("发布指针损坏", "the pointer names no sound release"),
    "unlisted": Text("清单未列此文件", "no manifest or log names it"),
    "unknown_run": Text("缺少运行记录", "the run has no record"),
    "waits": Text("有处理未完成", "work is half done"),
}
MENDS = {
    "copy": Text("从副本恢复", "copy it back from the second copy"),
    "reread": Text("从接收区重读", "read its lines again from landing"),
    "remake": Text("由原始层重算", "make its rows again from raw"),
    "rescore": Text("重新评分", "score its rows again"),
    "again": Text("移出, 文件待重新处理", "take the rows out; the files wait for the next run"),
    "aside": Text("移出; 重新运行后再发布", "set it aside; the next run publishes again"),
    "point": Text("指向最近完好的发布版", "point to the newest sound release"),
    "find": Text(
        "在接收区找相同内容; 否则须重报",
        "look for the same bytes in landing; else its sender must send it again",
    ),
    "remove": Text("删除", "remove it"),
    "renew": Text("重建", "write it anew"),
    "lose": Text("无法恢复; 说明损失", "say what is lost; the rest goes on"),
    "none": Text("不必处理", "nothing"),
}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong (or, as a note, left over). `subject`: a table, a release or a receipt."""

    place: str
    wrong: str
    mend: str
    subject: str = ""
    detail: str = ""
    is_note: bool = False

    def cells(self) -> tuple[str, str, str]:
        """The finding as a row of the table that is printed."""
        detail = f" ({self.detail})" if self.detail else ""
        mend = MENDS[self.mend]
        wrong = WRONG[self.wrong]
        return self.place, f"{wrong.zh} {wrong.en}{detail}", f"{mend.zh} {mend.en}"


def ignore(_: Any) -> None:
    """Say nothing."""
