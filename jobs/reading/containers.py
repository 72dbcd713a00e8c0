"""Bytes as a sender sent them -> the tables in them.

The container is recognized by its content, not by its name: gzip, zip, workbook (xlsx, old xls, ods), HTML
that calls itself a workbook, JSON, or delimited text. Nothing that a file states about its own size is
believed: what is unpacked is counted.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from jobs.declare import reasons
from jobs.files import is_hidden, readable
from jobs.reading import ods, texts, workbooks, xlsx
from jobs.reading.sheet import LARGEST_MEMBER, LARGEST_WORKBOOK, NoTableError, Sheet, UnreadableError

# Deflate cannot pack more than this into one byte.
MOST_DEFLATED = 1032


def sheets(data: bytes, remarks: list[str], member: str | None = None) -> Iterator[Sheet]:
    """Yield every table of a file, in order.

    What is left unread on purpose (hidden sheets, pictures in an archive) is added to `remarks` as reasons.

    Raises UnreadableError for a file, or part of one, that is damaged, encrypted, too large or no table.
    """
    if not data:
        raise UnreadableError("file_empty")
    if len(data) > LARGEST_MEMBER:
        raise _too_large(LARGEST_MEMBER)
    if data[:2] == b"\x1f\x8b":
        yield from sheets(_gunzip(data), remarks, member)
    elif data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip_or_workbook(data, remarks, member)
    elif data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        yield from workbooks.sheets(data, remarks, member)
    elif kind := _no_table(data):
        raise NoTableError("no_table", kind=kind)
    else:
        yield from texts.sheets(data, member)


_MAGIC = (
    (b"%PDF", "pdf"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"{\\rtf", "rtf"),
    (b"PAR1", "parquet"),
    (b"SQLite format 3", "database"),
)


def _no_table(data: bytes) -> str | None:
    for magic, kind in _MAGIC:
        # `BM` alone may begin a heading; a bitmap has binary numbers behind it.
        if data.startswith(magic) and (magic != b"BM" or b"\x00" in data[:16]):
            return kind
    return None


def _too_large(most: int) -> UnreadableError:
    return UnreadableError("unpacked_too_large", megabytes=most // 1024**2)


def _gunzip(data: bytes) -> bytes:
    """All members of a gzip file, never more than the bound."""
    plain = bytearray()
    rest = data
    try:
        while rest.strip(b"\x00"):
            stream = zlib.decompressobj(wbits=31)
            plain += stream.decompress(rest, LARGEST_MEMBER + 1 - len(plain))
            if len(plain) > LARGEST_MEMBER:
                raise _too_large(LARGEST_MEMBER)
            if not stream.eof:
                raise UnreadableError("gzip_incomplete")
            rest = stream.unused_data
    except zlib.error as error:
        raise UnreadableError("gzip_damaged") from error
    return bytes(plain)


def _zip_or_workbook(data: bytes, remarks: list[str], member: str | None) -> Iterator[Sheet]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise UnreadableError("archive_damaged") from error
    names = {info.filename for info in infos}
    if any(info.flag_bits & 1 for info in infos):
        raise UnreadableError("archive_encrypted")
    is_workbook = "[Content_Types].xml" in names
    _measure(data, infos, LARGEST_WORKBOOK if is_workbook else LARGEST_MEMBER)
    if is_workbook or {"mimetype", "content.xml"} <= names:
        yield from _workbook(data, names, remarks, member)
        return
    if member is not None:
        raise UnreadableError("archive_in_archive", member=member)
    if not infos:
        raise UnreadableError("archive_empty")
    if len({_name(info) for info in infos}) < len(infos):
        raise UnreadableError("archive_same_names")
    for info in sorted(infos, key=lambda i: _name(i)):
        name = _name(info)
        # What the systems of senders put there by themselves.
        if name.startswith("__MACOSX") or is_hidden(name.rsplit("/", 1)[-1]):
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
            raise UnreadableError("member_damaged", member=name) from error
        except ValueError as error:
            raise UnreadableError("member_unreadable", member=name) from error
        if not inner:
            remarks.append(reasons.text("member_empty", member=name))
            continue
        try:
            yield from sheets(inner, remarks, name)
        except NoTableError as error:
            remarks.append(reasons.text("member_skipped", member=name, because=error.reason))


def _workbook(data: bytes, names: set[str], remarks: list[str], member: str | None) -> Iterator[Sheet]:
    if "[Content_Types].xml" not in names:
        yield from ods.sheets(data, remarks, member)
    elif "xl/workbook.bin" in names:
        raise UnreadableError("excel_binary")
    elif any(name.lower().startswith(("xl/", "xl\\")) for name in names):
        yield from xlsx.sheets(data, remarks, member)
    else:
        raise NoTableError("no_table", kind="document")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name; where the archive does not say UTF-8 it is the sender's GBK, read as code page 437."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("gb18030")
    return readable(name)


def _measure(data: bytes, infos: Iterable[zipfile.ZipInfo], most: int) -> None:
    """Raise UnreadableError where the members unpack to more than the bound, whatever they declare."""
    infos = list(infos)
    if sum(info.file_size for info in infos) > most:
        raise _too_large(most)
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
            raise _too_large(most)


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
