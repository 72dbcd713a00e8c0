"""Reports of a small release: three formats with one text, what is missing, names that are no markup."""

from __future__ import annotations

import io
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import docx
import pypdf
import pytest

from jobs.publish import release as releases
from jobs.publish.release import Release
from jobs.reports import district, docx_file, group, html_page, pdf_file, school
from jobs.reports.model import Chart, Report, Table
from jobs.settings import ROOT, UserError

from . import reading
from .conftest import LONG, RARE, SHOWN, make


@pytest.fixture(scope="module")
def report(release: Release) -> Report:
    return district.report(release, "110105", 2024)


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html_page.page(report)


@pytest.fixture(scope="module")
def document(report: Report) -> bytes:
    return docx_file.file(report)


@pytest.fixture(scope="module")
def printed(report: Report) -> bytes:
    return pdf_file.pdf(report)


def ask(release: Release, query: str) -> list[tuple]:
    return releases.open_release(release, "district-110105").execute(query).fetchall()


def test_page_and_document_say_the_same_words_in_the_same_order(page: str, document: bytes) -> None:
    words, _ = reading.html(page)
    # The page has its title twice: in the heading and for the reader's window.
    assert words == reading.word(document)


def test_the_pdf_says_all_words_of_the_page_in_their_order(page: str, printed: bytes) -> None:
    text, at = reading.pdf(printed), 0
    for words in reading.html(page)[0]:
        found = text.find(words, at)
        assert found >= 0, f"{words!r} is not after {text[max(0, at - 60) : at]!r}"
        at = found + len(words)


def test_words_of_narrow_columns_stay_whole_and_charts_keep_their_colors(page: str) -> None:
    assert re.search(r'<td class="short">(小学|初中)</td>', page)
    assert '<th scope="col" class="short">学段' in page
    assert not re.search(r'class="short">[^<]{12,}<', page)
    assert "fill:#" in page
    assert "<text" in page
    assert not re.search(r"<text [^>]* fill=", page), "the page's own rule would win over it"


def test_each_figure_is_its_value_rounded_half_up(report: Report, page: str) -> None:
    values = reading.html(page)[1]
    figures = report.figures()
    assert [text for _, text in values] == [figure.text for figure in figures]
    checked = 0
    for value, text in values:
        if not value:
            continue
        number = re.match(r"-?[\d,]+(\.\d+)?", text)
        assert number is not None, text
        digits = len(number[1] or ".") - 1
        exact = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        assert number[0].replace(",", "") == str(exact), (value, text)
        checked += 1
    assert checked > 100


def test_figures_are_those_of_the_release(release: Release, report: Report) -> None:
    tables = {
        block.caption: block
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Table)
    }

    def cells(caption: str) -> list[list[str]]:
        return [
            [piece if isinstance(piece, str) else piece.text for piece in row] for row in tables[caption].rows
        ]

    ahead = ask(
        release,
        "select forecast_count, lower_80_count, upper_80_count, supply_count, surplus_count,"
        " shortage_probability from fct_places_gap order by school_year_start",
    )
    assert [row[2:8] for row in cells("各学段学位余缺预测")] == [
        [*(f"{value:,.0f}" for value in row[:5]), f"{row[5] * 100:.0f}"] for row in ahead
    ]
    (totals,) = ask(
        release,
        "select sum(pupil_count), count(distinct school_code) from fct_enrollment_grade"
        " where school_year_start = 2024",
    )
    assert cells("2024—2025学年各学段学校与在校生")[-1][:3] == ["合计", str(totals[1]), f"{totals[0]:,}"]
    assert cells("2024—2025学年安全隐患")[-1] == ["合计", "11", "3", "2", "8"]
    assert [row[3] for row in cells("2024年规划主要指标")] == ["92.13", "74.00"], "92.125 goes up"
    told = ["另一比例", "%", "-3.26", "0.00", "-3.00", "0.00", "0.00", "-0.26"]
    assert cells("2024年上报值与湖内核算值的差异及原因") == [told]


