"""Containers are recognized by content; a file that cannot be taken says why; nothing is left out unsaid."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import declare
from jobs.reading import containers, reader

# Made by other programs: xlwt, and Office's own encryption by msoffcrypto-tool.
FILES = Path(__file__).parent / "files"
TEXT = "区,出生年,出生人数\n东城区,2020,4321\n西城区,2020,5432\n"
CELLS = [["东城区", "2020", "4321"], ["西城区", "2020", "5432"]]

Read = Callable[..., reader.Reading]
Make = Callable[..., bytes]
Said = Callable[[list[str]], list[str]]


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def encrypted(data: bytes) -> bytes:
    """An archive whose members are marked as encrypted, in both of their headers."""
    return data.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )


@pytest.mark.parametrize(
    ("name", "data", "container", "encoding"),
    [
        ("a.csv", TEXT.encode(), "csv", "utf-8"),
        ("a.csv", TEXT.encode("utf-8-sig"), "csv", "utf-8-sig"),
        ("a.csv", TEXT.encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.encode("utf-16"), "csv", "utf-16"),
        ("a.csv", "\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), "csv", "utf-16"),
        ("a.csv", TEXT.encode("utf-16-le"), "csv", "utf-16-le"),
        ("a.csv", TEXT.encode("utf-16-be"), "csv", "utf-16-be"),
        ("a.csv", TEXT.replace(",", ";").encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.replace(",", "|").encode(), "csv", "utf-8"),
        ("a.csv", TEXT.replace("\n", "\r").encode("gb18030"), "csv", "gb18030"),
        ("a.csv", TEXT.replace("\n", "\r\n").encode(), "csv", "utf-8"),
        ("a.xls", TEXT.replace(",", "\t").encode("gb18030"), "tsv", "gb18030"),
        ("a.csv.gz", gzip.compress(TEXT.encode()), "csv", "utf-8"),
        ("a.dat", zipped({"内/births.csv": TEXT.encode("gb18030")}), "csv", "gb18030"),
    ],
)
def test_encoding_and_container_are_recognized_by_content(
    read: Read, name: str, data: bytes, container: str, encoding: str
) -> None:
    found = read(name, data)
    assert found.contract is not None
    assert found.contract.dataset == "birth"
    assert (found.container, found.encoding) == (container, encoding)
    assert found.raw_columns() == ([2, 3], CELLS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "空"),
        (zipped({"a.csv": TEXT.encode()})[:60], "损坏"),
        (gzip.compress(TEXT.encode())[:30], "不完整"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600, "损坏"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\x00\x81", "图片"),
        ("区,出生年\n东城区,2020\n".encode(), "缺少: 出生人数"),
        ("完全,不同\n1,2\n".encode(), "表头"),
        (zipped({"a.zip": zipped({"b.csv": TEXT.encode()})}), "压缩文件里还有压缩文件"),
        (encrypted(zipped({"a.csv": TEXT.encode()})), "密码"),
        ((FILES / "password.xlsx").read_bytes(), "密码"),
        (b"%PDF-1.7\n", "PDF"),
        (b"Rar!\x1a\x07\x00", "RAR"),
        (zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}), "文档"),
        (
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            "另存为 xlsx",
        ),
        (b"<html><body>no table</body></html>", "网页"),
        (zipped({}), "没有文件"),
        (zipped({"a.csv": TEXT.encode(), "b.csv": TEXT.encode()}).replace(b"b.csv", b"a.csv"), "同名"),
        (b'{"a": 1,\n', "JSON"),
        (b"[{]", "JSON"),
        (TEXT.encode() + b"\x00", "空字节"),
        (b'"' + b"x" * 17_000_000, "引号"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(read: Read, data: bytes, reason: str, said: Said) -> None:
    found = read("a.csv", data)
    assert found.contract is None
    assert any(reason in sentence for sentence in said(found.reasons)), found.reasons


def test_every_member_of_an_archive_is_read_or_named(
    read: Read,
    workbook: Make,
    said: Said,
) -> None:
    second = TEXT.replace("2020", "2021").encode("gb18030")
    data = zipped(
        {
            "a/2020.csv": TEXT.encode(),
            "a/2021.csv": second,
            "a/2022.xlsx": workbook([["区", "出生年", "出生人数"], ["东城区", 2022, 1]]),
            "公章.png": b"\x89PNG\r\n\x1a\n",
            "__MACOSX/._a": b"x",
        }
    )
    found = read("a.zip", data)
    assert [t.member for t in found.tables] == ["a/2020.csv", "a/2021.csv", "a/2022.xlsx"]
    assert [t.encoding for t in found.tables] == ["utf-8", "gb18030", None]
    assert len(found.lines) == 5
    assert said(found.remarks) == [
        "压缩包成员“公章.png”未读取: 这是图片 (照片、截图或扫描件), 不是数据表, 读不出数据:"
        " 请把数据填入报送模板 (xlsx), 或另存为 xlsx、csv 后报送"
    ]


def test_two_datasets_in_one_file_are_refused(read: Read, said: Said) -> None:
    capacity = next(c for c in declare.datasets_of("place_demand") if c.dataset == "capacity_project")
    header = ",".join(c.headings[0] for c in capacity.columns)
    data = zipped({"a.csv": TEXT.encode(), "b.csv": f"{header}\n1\n".encode()})
    (reason,) = said(read("a.zip", data).reasons)
    assert "两种数据表" in reason


def test_a_bomb_is_refused_before_it_is_unpacked(
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
) -> None:
    monkeypatch.setattr(containers, "LARGEST_MEMBER", 1000)
    bomb = zipped({"a.csv": b"0" * 5000})
    # Its directory and its header say ten bytes.
    lying = bomb.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != bomb
    for data in (bomb, lying, gzip.compress(b"0" * 5000), gzip.compress(b"0" * 600) * 2):
        assert "过大" in said(read("a", data).reasons)[0]
