"""A number that a comma split in every line of a file is found by what is behind it; good files pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs import declare
from jobs.declare import examples
from jobs.reading import reader
from jobs.reading.thousands import Thousands

Read = Callable[..., reader.Reading]
HEADER = "区,出生年,出生人数"


def place(read: Read, text: str, *contracts: declare.Contract) -> int | None:
    """Where the first table of a text is split."""
    (table,) = read("a.csv", text.encode(), contracts).tables
    found = Thousands(table)
    for block in table.blocks:
        found.look(block)
    return found.place


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER},备注\n东城区,2020,4,321,\n西城区,2020,5,432,\n",
        f"{HEADER},备注\n东城区,2020,4,321,\n",
        f"{HEADER},备注\n东城区,2020,1,234,567,,\n西城区,2020,5,432,001,,\n",
        f"{HEADER},备注\n东城区,2020,4,321\n西城区,2020,5,432\n",
        f"{HEADER},备注\n东城区,2020,4,321\n西城区,2020,999\n朝阳区,2020,12,001\n",
        f"{HEADER},备注\n东城区,2020,4,321,\n西城区,2020,5432,\n",
        f"{HEADER},说明\n东城区,2020,\"4\",321\n",
        "区,出生年,出生人数,填报人\n东城区,2020,4,321,\n西城区,2020,5,432,\n",
    ],
)  # fmt: skip
def test_a_number_split_in_every_line_is_found(text: str, read: Read) -> None:
    assert place(read, text) == 2


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER},备注\n东城区,2020,4321,\n西城区,2020,5432,\n",
        f"{HEADER},备注\n东城区,2020,4321,110\n西城区,2020,999,\n",
        f"{HEADER},备注\n东城区,2020,432,见附件\n西城区,2020,999,123\n",
        f"{HEADER},序号\n东城区,2020,432,101\n西城区,2020,999,102\n",
        # Each data line ends with a comma, as some programs write them, and the numbers are whole.
        f"{HEADER}\n东城区,2020,4321,\n西城区,2020,5432,\n",
        f"{HEADER},\n东城区,2020,432,\n西城区,2020,999,\n",
    ],
)
def test_numbers_that_nobody_split_pass(text: str, read: Read) -> None:
    assert place(read, text) is None


def test_two_columns_of_numbers_are_two_numbers(read: Read) -> None:
    """Ninety skips and 150 cm in every line, and a comma behind each: two columns, both known."""
    contract = declare.load()["test_result"]
    head = "年级编号,班级编号,学籍号,姓名,性别,一分钟跳绳,立定跳远,测试日期"
    line = "12,1201,G999999201501010012,某某,1,{},{},2025-10-15,"
    text = "\n".join([head, *(line.format(90 + n, 150 + n) for n in range(3))]) + "\n"
    assert place(read, text, contract) is None


@pytest.mark.parametrize("dataset", declare.load())
def test_no_templates_example_is_split(dataset: str, read: Read) -> None:
    contract = declare.load()[dataset]
    columns = contract.columns
    rows = [
        [f'"{row[c.name]}"' if "," in row[c.name] else row[c.name] for c in columns]
        for row in examples.example_rows(contract)
    ]
    for end in ("", ","):
        text = "\n".join([",".join(c.headings[0] for c in columns), *(",".join(row) + end for row in rows)])
        assert place(read, text + "\n", contract) is None
