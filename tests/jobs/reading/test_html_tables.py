"""Web pages take time that grows with their size, whatever stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from jobs.reading import html_tables, reader
from jobs.reading.sheet import UnreadableError

Read = Callable[..., reader.Reading]
Said = Callable[[list[str]], list[str]]

HEAD = "<table><tr><td>区<td>出生年<td>出生人数<tr><td>东城区<td>2020<td>"
UNITS = {
    "comments": "<!--",
    "closed comments": "<!---->",
    "CDATA": "<![CDATA[",
    "less-than signs": "<",
    "end signs": "</",
    "declarations": "<!",
    "tags": "<a ",
    "quotation marks": '<a b="',
    "two kinds of them": "<a b=\"<a c='",
    "attributes": "a=b ",
    "blanks in a tag": "<a      ",
    "references": "&#",
    "scripts": "<script>",
    "tables": "<table>",
    "cells": "<td>",
}


class _Counting(str):
    """A text that counts the signs which its searches pass over."""

    passed = 0

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start)
        self.passed += (len(self) if found < 0 else found + len(sub)) - start
        return found


def work(unit: str, count: int) -> int:
    """Signs that the searches in a page of so many units pass over, and the tokens made of it."""
    text = _Counting(HEAD + unit * count)
    made = 0
    try:
        for _ in html_tables.tokens(text):
            made += 1
    except UnreadableError:
        pass
    return text.passed + made


@pytest.mark.parametrize("name", UNITS)
def test_work_grows_with_the_size_of_the_page(name: str) -> None:
    few, many = work(UNITS[name], 2_000), work(UNITS[name], 16_000)
    assert many <= 9 * few + 1000


@pytest.mark.parametrize("name", [name for name in UNITS if name not in ("attributes", "tables", "cells")])
def test_a_page_of_a_megabyte_is_read_or_refused(name: str, read: Read) -> None:
    unit = UNITS[name]
    found = read("a.xls", (HEAD + unit * (1024**2 // len(unit))).encode())
    assert found.lines or found.reasons


def test_a_page_that_breaks_off_is_refused_with_its_line(read: Read, said: Said) -> None:
    for broken in ("<!-- x", '<td a="x', "<td", "<script>x", "<![CDATA[x"):
        (reason,) = said(read("a.xls", f"{HEAD}1\n{broken}".encode()).reasons)
        assert "第2行起残缺" in reason


@pytest.mark.parametrize(
    "page",
    [
        "<div>{}</div>",
        "\ufeff<div>{}",
        "<!-- export -->\n{}",
        "<script>if (a<b) '<table>'</script>{}",
        "<center><b>x</b></center>{}",
        "<xml><x:Name>a</x:Name></xml>{}",
        "<body><p>it's a < b{}",
        "<?xml version='1.0'?><!DOCTYPE html><html><body>{}</body></html>",
        "<!DOCTYPE html><HTML><HEAD><TITLE><table></TITLE></HEAD>{}",
    ],
)
def test_a_page_is_known_by_its_tags(page: str, read: Read) -> None:
    table = (
        "<TABLE border=1 title='a>b'><tbody><tr><th>区</th><th>出生年</th><th>出生人数</th></tr>"
        "<tr><td>东城&#x533a;</td><td><![CDATA[2020]]></td><td> 43<b>2</b>1<br/></td></tr></tbody></TABLE>"
    )
    assert read("a.xls", page.format(table).encode()).lines == [(2, ["东城区", "2020", "4321"])]


def test_spans_do_not_multiply_without_end(read: Read, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_tables, "MOST_SPANNED", 10_000)
    (reason,) = said(read("a.xls", (HEAD + "<td colspan=1000>" * 20).encode()).reasons)
    assert "合并的单元格过多" in reason


def test_a_text_that_begins_with_a_bracket_is_no_page(read: Read) -> None:
    assert re.match("csv", read("a.csv", "<a>\n区,出生年,出生人数\n东城区,2020,1\n".encode()).container)