def test_a_verdict_names_the_first_gate_that_fails_and_nothing_is_weighed(report: Report, page: str) -> None:
    words = "".join(reading.html(page)[0])
    assert "义务教育优质均衡（2025—2026学年）未通过，首个未通过环节为资源配置：R2_cv" in words
    assert "发布版没有2024—2025学年的评估，以下为2025—2026学年" in words
    (rules,) = [
        b for s in report.sections for b in s.blocks if isinstance(b, Table) and "未采集的项目" in b.caption
    ]
    shown = [[piece if isinstance(piece, str) else piece.text for piece in row] for row in rules.rows]
    assert [(row[3], row[6]) for row in shown] == [
        ("未达到", "超出限值"),
        ("未采集", "2所学校未采集"),
        ("未达到", "报送为否"),
        ("未采集", "未采集"),
    ], "what is met is not listed"
    assert shown[0][4:6] == ["0.4505", "0.4500"], "rounded once: the mart has four digits of 0.45049"
    assert "综合得分" not in words


def test_what_it_would_take_is_listed_by_school(report: Report) -> None:
    (change,) = [s for s in report.sections if s.key == "change"]
    costs, listed = [block for block in change.blocks if isinstance(block, Table)]
    shown = [
        [[p if isinstance(p, str) else p.text for p in row] for row in table.rows]
        for table in (costs, listed)
    ]
    assert shown[0] == [["小学", "150,000", "149,000"]]
    assert shown[1] == [
        ["某小学", "小学", "调入", "骨干教师", "1.0", "0"],
        ["某小学", "小学", "增加", "体育运动场馆（平方米）", "100.5", "150,000"],
        ["某小学", "小学", "调出", "骨干教师", "1.0", "0"],
    ]


def test_the_ladder_says_the_step_since_when_and_why(report: Report, page: str) -> None:
    words = "".join(reading.html(page)[0])
    assert "某达标率提醒2025年3月1日264连续两年低于应达值2026-03-01起通报" in words
    assert "退回率[" in words
    (further,) = [s for s in report.sections if s.key == "further"]
    (table,) = [block for block in further.blocks if isinstance(block, Table)]
    assert [[piece if isinstance(piece, str) else piece.text for piece in row] for row in table.rows] == [
        ["退回率", "%", "2025", "0.125", "—", "—", "0.250"]
    ]


def test_a_district_on_no_step_is_told_so(release: Release) -> None:
    assert "没有处于督导措施中的指标" in html_page.page(district.report(release, "110109", 2024))


def test_a_school_is_told_its_similar_schools_or_that_there_are_too_few(release: Release) -> None:
    told = "".join(reading.html(html_page.page(school.profile(release, "2110500001")))[0])
    assert "小学：同类学校30所" in told
    assert "最近的是同类第1校、同类第2校、同类第3校、同类第4校、同类第5校。" in told
    told = re.sub(r"\([a-z]\)|\[\d+\]", "", told)
    assert "体质健康优良率2024-202580.1%66.6%高于86%的同类学校" in told
    few = html_page.page(school.profile(release, "2110500002", 2024))
    assert "低于 90 % 的同类学校" not in few, "the position would tell the hidden rate"
    assert "同类学校过少，不作比较" in html_page.page(school.profile(release, "2110500002"))


def test_every_figure_has_a_definition_with_source_and_day(report: Report) -> None:
    numbers = {one.number: one for one in report.definitions}
    marks = {mark for mark, _ in report.notes}
    for figure in report.figures():
        one = numbers[figure.definition]
        assert one.label
        assert one.meaning
        assert one.source
        assert one.as_of == "2025-11-20"
        assert set(figure.notes) <= marks
    assert set(numbers) == set(range(1, len(numbers) + 1))
    assert all(figure.notes for figure in report.figures() if figure.text == "—"), "a missing value says why"


