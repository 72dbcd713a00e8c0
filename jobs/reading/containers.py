"""Bytes as a sender sent them -> the tables in them.

The container is recognized by its content, not by its name: gzip, zip, workbook (xlsx, old xls, ods), HTML
that calls itself a workbook, JSON, or delimited text. Nothing that a file states about its own size is
believed: what is unpacked is counted.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.declare import reasons
from jobs.files import is_hidden, readable
from jobs.reading import compound, kinds, ods, texts, workbooks, xlsx
from jobs.reading.sheet import LARGEST_MEMBER, LARGEST_WORKBOOK, NoTableError, Sheet, UnreadableError

# Deflate cannot pack more than this into one byte.
MOST_DEFLATED = 1032


# What senders put into one archive; more are a trap.
MOST_MEMBERS = 5_000
# A workbook of empty cells packs into a two-hundredth; what packs closer, and is large, is a trap.
MOST_TIMES, LARGE = 300, 128 * 1024**2


# Behind it the dataset that a file is read for, as the comment of its archive.
_FOR = b"edulake: "


@dataclass(frozen=True)
class Leaf:
    """A file that may hold tables, itself or out of an archive, and what reads it."""

    data: bytes
    member: str | None
    read: Callable[[bytes, list[str], str | None], Iterator[Sheet]]


def sheets(data: bytes, remarks: list[str], member: str | None = None) -> Iterator[Sheet]:
    """Yield every table of a file, in order.

    What is left unread on purpose (hidden sheets, pictures in an archive) is added to `remarks` as reasons.

    Raises UnreadableError for a file, or part of one, that is damaged, encrypted, too large or no table.
    """
    for leaf in leaves(data, remarks, member):
        try:
            yield from leaf.read(leaf.data, remarks, leaf.member)
        except NoTableError as error:
            if leaf.member is None:
                raise
            remarks.append(reasons.text("member_skipped", member=leaf.member, because=error.reason))


def may_hold_several(file: Path) -> bool:
    """Whether a file may hold several tables: an archive, a workbook, a page; not delimited text or JSON."""
    with file.open("rb") as opened:
        head = opened.read(4096)
    return head[:2] in (b"PK", b"\x1f\x8b") or head.startswith(compound.MAGIC) or b"<" in head


def is_package(data: bytes) -> bool:
    """Whether the bytes are an archive, as workbooks of today are."""
    return data[:4] == b"PK\x03\x04"


def part(data: bytes, name: str, dataset: str) -> bytes:
    """Return a file as one that is read for one of its datasets: with a comment behind it, and in an archive
    where it is none itself.
    """
    packed = io.BytesIO(data)
    if not is_package(data):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            # The same day for the same bytes.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.comment = _FOR + dataset.encode()
    return packed.getvalue()


def is_for(data: bytes) -> str | None:
    """Return the dataset that a file is read for, if it is a part of one with several."""
    end = data.rfind(b"PK\x05\x06", max(len(data) - 200, 0))
    comment = data[end + 22 :] if end >= 0 else b""
    return comment.removeprefix(_FOR).decode("ascii", "replace") if comment.startswith(_FOR) else None


def leaves(data: bytes, remarks: list[str], member: str | None = None) -> Iterator[Leaf]:
    """Yield the files that may hold tables, unread: this one, or each in it. Raises as `sheets` does for what
    is seen without reading.
    """
    if not data:
        raise UnreadableError("file_empty")
    if len(data) > LARGEST_MEMBER:
        raise _too_large(LARGEST_MEMBER)
    if data[:2] == b"\x1f\x8b":
        inner = _gunzip(data)
        if inner[:2] == b"\x1f\x8b":
            raise UnreadableError("archive_in_archive", member=member or "gzip")
        yield from leaves(inner, remarks, member)
    elif data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip_or_workbook(data, remarks, member)
    elif data.startswith(compound.MAGIC):
        kinds.refuse_compound(data)
        yield Leaf(data, member, workbooks.sheets)
    else:
        kinds.refuse(data)
        yield Leaf(data, member, texts.sheets)


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


def _zip_or_workbook(data: bytes, remarks: list[str], member: str | None) -> Iterator[Leaf]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise UnreadableError("archive_damaged") from error
    names = {info.filename for info in infos}
    is_workbook = "[Content_Types].xml" in names
    if any(info.flag_bits & 1 for info in infos):
        raise UnreadableError("archive_encrypted")
    if len(infos) > MOST_MEMBERS:
        raise UnreadableError("archive_too_many", most=MOST_MEMBERS)
    _measure(data, infos, LARGEST_WORKBOOK if is_workbook else LARGEST_MEMBER)
    if is_workbook or {"mimetype", "content.xml"} <= names:
        yield _workbook(data, archive, names, member)
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
        inner = _unpacked(archive, info)
        if not inner:
            remarks.append(reasons.text("member_empty", member=name))
            continue
        try:
            yield from leaves(inner, remarks, name)
        except NoTableError as error:
            remarks.append(reasons.text("member_skipped", member=name, because=error.reason))


# What Python's reader raises for a damaged member.
_DAMAGED = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except _DAMAGED as error:
        raise UnreadableError("member_damaged", member=_name(info)) from error
    except ValueError as error:
        raise UnreadableError("member_unreadable", member=_name(info)) from error


def _workbook(data: bytes, archive: zipfile.ZipFile, names: set[str], member: str | None) -> Leaf:
    is_open = "[Content_Types].xml" not in names
    try:
        about = archive.read("mimetype" if is_open else "[Content_Types].xml")
    except _DAMAGED as error:
        raise UnreadableError("workbook_damaged") from error
    is_letter = not any(name.lower().startswith(("xl/", "xl\\")) for name in names)
    if is_open:
        is_letter = not about.startswith(b"application/vnd.oasis.opendocument.spreadsheet")
    if is_letter:
        raise NoTableError("no_table", kind="document")
    kinds.refuse_package(names, about)
    return Leaf(data, member, ods.sheets if is_open else xlsx.sheets)


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
    size, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if size > most:
        raise _too_large(most)
    if size > LARGE and size > MOST_TIMES * len(data):
        raise UnreadableError("archive_bomb", count=size // len(data))
    if packed * MOST_DEFLATED <= most:
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
