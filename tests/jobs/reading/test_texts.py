"""Text files line by line: encodings, quotation marks, JSON, web pages that call themselves workbooks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from jobs import declare
from jobs.reading import reader

TEXT = "区,出生年,出生人数\n东城区,2020,4321\n西城区,2020,5432\n"
CELLS = [["东城区", "2020", "4321"], ["西城区", "2020", "5432"]]

Read = Callable[..., reader.Reading]
Said = Callable[[list[str]], list[str]]


def test_json_lines_keep_line_numbers_and_lines_that_are_no_object(
    read: Read,
) -> None:
    datasets = declare.datasets_of("campus_safety")
    keys = ["school_code", "class", "grade", "reported_on", "symptom", "absent"]
    good = dict(zip(keys, ["2111000001", "1班", "01", "2025-03-03", "fever", 3], strict=True))
    text = "\n".join([json.dumps(good), "", "{broken", json.dumps(good)])
    found = read("a.ndjson", text.encode(), datasets)
    numbers, cells = found.raw_columns()
    assert found.contract is not None
    assert found.contract.dataset == "illness_report"
    assert numbers == [1, 3, 4]
    assert cells[1] == ["?"]


def test_a_json_array_is_read_by_object(read: Read) -> None:
    rows = [
        {"区": "东城区", "出生年": 2020, "出生人数": 4321},
        {"区": "西城区", "出生年": 2020, "出生人数": 5432},
    ]
    found = read("a.json", json.dumps(rows, ensure_ascii=False, indent=1).encode())
    assert found.container == "json"
    assert found.raw_columns() == ([2, 7], CELLS)
    # All objects in one line: their place in the array tells them apart.
    found = read("a.json", json.dumps(rows).encode())
    assert found.raw_columns() == ([1, 2], CELLS)


def test_quoted_line_breaks_count_as_the_lines_they_are(read: Read) -> None:
    found = read("a.csv", '区,出生年,出生人数\n"东\n城区",2020,1\n西城区,2020,2\n'.encode())
    assert found.raw_columns()[0] == [2, 4]


def test_a_file_of_two_encodings_names_the_line(read: Read, said: Said) -> None:
    lines = [
        "区,出生年,出生人数",
        *(f"{d},{y},1" for y in range(2000, 2020) for d in ("石景山区", "门头沟区")),
    ]
    for ours, theirs in (("gb18030", "utf-8"), ("utf-8", "gb18030")):
        data = b"\n".join(line.encode(theirs if n in (11, 13) else ours) for n, line in enumerate(lines))
        (reason,) = said(read("a.csv", data).reasons)
        assert "第12行" in reason
        assert "2 行" in reason
        assert "另存" in reason
    cut = "\n".join(lines).encode() + "\n石景".encode()[:-1]
    assert "第42行" in said(read("a.csv", cut).reasons)[0]


def test_rare_characters_and_short_words_are_no_second_encoding(read: Read) -> None:
    # Four-byte characters, and the word whose GBK bytes once passed for UTF-8.
    text = "区,出生年,出生人数\n联通,2020,1\n𠮷㐂区,2020,2\n汉,2020,3\n"
    found = read("a.csv", text.encode("gb18030"))
    assert found.encoding == "gb18030"
    assert [c[0] for c in found.raw_columns()[1]] == ["联通", "𠮷㐂区", "汉"]


def test_a_name_whose_bytes_pass_for_utf8_is_read_like_the_lines_around_it(
    read: Read,
) -> None:
    """Three common characters are six bytes that may be two characters of UTF-8 (seen in a register)."""
    name = "楸鸿静"
    assert name.encode("gb18030").decode("utf-8")
    lines = ["学校标识码,区,学年,年级,在校生数,备注", f"2111900001,110108,2025,P1,30,{name}"]
    lines += [f"21119{n:05d},110108,2025,P1,30,楸榕枫" for n in range(2, 40)]
    found = read("a.csv", "\n".join(lines).encode("gb18030"), declare.datasets_of("enrollment"))
    assert found.encoding == "gb18030"
    assert found.raw_columns()[1][0][5] == name


def test_a_quotation_mark_that_nobody_closed_swallows_no_line(read: Read, said: Said) -> None:
    few = '区,出生年,出生人数\n"东城区,2020,1\n西城区,2020,2\n'
    many = few + "西城区,2020,2\n" * 100
    for text in (few, many):
        assert "第2行的引号没有配对" in said(read("a.csv", text.encode()).reasons)[0]


def test_a_title_without_delimiters_does_not_hide_them(read: Read) -> None:
    text = "出生人口, 按区\n制表: 卫健委\n" + TEXT.replace(",", "\t")
    found = read("a.xls", text.encode("gb18030"))
    assert (found.container, found.header_line) == ("tsv", 3)
    assert found.raw_columns() == ([4, 5], CELLS)


def test_a_web_page_that_calls_itself_a_workbook(read: Read) -> None:
    page = (
        '<html><meta charset="gbk"><body><table border=1><tr><th colspan=3>出生人口</th></tr>'
        "<tr><td>区</td><td>出生年<td>出生人数</td></tr>"
        "<tr><td rowspan=2>东城区</td><td>2020</td><td>4321</td></tr>"
        "<tr><td>2021</td><td>&nbsp;5&lt;</td></tr>"
        "</table></body></html>"
    )
    found = read("a.xls", page.encode("gb18030"))
    assert (found.container, found.encoding, found.header_line) == ("html", "gb18030", 2)
    assert found.raw_columns() == ([3, 4], [["东城区", "2020", "4321"], ["东城区", "2021", "5<"]])


def test_a_line_of_ten_megabytes(read: Read) -> None:
    for long in ("x" * 10_000_000, "1," * 5_000_000, '"' + "x" * 10_000_000 + '"'):
        found = read("a.csv", (TEXT + long + "\n北京,2020,1\n").encode())
        assert found.raw_columns()[0] == [2, 3, 4, 5]
        alone = read("a.csv", long.encode())
        assert alone.contract is None
        assert alone.reasons


HEADER, LINE = "区,出生年,出生人数", "东城区,2020,4321"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{LINE}",
        f"sep=;\n{HEADER}\n{LINE}".replace(",", ";"),
        f"sep=\t\n{HEADER}\n东城区,2020,”4321".replace(",", "\t").replace("”", ""),
        f"{HEADER}\n{LINE}".replace(",", "，"),
        f"{HEADER}\n{LINE}".replace(",", "；"),
        f"{HEADER};;;\n{LINE};;;",
        f'"区","出生年","出生人数";;\n{LINE};;',
        f"说明: 一,二,三,四,五\n{HEADER}\n{LINE}".replace(
            "区,出生年,出生人数", "区\t出生年\t出生人数"
        ).replace(LINE, LINE.replace(",", "\t")),
        "\ufeff\ufeff" + f"{HEADER}\n{LINE}",
        "\u200b区,出生年\u200b,出生人数\ufeff\n" + LINE,
        "".join(f"说明{n}\n" for n in range(25)) + f"{HEADER}\n{LINE}",
    ],
)
def test_a_text_is_parted_by_what_parts_its_lines(text: str, read: Read) -> None:
    ((_, cells),) = read("a.csv", text.encode()).lines
    assert cells[:3] == ["东城区", "2020", "4321"]


def test_a_quotation_mark_within_others_may_have_a_stroke(read: Read) -> None:
    data = f'{HEADER},备注\n{LINE},"他说\\"好\\", 是"\n西城区,2020,1,无\n'
    assert [cells[3] for _, cells in read("a.csv", data.encode()).lines] == ['他说"好", 是', "无"]
    data = f'{HEADER},备注\n{LINE},"C:\\"\n西城区,2020,1,无\n'
    assert [cells[3] for _, cells in read("a.csv", data.encode()).lines] == ["C:\\", "无"]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("区      出生年   出生人数\n东城区  2020     4321\n".encode("gb18030"), "列与列之间"),
        ("区、出生年、出生人数\n东城区、2020、4321\n".encode(), "列与列之间"),
        ("區,出生年,出生人數\n東城區,2020,4321\n".encode("big5"), "Big5"),
        ("區,出生年,出生人數\n東城區,2020,4321\n".encode(), "繁体"),
    ],
)
def test_a_text_read_wrongly_says_why(data: bytes, word: str, read: Read, said: Said) -> None:
    (reason,) = said(read("a.csv", data).reasons)
    assert word in reason