def test_small_cells_are_hidden_and_say_so(release: Release) -> None:
    of_school = school.profile(release, "2110500001", 2024)
    (_, table) = [
        block
        for section in of_school.sections
        for block in section.blocks
        if isinstance(block, Table) and section.key == "fitness"
    ]
    hidden = next(row for row in table.rows if row[0] == "二年级")
    assert [piece.text for piece in hidden[1:] if not isinstance(piece, str)] == ["—"] * 4
    written = html_page.page(of_school) + html_page.page(district.report(release, "110105", 2024))
    for small in ("44.4", "55.6", "44.44", "0.4444", "0.5555", "55.55", "65.6", "67.8", ">7<", ">9<"):
        assert small not in written, small
    assert "人数过少" in written


def test_names_are_words_in_every_format(release: Release) -> None:
    of_school = school.profile(release, "2110500001", 2024)
    assert of_school.title == f"{SHOWN}概况"
    shown = reading.bare(SHOWN)
    page = html_page.page(of_school)
    assert shown in reading.html(page)[0][1]
    assert "<b>甲" not in page
    assert shown in "".join(reading.word(docx_file.file(of_school)))
    assert shown in reading.pdf(pdf_file.pdf(of_school))


def test_a_long_name_stays_on_the_page(release: Release) -> None:
    of_school = school.profile(release, "2110500002", 2024)
    data = pdf_file.pdf(of_school)
    assert LONG in reading.pdf(data)
    wide = 0.0

    def note(text: str, outer: list[float], inner: list[float], *_: object) -> None:
        nonlocal wide
        wide = max(wide, inner[4] * outer[0] + outer[4]) if text.strip() else wide

    for sheet in pypdf.PdfReader(io.BytesIO(data)).pages:
        sheet.extract_text(visitor_text=note)
        assert 0 < wide < float(sheet.mediabox.width)


def test_a_profile_is_one_sheet(release: Release) -> None:
    for made in (
        school.profile(release, "2110500001"),
        group.profile(release, "110105G01"),
        district.profile(release, "110105", 2024),
    ):
        pages = pypdf.PdfReader(io.BytesIO(pdf_file.pdf(made))).pages
        assert len(pages) == 2, "its face, and the definitions on its back"
        assert "口径与来源" in pages[1].extract_text()
        assert "口径与来源" not in pages[0].extract_text()


def test_a_group_adds_its_members_up(release: Release) -> None:
    (members,) = [
        block
        for section in group.profile(release, "110105G01", 2024).sections
        for block in section.blocks
        if isinstance(block, Table) and section.key == "members"
    ]
    counts = [[piece.value for piece in row if not isinstance(piece, str)] for row in members.rows]
    assert counts[-1] == [sum(column) for column in zip(*counts[:-1], strict=True)]
    assert members.rows[0][0] == SHOWN, "the lead school first"


def test_a_district_without_schools_has_a_report_that_says_so(release: Release) -> None:
    made = district.report(release, "门头沟区", 2024)
    text = "".join(reading.html(html_page.page(made))[0])
    assert made.slug == "110109-2024"
    assert "门头沟区没有2024—2025学年的学校或在校生数据" in text
    assert "门头沟区没有学位预测" in text
    assert not made.figures()
    assert pdf_file.pdf(made)
    assert docx_file.file(made)


def test_a_release_without_a_table_says_so_in_its_section(tmp_path: Path) -> None:
    old = make(tmp_path, without=("fct_plan_indicator", "fct_school_outlook", "fct_balance_rule"))
    made = district.report(old, "110105", 2024)
    assert "没有 fct_plan_indicator，本节从缺" in html_page.page(made)
    assert "没有 fct_balance_rule，本节从缺" in html_page.page(made)
    assert len(made.figures()) > 50
    assert "没有 fct_school_outlook，本节从缺" in html_page.page(school.profile(old, "2110500001"))


