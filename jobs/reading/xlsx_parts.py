"""The parts of an xlsx workbook, read by an XML parser as they unpack: its sheets, texts and number formats.

Any spelling of the XML is read: quotation marks of both kinds, prefixes, CDATA, UTF-16.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from jobs.reading import formats
from jobs.reading.sheet import UnreadableError

_PIECE = 1024**2
# A tag or a reference longer than this is no cell.
_LONGEST_TOKEN = 16 * 1024**2

Attributes = dict[str, str]
Start = Callable[[str, Attributes], None]
End = Callable[[str], None]
Text = Callable[[str], None]


class _Names(dict[str, str]):
    """A name with its prefix -> the name alone: `x:row` is `row`."""

    def __missing__(self, name: str) -> str:
        self[name] = name.rpartition(":")[2]
        return self[name]


LOCAL = _Names()


class Package:
    """The parts of a workbook by name; some programs write them with backslashes or other capitals."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename.replace("\\", "/").lower(): info for info in archive.infolist()}

    def has(self, path: str) -> bool:
        return path.lower() in self._infos

    def pieces(self, path: str) -> Iterator[bytes]:
        try:
            with self._archive.open(self._infos[path.lower()]) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
        except Exception as error:
            raise UnreadableError("workbook_damaged") from error

    def whole(self, path: str, most: int) -> bytes | None:
        """A part in one piece; None where it is larger."""
        found = bytearray()
        for piece in self.pieces(path):
            found += piece
            if len(found) > most:
                return None
        return bytes(found)

    def parse(
        self, path: str, start: Start, end: End | None = None, text: Text | None = None
    ) -> Iterator[None]:
        """Read a part; yields after each piece of it, so that what was found may be taken."""
        yield from parsed(self.pieces(path), start, end, text)

    def read(self, path: str, start: Start, end: End | None = None, text: Text | None = None) -> None:
        for _ in self.parse(path, start, end, text):
            pass

    def relations(self, path: str) -> dict[str, tuple[str, str]]:
        """Id -> (kind, path) of what a part points to."""
        folder, name = posixpath.split(path)
        listing = posixpath.join(folder, "_rels", f"{name}.rels")
        found: dict[str, tuple[str, str]] = {}

        def start(tag: str, values: Attributes) -> None:
            if LOCAL[tag] == "Relationship":
                target = posixpath.normpath(posixpath.join("/", folder, values.get("Target", "")))
                kind = values.get("Type", "").rpartition("/")[2]
                found[values.get("Id", "")] = (kind, target.lstrip("/"))

        if self.has(listing):
            self.read(listing, start)
        return found


def parsed(
    pieces: Iterable[bytes], start: Start, end: End | None = None, text: Text | None = None
) -> Iterator[None]:
    """Read XML; yields after each piece. Raises UnreadableError where it is none."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    # No workbook declares entities; what does means harm.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    fed = 0
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - parser.CurrentByteIndex > _LONGEST_TOKEN:
                raise UnreadableError("workbook_damaged")
            yield
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, IndexError, OverflowError) as error:
        raise UnreadableError("workbook_damaged") from error
    yield


def _refuse_doctype(*_: object) -> None:
    raise UnreadableError("workbook_damaged")


@dataclass(frozen=True)
class About:
    """A sheet: its name, where its XML is, whether the sender hid it."""

    name: str
    path: str
    is_hidden: bool


@dataclass
class Book:
    """What a workbook says of itself. `is_uncounted`: no sheet program has calculated it so far."""

    path: str
    sheets: list[About] = field(default_factory=list)
    since_1904: bool = False
    is_uncounted: bool = False

    @classmethod
    def of(cls, package: Package) -> Book:
        pointed = [path for kind, path in package.relations("").values() if kind == "officeDocument"]
        book = cls(pointed[0] if pointed else "xl/workbook.xml")
        parts = package.relations(book.path)

        def start(tag: str, values: Attributes) -> None:
            tag = LOCAL[tag]
            if tag == "workbookPr":
                book.since_1904 = is_true(values.get("date1904"))
            elif tag == "calcPr":
                book.is_uncounted = is_true(values.get("fullCalcOnLoad"))
            elif tag == "sheet":
                about = {LOCAL[name]: value for name, value in values.items()}
                kind, path = parts.get(about.get("id", ""), ("", ""))
                if kind == "worksheet" and package.has(path):
                    is_hidden = about.get("state", "visible").lower() != "visible"
                    book.sheets.append(About(about.get("name", ""), path, is_hidden))

        if not package.has(book.path):
            raise UnreadableError("workbook_damaged")
        package.read(book.path, start)
        return book

    def part(self, package: Package, kind: str) -> str | None:
        """The path of the workbook's part of one kind (`styles`), if there is one."""
        found = [path for other, path in package.relations(self.path).values() if other == kind]
        return found[0] if found and package.has(found[0]) else None


def is_true(text: str | None) -> bool:
    """Whether an attribute says yes."""
    return text is not None and text.strip().lower() in ("1", "true", "on")


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """The text with what XML cannot hold put back: `_x000D_` is a carriage return."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text) if "_x" in text else text


def shared_strings(package: Package, book: Book) -> list[str]:
    """The texts that cells name by number."""
    path = book.part(package, "sharedStrings")
    found: list[str] = []
    if path is None:
        return found
    parts: list[str] = []
    kept: list[str] = []
    silent = 0

    def start(tag: str, _: Attributes) -> None:
        nonlocal silent
        tag = LOCAL[tag]
        if tag == "t":
            parts.clear()
        elif tag == "rPh":
            # How a name is read aloud, above it in small letters.
            silent += 1

    def end(tag: str) -> None:
        nonlocal silent
        tag = LOCAL[tag]
        if tag == "t" and not silent:
            kept.append("".join(parts))
        elif tag == "rPh":
            silent -= 1
        elif tag == "si":
            found.append(unescaped("".join(kept)))
            kept.clear()

    package.read(path, start, end, parts.append)
    return found


def number_formats(package: Package, book: Book) -> list[formats.Shown | None]:
    """How each style of the workbook shows a number; None for an ordinary number."""
    path = book.part(package, "styles")
    codes: dict[int, str] = {}
    numbers: list[int] = []
    within = ""

    def start(tag: str, values: Attributes) -> None:
        nonlocal within
        tag = LOCAL[tag]
        if tag == "numFmt" and not within:
            codes[int(values.get("numFmtId", "0"))] = values.get("formatCode", "General")
        elif tag in ("cellXfs", "cellStyleXfs", "dxfs"):
            within = tag
        elif tag == "xf" and within == "cellXfs":
            numbers.append(int(values.get("numFmtId", "0")))

    def end(tag: str) -> None:
        nonlocal within
        if LOCAL[tag] == within:
            within = ""

    if path is not None:
        package.read(path, start, end)
    return [formats.of(codes.get(number), number, book.since_1904) for number in numbers]
