"""What a file is that is no table, or a table behind a lock: told by its first bytes and its parts, unread.

A clerk hands in what is at hand: a photo of a list, a letter, a shortcut, a workbook with a password or with
macros. Each is named, with the way out.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from jobs.reading.compound import Compound
from jobs.reading.sheet import NoTableError, UnreadableError
from jobs.reading.xls_facts import has_password

_MAGIC = (
    (b"%PDF", "pdf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"{\\rtf", "rtf"),
    (b"PAR1", "parquet"),
    (b"SQLite format 3", "database"),
    (b"MZ", "program"),
    (b"\x7fELF", "program"),
    (b"\x00\x01\x00\x00Standard ", "database"),
)
_ARCHIVES = ((b"Rar!", "rar"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
_SHORTCUTS = (
    *(b"L\x00\x00\x00\x01\x14\x02\x00", b"[InternetShortcut]", b"[{000214A0", b"book\x00\x00\x00\x00mark"),
    b"[Desktop Entry]",
)
# Two letters may begin a heading: behind them a picture or a program has binary numbers.
_SHORT = (b"BM", b"MZ", b"BZh")
# What a phone calls its pictures, in a container that films have too.
_PHOTOS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")


def refuse(data: bytes) -> None:
    """Raise NoTableError for what is no table by its first bytes; UnreadableError for other archives."""
    for magic, kind in (*_MAGIC, *_ARCHIVES):
        if data.startswith(magic) and (magic not in _SHORT or b"\x00" in data[:64]):
            if (magic, kind) in _ARCHIVES:
                raise UnreadableError("archive_other", kind=kind)
            raise NoTableError("no_table", kind=kind)
    if data.startswith(_SHORTCUTS):
        raise NoTableError("shortcut")
    if data[4:8] == b"ftyp":
        raise NoTableError("no_table", kind="picture" if data[8:12] in _PHOTOS else "film")
    if data[:4] == b"RIFF" and data[8:12] in (b"WEBP", b"AVI ", b"WAVE"):
        raise NoTableError("no_table", kind="picture" if data[8:12] == b"WEBP" else "film")


def refuse_compound(data: bytes) -> None:
    """Raise UnreadableError for a compound file that is damaged, locked, has macros, or is no workbook."""
    try:
        parts = Compound(data)
        names = parts.entries.keys()
        if names & {"encryptedpackage", "encryptioninfo"}:
            raise UnreadableError("workbook_encrypted")
        if not names & {"workbook", "book"}:
            if names & {"worddocument", "powerpoint document", "contents", "__properties_version1.0"}:
                raise NoTableError("no_table", kind="document")
            raise UnreadableError("workbook_damaged")
        if has_password(parts.stream("workbook", "book")):
            raise UnreadableError("workbook_encrypted")
        if names & {"_vba_project_cur", "_vba_project"}:
            raise UnreadableError("workbook_macro")
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise UnreadableError("workbook_damaged") from error


def refuse_package(names: Collection[str], types: bytes) -> None:
    """Raise UnreadableError for a package of parts that is no workbook to read: binary, or with macros.

    `types` is what it says of its parts' kinds (`[Content_Types].xml`); empty for an open document.
    """
    lowered = {name.lower().replace("\\", "/") for name in names}
    if "xl/workbook.bin" in lowered:
        raise UnreadableError("excel_binary")
    macros = ("xl/macrosheets/", "xl/vbaproject", "basic/", "scripts/")
    if b"macroEnabled" in types or any(name.startswith(macros) for name in lowered):
        raise UnreadableError("workbook_macro")
