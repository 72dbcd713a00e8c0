"""Bytes as a sender sent them -> the tables in them, as numbered lines of cells of text.

The container is told by content, not by name: gzip, zip, workbook (xlsx, old xls, ods), HTML that calls
itself a workbook, JSON, or delimited text; the encoding by trial. Nothing is believed that a file says of its
own size: what is unpacked is counted. A line's number is the one the sender sees: the physical line of a text
file, the row of a sheet.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import pyarrow as pa

# What a file, or all that it unpacks to, may hold; more is refused with its way out.
LARGEST_MEMBER = 512 * 1024**2
# The XML of a workbook is read as it unpacks and never held: a sheet full to its last row has 1 GB of it.
LARGEST_WORKBOOK = 3 * 1024**3
# Deflate cannot pack more than this into one byte.
MOST_DEFLATED = 1032

LINES = pa.schema([("_line_number", pa.int64()), ("cells", pa.list_(pa.string()))])
BLOCK_LINES = 50_000
BLOCK_CELLS = 2_000_000


class UnreadableError(Exception):
    """The file cannot be read at all; the message is for its sender, in Chinese."""


class NoTableError(UnreadableError):
    """What was sent is no table of any kind: a picture, a letter. Inside an archive it is passed over."""


@dataclass
class Sheet:
    """One table found in a file. `blocks` have the schema LINES: wholly empty lines are left out, empty cells
    are null.
    """

    container: str
    encoding: str | None
    member: str | None
    name: str | None
    blocks: Iterator[pa.RecordBatch]

    @property
    def place(self) -> str:
        """Where in the file the table stands, as its sender would say it."""
        named = [
            f"压缩包成员“{self.member}”" if self.member else "",
            f"工作表“{self.name}”" if self.name else "",
        ]
        return "".join(named) or "文件"


def sheets(data: bytes, remarks: list[str], member: str | None = None) -> Iterator[Sheet]:
    """Every table of a file, in order. What is left unread on purpose (hidden sheets, pictures in an archive)
    is said in `remarks`.

    Raises UnreadableError for a file, or part of one, that is damaged, encrypted, too large or no table.
    """
    from jobs.reading import texts, workbooks

    if not data:
        raise UnreadableError("文件是空的")
    if len(data) > LARGEST_MEMBER:
        _too_large()
    if data[:2] == b"\x1f\x8b":
        yield from sheets(_gunzip(data), remarks, member)
    elif data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip_or_workbook(data, remarks, member)
    elif data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        yield from workbooks.sheets(data, "xls", remarks, member)
    elif kind := _no_table(data):
        raise NoTableError(f"这是{kind}, 不是数据表: 请报送 xlsx、csv 或 JSON 文件")
    else:
        yield from texts.sheets(data, member)


_MAGIC = (
    (b"%PDF", "PDF 文件"),
    (b"Rar!", "RAR 压缩文件"),
    (b"7z\xbc\xaf\x27\x1c", "7z 压缩文件"),
    (b"\x89PNG", "图片"),
    (b"\xff\xd8\xff", "图片"),
    (b"GIF8", "图片"),
    (b"BM", "图片"),
    (b"{\\rtf", "RTF 文档"),
    (b"PAR1", "Parquet 文件"),
    (b"SQLite format 3", "数据库文件"),
)


def _no_table(data: bytes) -> str | None:
    for magic, kind in _MAGIC:
        # `BM` alone may begin a heading; a bitmap has binary numbers behind it.
        if data.startswith(magic) and (magic != b"BM" or b"\x00" in data[:16]):
            return kind
    return None


def _too_large(most: int | None = None) -> NoReturn:
    megabytes = (most or LARGEST_MEMBER) // 1024**2
    raise UnreadableError(f"文件解开后过大 (超过 {megabytes} MB): 请分成几个文件报送")


def _gunzip(data: bytes) -> bytes:
    """All members of a gzip file, never more than the bound."""
    plain = bytearray()
    rest = data
    try:
        while rest.strip(b"\x00"):
            stream = zlib.decompressobj(wbits=31)
            plain += stream.decompress(rest, LARGEST_MEMBER + 1 - len(plain))
            if len(plain) > LARGEST_MEMBER:
                _too_large()
            if not stream.eof:
                raise UnreadableError("gzip 压缩文件不完整: 请重新压缩后报送")
            rest = stream.unused_data
    except zlib.error as error:
        raise UnreadableError("gzip 压缩文件已损坏: 请重新压缩后报送") from error
    return bytes(plain)


def _zip_or_workbook(data: bytes, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    from jobs.reading import workbooks

    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise UnreadableError("文件已损坏或不完整 (压缩结构读不出): 请重新保存后报送") from error
    names = {info.filename for info in infos}
    if any(info.flag_bits & 1 for info in infos):
        raise UnreadableError("压缩文件有密码: 请去掉密码后重新报送")
    is_workbook = "[Content_Types].xml" in names
    _measure(data, infos, LARGEST_WORKBOOK if is_workbook else LARGEST_MEMBER)
    if is_workbook:
        if any(name.startswith("xl/") for name in names):
            yield from workbooks.sheets(data, "xlsx", remarks, member)
            return
        raise NoTableError("这是文档而不是工作簿: 请报送 xlsx、csv 或 JSON 文件")
    if "mimetype" in names and "content.xml" in names:
        yield from workbooks.sheets(data, "ods", remarks, member)
        return
    if member is not None:
        raise UnreadableError(f"压缩文件里还有压缩文件“{member}”: 请解开后放在同一个压缩包里报送")
    if not infos:
        raise UnreadableError("压缩文件里没有文件")
    if len({_name(info) for info in infos}) < len(infos):
        raise UnreadableError("压缩文件里有同名的文件: 请改名后重新压缩报送")
    for info in sorted(infos, key=lambda i: _name(i)):
        name = _name(info)
        # What the systems of senders put there by themselves.
        if name.startswith("__MACOSX") or name.rsplit("/", 1)[-1].startswith((".", "~$", "Thumbs.db")):
            continue
        try:
            inner = archive.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
            NotImplementedError,
            OSError,
            EOFError,
        ) as error:
            raise UnreadableError(f"压缩包成员“{name}”已损坏或不完整: 请重新压缩后报送") from error
        except ValueError as error:
            raise UnreadableError(f"压缩包成员“{name}”读不出: 请重新压缩后报送") from error
        if not inner:
            remarks.append(f"压缩包成员“{name}”是空的")
            continue
        try:
            yield from sheets(inner, remarks, name)
        except NoTableError as error:
            remarks.append(f"压缩包成员“{name}”未读取: {error}")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name; where the archive does not say UTF-8 it is the sender's GBK, read as code page 437."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def _measure(data: bytes, infos: Iterable[zipfile.ZipInfo], most: int) -> None:
    """Raise UnreadableError where the members unpack to more than the bound, whatever they declare."""
    infos = list(infos)
    if sum(info.file_size for info in infos) > most:
        _too_large(most)
    if sum(info.compress_size for info in infos) * MOST_DEFLATED <= most:
        return
    left = most
    for info in infos:
        if info.compress_type != zipfile.ZIP_DEFLATED:
            # Others than deflate are read by Python's own reader alone, which stops at the declared size.
            left -= info.file_size
        else:
            left -= _inflated(data, info, left)
        if left < 0:
            _too_large(most)


def _inflated(data: bytes, info: zipfile.ZipInfo, most: int) -> int:
    """Bytes that a member really unpacks to; counting ends above `most`."""
    head = data[info.header_offset : info.header_offset + 30]
    if len(head) < 30:
        return 0
    begin = (
        info.header_offset
        + 30
        + int.from_bytes(head[26:28], "little")
        + int.from_bytes(head[28:30], "little")
    )
    stream = zlib.decompressobj(wbits=-15)
    count = 0
    rest: bytes = data[begin : begin + info.compress_size]
    try:
        while rest and not stream.eof and count <= most:
            count += len(stream.decompress(rest, 1 << 20))
            rest = stream.unconsumed_tail
    except zlib.error:
        pass  # damaged: whoever reads it says so
    return count


def block(numbers: list[int], cells: list[str | None], widths: list[int]) -> pa.RecordBatch:
    """Lines as one block: the cells of all of them in a row, and how many belong to each."""
    try:
        values = pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half a character pair, out of a JSON escape
        whole = [c if c is None else c.encode("utf-8", "replace").decode() for c in cells]
        values = pa.array(whole, pa.string())
    offsets = [0]
    for width in widths:
        offsets.append(offsets[-1] + width)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64()), lists], schema=LINES)


def blocks(lines: Iterable[tuple[int, list[str]]]) -> Iterator[pa.RecordBatch]:
    """Numbered lines -> blocks: empty lines left out, empty cells null, none behind the last written one."""
    numbers: list[int] = []
    cells: list[str | None] = []
    widths: list[int] = []
    for number, line in lines:
        while line and not line[-1]:
            line.pop()
        if not line:
            continue
        numbers.append(number)
        cells += [c or None for c in line]
        widths.append(len(line))
        if len(numbers) == BLOCK_LINES or len(cells) > BLOCK_CELLS:
            yield block(numbers, cells, widths)
            numbers, cells, widths = [], [], []
    if numbers:
        yield block(numbers, cells, widths)
