"""What no clerk should have handed in is refused in words that name it and the way out, by its content."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
import xlsxwriter

from jobs.declare import reasons
from jobs.reading import containers
from jobs.reading.at_door import refusal_at_door

from .test_containers import FILES, TEXT, encrypted, zipped

XLS = (FILES / "births.xls").read_bytes()
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


def with_macros() -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.add_worksheet("a").write_row(0, 0, ["区", "出生年", "出生人数"])
        book.add_vba_project(io.BytesIO(b"not run by anybody"), is_stream=True)
    return stream.getvalue()


def letter() -> bytes:
    stream = io.BytesIO()
    written = docx.Document()
    written.add_paragraph("请查收")
    written.save(stream)
    return stream.getvalue()


def listing(name: str, *, beside: bool = False) -> bytes:
    """The old workbook with another name in its directory: in place of its stream's, or beside it."""
    place = XLS.index("Workbook".encode("utf-16-le") + b"\x00\x00")
    entry = name.encode("utf-16-le").ljust(64, b"\x00") + (2 * len(name) + 2).to_bytes(2, "little")
    if not beside:
        return XLS[:place] + entry + XLS[place + 66 :]
    # An entry takes 128 bytes, the byte behind its name says that it is a folder.
    return XLS[: place + 128] + entry + b"\x01" + XLS[place + 128 + 67 :]


def locked() -> bytes:
    """The old workbook with the record of a password behind its first one."""
    first = XLS.index(b"\x09\x08\x10\x00\x00\x06\x05\x00") + 20
    return XLS[:first] + b"\x2f\x00" + XLS[first + 2 :]


REFUSED = {
    "名册.xlsx": ((FILES / "password.xlsx").read_bytes(), "有密码", "去掉打开密码"),
    "名册.xls": (locked(), "有密码", "去掉打开密码"),
    "名册.xlsm": (with_macros(), "带宏", "另存为不带宏的 xlsx"),
    "改名.xlsx": (with_macros(), "带宏", "另存为不带宏的 xlsx"),
    "旧.xls": (listing("_VBA_PROJECT_CUR", beside=True), "带宏", "另存为不带宏的 xlsx"),
    "名册.zip": (encrypted(zipped({"a.csv": TEXT.encode()})), "有密码", "去掉密码"),
    "层层.zip": (zipped({"a.zip": zipped({"b.csv": TEXT.encode()})}), "还有压缩文件", "解开"),
    "层层.gz": (gzip.compress(gzip.compress(TEXT.encode())), "还有压缩文件", "解开"),
    "内.zip": (zipped({"宏.xlsm": with_macros()}), "带宏", "另存为"),
    "名单.jpg": (b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00", "照片", "填入报送模板"),
    "IMG_0001.HEIC": (HEIC, "照片", "填入报送模板"),
    "微信图片.webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "照片", "填入报送模板"),
    "扫描.tif": (b"II*\x00\x08\x00\x00\x00", "照片", "填入报送模板"),
    "相册.zip": (zipped({"1.jpg": b"\xff\xd8\xff\xe0", "2.heic": HEIC}), "照片", "填入报送模板"),
    "通知.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF", "填入报送模板"),
    "说明.docx": (letter(), "Word", "填入报送模板"),
    "说明.wps": (listing("WordDocument"), "WPS 文字", "填入报送模板"),
    "空.xlsx": (b"", "空的", "检查后重新报送"),
    "名册.xlsx - 快捷方式.lnk": (b"L\x00\x00\x00\x01\x14\x02\x00" + b"\x00" * 60, "快捷方式", "原文件"),
    "平台.url": (b"[InternetShortcut]\r\nURL=http://x.example\r\n", "快捷方式", "原文件"),
    "名册.rar": (b"Rar!\x1a\x07\x01\x00", "RAR", "重新压缩成 zip"),
    "录像.mp4": (b"\x00\x00\x00\x18ftypisom\x00\x00", "视频", "填入报送模板"),
    "工具.exe": (b"MZ\x90\x00\x03\x00", "程序", "填入报送模板"),
    "~$名册.xlsx": (b"\x05user", "临时文件", "改名"),
    "损坏.xlsx": (zipped({"a.csv": TEXT.encode()})[:60], "损坏", "重新保存"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_in_words_that_name_it_and_the_way_out(name: str, tmp_path: Path) -> None:
    data, what, way_out = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    reason = refusal_at_door(name, tmp_path / name)
    assert reason is not None
    assert reason == refusal_at_door(name, data)
    said = reasons.sentence(reason, "zh")
    assert what in said
    assert way_out in said
    assert reasons.sentence(reason, "en")


def test_a_trap_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "LARGE", 100_000)
    monkeypatch.setattr(containers, "MOST_MEMBERS", 20)
    closely = zipped({"a.csv": b"0" * 1_000_000})
    many = zipped({f"{n}.csv": TEXT.encode() for n in range(21)})
    for data, what in ((closely, "倍"), (many, "文件过多")):
        reason = refusal_at_door("名册.zip", data)
        assert reason is not None
        assert what in reasons.sentence(reason, "zh")


def test_what_may_be_a_table_is_let_in(workbook: Callable[..., bytes], tmp_path: Path) -> None:
    book = workbook([["区", "出生年", "出生人数"], ["东城区", 2022, 1]])
    taken = {
        "名册.csv": TEXT.encode("gb18030"),
        "BM.csv": b"BM,MZ,BZh\n1,2,3\n",
        "名册.xlsx": book,
        # A table of WPS is an old workbook by another name.
        "名册.et": XLS,
        "名册.ods": (FILES / "shown.ods").read_bytes(),
        "名册.zip": zipped({"a.xlsx": book, "b.csv": TEXT.encode(), "公章.png": b"\x89PNG\r\n\x1a\n"}),
        "名册.csv.gz": gzip.compress(TEXT.encode()),
    }
    assert {name: refusal_at_door(name, data) for name, data in taken.items()} == dict.fromkeys(taken)
