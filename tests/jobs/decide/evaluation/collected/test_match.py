"""What is said of an item: certain where its words are known, a score where they are only alike."""

from __future__ import annotations

import pytest

from jobs.decide.evaluation.collected import match, words
from jobs.decide.evaluation.collected.form import Item
from jobs.decide.evaluation.collected.match import Status

HELD = """
    在校生数（人） 学生数 学生总数 在园幼儿数 分年级在校生数 ３.班级数 学校名称 学校标识码
    校舍建筑面积（平方米） 图书册数（册） 计算机台数 学位数 教师学历 教师姓名 教师性别 学生姓名
    学生性别 学生民族 职称结构 教师任教学科 学生身高（cm） 肺活量 教学仪器设备值（万元）
    校园占地面积 现有班级数 教师出生日期 学生入学年月
"""
MADE = """
    专任教师数 教职工总数 女教师数 体育教师数 本科及以上学历教师数 高级职称教师比例 骨干教师数
    寄宿生数 住校生人数 随迁子女人数 学生数（女） 体质健康优良率 近视率 生均图书册数 师生比
    应急演练次数 学前教育入园率 学生转出人数 少数民族学生数
"""
PART = "每月在校生数 政治面貌 学生血型 在校生数（外籍） 独生子女人数"
# Near misses: words of them are held, they are not.
NEAR = """
    营养午餐人数 教师身高 家长姓名 校长姓名 教师工资 心理教师数 食堂面积 教师培训人数 学生资助人数
    退休教师数 党员教师数 学生座位数 学校食堂数 课后服务参加人数 教师平均年龄 校车数量 学生社团数
    教师宿舍间数 校园欺凌事件数 学生作业时长 网络带宽 校医人数 留级学生数 教师论文数 学校地址
    班主任津贴 图书采购经费 计算机采购金额 在校生满意度
"""
ALIKE = "多媒体教室数 音乐教室面积 保安人数"


def said(text: str, *groups: str) -> match.Answer:
    return match.answer(Item(words.cleaned(text), groups, None, 1))


@pytest.mark.parametrize(
    ("texts", "status"),
    [(HELD, Status.HELD), (MADE, Status.MADE), (PART, Status.PART), (ALIKE, Status.PERHAPS)],
)
def test_each_labeled_item_has_its_answer(texts: str, status: Status) -> None:
    wrong = {text: said(text).status.value for text in texts.split() if said(text).status is not status}
    assert wrong == {}


def test_nothing_near_is_told_as_had() -> None:
    told = {text: said(text).place for text in NEAR.split() if said(text).is_had}
    assert told == {}


def test_recall_and_precision_over_the_labeled_list() -> None:
    had = [*HELD.split(), *MADE.split()]
    others = [*PART.split(), *NEAR.split(), *ALIKE.split()]
    found = [text for text in had if said(text).is_had]
    wrong = [text for text in others if said(text).is_had]
    assert len(found) / len(had) >= 0.95
    assert len(found) / (len(found) + len(wrong)) >= 0.97
    assert len(others) >= 35 <= len(had)


@pytest.mark.parametrize(
    ("text", "group", "status", "dataset"),
    [
        ("人数", "教师情况", Status.MADE, "staff_register"),
        ("学历", "教师情况", Status.HELD, "staff_register"),
        ("身高", "教师情况", Status.NONE, None),
        ("男", "在校生", Status.MADE, "pupil_roll"),
        ("女", "在校生数（人）", Status.MADE, "pupil_roll"),
        ("本科", "专任教师学历", Status.MADE, "staff_register"),
        ("班级数", "学校基本情况", Status.HELD, "school_register"),
        ("在校生数", "学校基本情况", Status.HELD, "grade_return"),
        ("姓名", "家长信息", Status.NONE, None),
        ("学历", "校长", Status.NONE, None),
    ],
)
def test_the_group_above_says_of_whom(text: str, group: str, status: Status, dataset: str | None) -> None:
    found = said(text, group)
    assert (found.status, found.datasets[0] if found.datasets else None) == (status, dataset)


def test_the_answer_names_dataset_column_and_what_is_done() -> None:
    assert said("教师学历").place == "教职工名册.学历 (staff_register.education_level_code)"
    counted = said("本科及以上学历女教师数")
    assert counted.place == "教职工名册 (staff_register)"
    assert set(counted.note.removeprefix("按").removesuffix("统计").split("、")) >= {"学历", "性别"}
    assert said("在校生数（外籍）").note == "未按“外籍”限定"


def test_a_likeness_is_never_certain() -> None:
    found = said("多媒体教室数")
    assert found.score is not None
    assert match.ALIKE <= found.score < 1
    assert not found.is_had
    assert "人工确认" in found.note


def test_a_heading_that_a_contract_learns_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every heading of every dataset is found as it stands: nothing is listed by hand."""
    from jobs import declare

    missed = [
        (contract.dataset, heading)
        for contract in declare.load().values()
        for column in contract.columns
        for heading in column.headings
        if "@" not in heading and len(heading) > 1 and said(heading).status in (Status.NONE, Status.PERHAPS)
    ]
    assert missed == []
