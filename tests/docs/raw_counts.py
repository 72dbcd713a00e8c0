"""The answers to the ten questions, counted from the raw files in plain Python."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from .raw_files import Landing, Row, day

Answer = list[tuple[Any, ...]]
_STAGES = {"primary": "小学", "junior": "初中", "senior": "高中"}
_KINDERGARTENS = {"11", "幼儿园"}
_ON_ROLL = {"1", "2", "在学", "休学", "在校", "在籍"}
_DEGREES = {
    **dict.fromkeys(("doctor", "master", "bachelor", "博士研究生", "硕士研究生", "本科"), True),
    **dict.fromkeys(("associate", "senior_secondary", "below", "专科", "高中阶段", "高中阶段以下"), False),
}


def stage(grade: str) -> str:
    """Stage of a year of schooling, 01 to 12."""
    return _STAGES["primary" if int(grade) <= 6 else "junior" if int(grade) <= 9 else "senior"]


class Counts:
    """Counts of one landing, for a year and the year before."""

    def __init__(self, landing: Landing, districts: Path, as_of: date) -> None:
        self.landing, self.as_of = landing, as_of
        with districts.open(encoding="utf-8") as lines:
            self.names = {row["code"]: row for row in csv.DictReader(lines)}

    @cached_property
    def schools(self) -> dict[str, Row]:
        """The newest line of each school of the registers, with its district's name as `district`."""
        found: dict[str, Row] = {}
        for file in self.landing.files("学校名录_"):
            for row in self.landing.rows(file):
                found[row["学校标识码"]] = row | {"district": self.names[file.sender]["meaning_zh"]}
        return found

    @cached_property
    def merged(self) -> dict[str, str]:
        """The school that went on with another."""
        return {
            row["原学校标识码"]: row["新学校标识码"]
            for file in self.landing.files("学校变动_", least=0)
            for row in self.landing.rows(file)
            if row["新学校标识码"] and row["新学校标识码"] != row["原学校标识码"]
        }

    def rolls(self, year: int) -> dict[str, list[Row]]:
        """The lines of a school year's autumn rolls by pupil."""
        found: dict[str, list[Row]] = defaultdict(list)
        for file in self.landing.newest(f"在籍学生名册_{year}-{year + 1}-1").values():
            for row in self.landing.rows(file):
                found[self.landing.pupil(row["学籍号"])].append(row)
        return found

    def changed_school(self, year: int) -> Answer:
        """District, pupils who left a school of it for another of the city, pupils who came to one so."""
        old, new = self.rolls(year - 1), self.rolls(year)
        left: Counter[str] = Counter()
        came: Counter[str] = Counter()
        for pupil in old.keys() & new.keys():
            before = [row for row in old[pupil] if row["学籍状态"] in _ON_ROLL]
            now = [row for row in new[pupil] if row["学籍状态"] in _ON_ROLL]
            if not before or not now or stage(before[0]["年级"]) != stage(now[0]["年级"]):
                continue
            was, is_now = sorted(map(_school, before)), sorted(map(_school, now))
            # on two rolls at once, or in a school that was merged: one school in common is enough
            if not {*was, *(self.merged.get(school, school) for school in was)} & {*is_now}:
                left[self.schools[was[0]]["district"]] += 1
                came[self.schools[is_now[0]]["district"]] += 1
        return [(name, left[name], came[name]) for name in left.keys() | came.keys()]

    def migrants(self, year: int) -> Answer:
        """District, stage, migrant children, pupils of whom it is known."""
        known: Counter[tuple[str, str]] = Counter()
        migrant: Counter[tuple[str, str]] = Counter()
        for rows in self.rolls(year).values():
            # on two rolls at once: in the school with the lesser code
            row = min((r for r in rows if r["学籍状态"] in ("1", "在学")), key=_school, default=None)
            if row is not None:
                cell = self.schools[row["学校标识码"]]["district"], stage(row["年级"])
                known[cell] += 1
                migrant[cell] += row["是否随迁子女"] in ("1", "是")
        return [(*cell, migrant[cell], count) for cell, count in known.items()]

    def degrees(self) -> Answer:
        """District, staff with a bachelor's degree or higher, staff whose degree is known."""
        above: Counter[str] = Counter()
        known: Counter[str] = Counter()
        for file in self.landing.newest("教职工名册_").values():
            for row in self.landing.rows(file):
                name, has = self.schools[row["学校标识码"]]["district"], _DEGREES.get(row["学历"])
                above[name] += has is True
                known[name] += has is not None
        return [(name, above[name], count) for name, count in known.items()]

    def digital_use(self, year: int) -> Answer:
        """Zone, uses of digital resources by pupils of primary and secondary schools, such pupils."""
        uses: Counter[str] = Counter()
        pupils: Counter[str] = Counter()
        for term in (1, 2):
            for file in self.landing.files(f"数字资源使用_{year}-{year + 1}-{term}"):
                for row in self.landing.rows(file):
                    school = row.get("学校标识码") or row["school_code"]
                    by = row.get("用户类型") or row["user_kind"]
                    if by in ("学生", "pupil") and self.schools[school]["办学类型"] not in _KINDERGARTENS:
                        uses[self._zone(school)] += int(row.get("使用次数") or row["uses"])
        for file in self.landing.newest(f"分年级在校生数_{year}").values():
            for row in self.landing.rows(file):
                if not (row["年级"].startswith("K") or row["年级"] in ("小班", "中班", "大班")):
                    pupils[self.names[file.sender]["zone_zh"]] += int(row["在校生数"])
        return [(zone, uses[zone], count) for zone, count in pupils.items()]

    def _zone(self, school: str) -> str:
        name = self.schools[school]["district"]
        return next(row["zone_zh"] for row in self.names.values() if row["meaning_zh"] == name)

    def topics(self) -> Answer:
        """Month, topic, cases, closed ones that the caller is satisfied with, closed ones that say so."""
        cases: dict[str, Row] = {}
        for file in self.landing.files("接诉即办工单_"):
            cases |= {row["工单编号"]: row for row in self.landing.rows(file)}
        count: Counter[tuple[date, str]] = Counter()
        satisfied: Counter[tuple[date, str]] = Counter()
        told: Counter[tuple[date, str]] = Counter()
        for row in cases.values():
            cell = day(row["受理日期"]).replace(day=1), row["诉求主题"]
            count[cell] += 1
            if row["办结日期"]:
                satisfied[cell] += row["是否满意"] in ("1", "是")
                told[cell] += row["是否满意"] != ""
        return [(*cell, n, satisfied[cell], told[cell]) for cell, n in count.items()]

    def girls_800m(self, years: Iterable[int], standard: Path) -> Answer:
        """District, school year, girls with a time over 800 m, those who pass by the table of their grade."""
        with standard.open(encoding="utf-8") as lines:
            slowest = {
                grade: int(row["threshold"])
                for row in csv.DictReader(lines)
                if (row["item_code"], row["points"]) == ("run_800m", "60")
                for grade in row["grade_codes"].split("|")
            }
        tested: Counter[tuple[str, str]] = Counter()
        passed: Counter[tuple[str, str]] = Counter()
        for year in years:
            for school, row in self._sittings(year).values():
                seconds = _seconds(row["time"])
                if row["性别"] in ("2", "女") and seconds is not None and row["年级编号"] in slowest:
                    cell = self.schools[school]["district"], f"{year}-{year + 1}"
                    tested[cell] += 1
                    passed[cell] += seconds <= slowest[row["年级编号"]]
        return [(*cell, count, passed[cell]) for cell, count in tested.items()]

    def _sittings(self, year: int) -> dict[str, tuple[str, Row]]:
        """Pupil -> school and line that stands: the retest of who sat again, the newest correction."""
        stated: dict[tuple[str, str, bool], Row] = {}
        for file in self.landing.files(f"体质健康测试成绩_{year}-{year + 1}"):
            for row in self.landing.rows(file):
                key = (
                    self.landing.pupil(row["学籍号"]),
                    file.sender,
                    row.get("补测", "") not in ("", "0", "否"),
                )
                time = next((text for name, text in row.items() if name.startswith("800米跑")), "")
                if row.get("操作", "") == "撤销":
                    stated.pop(key, None)
                else:
                    stated[key] = row | {"time": time}
        found: dict[str, tuple[str, Row]] = {}
        for (pupil, school, is_retest), row in sorted(
            stated.items(), key=lambda s: (s[0][2], s[1].get("测试日期", ""))
        ):
            if not is_retest or _seconds(row["time"]) is not None:
                found[pupil] = school, row
        return found

    def open_hazards(self) -> Answer:
        """District, school, hazard, days after the day by which it was to be mended (below 0: before)."""
        hazards: dict[tuple[str, str], Row] = {}
        for file in self.landing.files("隐患排查治理台账_"):
            hazards |= {(row["学校标识码"], row["隐患编号"]): row for row in self.landing.rows(file)}
        return [
            (
                self.schools[school]["district"],
                self.schools[school]["学校名称"],
                hazard,
                (self.as_of - day(row["计划完成日期"])).days,
            )
            for (school, hazard), row in hazards.items()
            if row["状态"] not in ("closed", "已闭环")
        ]

    def late_rolls(self, due: dict[str, date]) -> Answer:
        """District, term, due day and days after it, of each roll whose first file came late."""
        found = []
        for term, day_due in due.items():
            first: dict[str, str] = {}
            for file in self.landing.files(f"在籍学生名册_{term}"):
                first.setdefault(file.sender, file.received)
            late = {sender: (date.fromisoformat(came) - day_due).days for sender, came in first.items()}
            found += [
                (self.names[s]["meaning_zh"], term, day_due, days) for s, days in late.items() if days > 0
            ]
        return found

    def places(self) -> dict[str, int]:
        """Places that the registers state, by school, without schools of few years, which still fill up."""
        full = date(self.as_of.year - 6, 1, 1)
        return {
            row["学校名称"]: int(row["学位数"])
            for row in self.schools.values()
            if row["学位数"] and day(row["启用日期"]) < full
        }

    def indicator(self, name: str, targets: Path) -> Answer:
        """Year, the city's value in percent by the sums of its districts, the plan's target."""
        with targets.open(encoding="utf-8") as lines:
            target = next(row for row in csv.DictReader(lines) if row["indicator_no"] == name)
        words = {target["indicator_code"], target["name_zh"]}
        newest: dict[tuple[str, str], Row] = {}
        for file in self.landing.files("规划指标_"):
            for row in self.landing.rows(file):
                if row["指标代码"] in words:
                    newest[row["年度"], file.sender] = row
        year = max(told for told, _ in newest)
        rows = [row for (told, _), row in newest.items() if told == year]
        value = 100 * sum(int(r["分子"]) for r in rows) / sum(int(r["分母"]) for r in rows)
        return [(int(year), value, float(target["target_value"]))]


def _school(row: Row) -> str:
    return row["学校标识码"]


def _seconds(time: str) -> int | None:
    """3.58, 3:58, 3′58″, 3分58秒 and 238 are one time; anything else is none."""
    if re.fullmatch(r"\d{3}", time):
        return int(time)
    if found := re.fullmatch(r"(\d)[.](\d{1,2})", time):
        return int(found[1]) * 60 + int(found[2].ljust(2, "0"))
    if found := re.fullmatch(r"(\d)[:'′分](\d{1,2})[\"″秒]?", time):
        return int(found[1]) * 60 + int(found[2])
    return None