@pytest.mark.parametrize(
    ("make_it", "words"),
    [
        (lambda r: district.report(r, "110105", 1999), "Years with figures: 2021–2025"),
        (lambda r: district.report(r, "110106", 2024), "110105 朝阳区"),
        (lambda r: district.report(r, "朝阳", 2024), "110105 朝阳区"),
        (lambda r: school.profile(r, "2110500009"), "2110500001"),
        (lambda r: school.profile(r, RARE[:4]), "2110500003"),
        (lambda r: school.profile(r, "2110500001", 2001), "Years with figures: 2023–2025"),
        (lambda r: group.profile(r, "110105G02"), "110105G01 某教育集团"),
        (lambda r: group.profile(r, "110105G01", 2001), "2023–2025"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_what_is(release: Release, make_it, words: str) -> None:
    with pytest.raises(UserError) as error:
        make_it(release)
    assert words in f"{error.value.message} {error.value.way_out}"


def test_the_same_release_gives_the_same_bytes(
    release: Release, page: str, document: bytes, printed: bytes, tmp_path: Path
) -> None:
    again = district.report(make(tmp_path), "110105", 2024)
    assert html_page.page(again) == page
    assert docx_file.file(again) == document
    assert pdf_file.pdf(again) == printed


def test_a_page_asks_for_nothing_and_is_marked_as_made_up(page: str) -> None:
    assert 'lang="zh-CN"' in page
    assert "合成数据" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)|url\(|@import|<script""", page)
    assert page.count("<th scope=") > 50
    assert page.count('<svg role="img" aria-label=') == page.count("<svg ") > 1


def test_the_pdf_is_accessible_and_brings_its_chinese_font(report: Report, printed: bytes) -> None:
    reader = pypdf.PdfReader(io.BytesIO(printed))
    assert reader.metadata is not None
    assert reader.metadata.title == report.title
    assert reader.trailer["/Root"]["/Lang"].startswith("zh")
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    fonts = {
        font["/BaseFont"]
        for sheet in reader.pages
        for font in (one.get_object() for one in sheet["/Resources"]["/Font"].values())
    }
    assert fonts
    assert all("NotoSansSC" in name for name in fonts), "no font of this machine"


def test_the_document_has_headings_alternative_texts_and_repeated_rows(
    report: Report, document: bytes
) -> None:
    made = docx.Document(io.BytesIO(document))
    charts = [block for section in report.sections for block in section.blocks if isinstance(block, Chart)]
    told = [shape._inline.docPr.get("descr") for shape in made.inline_shapes]
    assert told == [f"{chart.title}: {chart.alt}" for chart in charts]
    assert len(charts) == 4
    assert [one.text for one in made.paragraphs if one.style.name == "Heading 1"][:2] == [
        one.title for one in report.sections[:2]
    ]
    assert document.count(b"PK") > 5
    assert all(
        "tblHeader" in table.rows[0]._tr.xml for table in made.tables if table.style.name.startswith("Light")
    )


def test_declared_figures_name_columns_that_marts_have() -> None:
    from jobs.reports.book import declared

    models = ROOT / "dbt" / "models" / "marts"
    for key, one in declared().items():
        table, _, column = one.source.partition(".")
        (file,) = models.rglob(f"{table}.yml")
        assert f"name: {column}," in file.read_text(encoding="utf-8"), key


def test_the_font_has_what_it_is_said_to_have() -> None:
    from fontTools.ttLib import TTFont

    common = [chr(code) for code in range(0x4E00, 0xA000) if not pdf_file.rare(chr(code))]
    assert len(common) == 6763, "the Chinese characters of GB 2312"
    for weight in ("Regular", "Bold"):
        known = TTFont(pdf_file.FONTS / f"NotoSansSC-{weight}.ttf").getBestCmap()
        assert [one for one in common if ord(one) not in known] == []


def test_rare_characters_are_told(release: Release) -> None:
    assert pdf_file.rare(pdf_file.words(school.profile(release, "2110500003"))) == "𠮷𬭼"
    assert pdf_file.rare("朝阳区，“学校”（一）—2024、①½±") == ""
