"""The reporting calendar as a page of the dictionary: who owes what by when, in words."""

from __future__ import annotations

from jobs.declare import contracts, reporting
from jobs.declare.reporting import Day, Due

_SENDERS = {"district": "区 districts", "city": "市级部门 offices of the city", "school": "学校 schools"}
_EVERY = {
    "school_year": "学年 school year",
    "term": "学期 term",
    "calendar_year": "自然年 year",
    "half_year": "半年 half year",
    "month": "月 month",
}
_HEADINGS = (
    *("数据表 dataset", "报送单位 senders", "报送期 every", "开报 opens", "截止 due"),
    *("遇非工作日 day off", "有效 in force", "依据 basis"),
)
_ANCHOR = {"begins": ("期初", "begin"), "ends": ("期末", "end")}
_MOVES = {"next": "顺延 next", "previous": "提前 previous", "stays": "不变 stays"}


def page() -> list[str]:
    """The page's lines, without its head: one table for each file of the calendar."""
    lines = [
        "# 报送日历 Reporting calendar",
        "",
        "谁、什么数据、最迟哪天；非工作日的截止日按“遇非工作日”移动。"
        "Who owes what by which day; a due day that is no working day moves. "
        "`fct_reporting_calendar` shows what came of it.",
    ]
    for name, file in reporting.files().items():
        lines += [
            "",
            f"## {name} ({', '.join(file.jurisdictions)})",
            "",
            f"| {' | '.join(_HEADINGS)} |",
            f"|{' --- |' * len(_HEADINGS)}",
            *map(_row, file.due),
        ]
    return [*lines, ""]


def _row(one: Due) -> str:
    contract = contracts.load()[one.dataset]
    types = f" ({', '.join(one.types)})" if one.types else ""
    in_force = f"{one.valid_from} – {one.valid_to or ''}".strip()
    cells = (
        f"[{one.dataset}]({one.dataset}.md) {contract.zh}",
        _SENDERS[one.senders] + types,
        _EVERY[one.every],
        _told(one.opens),
        _told(one.due),
        _MOVES[one.moves],
        in_force,
        one.basis,
    )
    return f"| {' | '.join(cells)} |"


def _told(day: Day) -> str:
    zh, en = _ANCHOR[day.after]
    if day.by is not None:
        return f"{zh}后首个 {day.by} first after the {en}"
    for count, unit_zh, unit in (
        (day.days, "天", "days"),
        (day.workdays, "个工作日", "working days"),
        (day.school_days, "个教学日", "school days"),
    ):
        if count is not None:
            return f"{zh}后 {count} {unit_zh} {unit} after the {en}" if count else f"{zh} the {en}"
    raise AssertionError(day)
