"""A report as a Word file: the same words in the same order, charts as pictures with alternative texts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from jobs.reports.model import (
    DEFINITION_COLUMNS,
    DEFINITIONS_TITLE,
    NOTES_TITLE,
    Block,
    Chart,
    Column,
    Facts,
    Paragraph,
    Piece,
    Points,
    Report,
    Table,
    definition_mark,
    note_mark,
)
from jobs.reports.pdf_file import picture

_NEVER = datetime(1980, 1, 1, tzinfo=UTC)
_MAIN = RGBColor(0x1D, 0x4E, 0x63)
_LATIN, _CHINESE = "Calibri", "微软雅黑"
_WIDTH = Cm(17.4)
_SMALL = Pt(8)


def file(report: Report) -> bytes:
    """The whole file; the same report gives the same bytes."""
    document = docx.Document()
    _prepare(document, report)
    document.add_paragraph(report.subtitle)
    document.add_heading(report.title, 0)
    _facts(document, [(name, text) for name, text in report.facts])
    if report.banner:
        document.add_paragraph().add_run(report.banner).bold = True
    for section in report.sections:
        document.add_heading(section.title, 1)
        for block in section.blocks:
            _block(document, block)
    if report.definitions:
        document.add_heading(DEFINITIONS_TITLE, 1)
        rows = [
            (definition_mark(one.number), one.label, one.unit, one.meaning, one.source, one.as_of)
            for one in report.definitions
        ]
        columns = tuple(Column(name) for name in DEFINITION_COLUMNS)
        _grid(document, Table(DEFINITIONS_TITLE, columns, tuple(rows)), _SMALL)
    if report.notes:
        document.add_heading(NOTES_TITLE, 1)
        for mark, text in report.notes:
            document.add_paragraph().add_run(f"{note_mark((mark,))} {text}").font.size = _SMALL
    data = io.BytesIO()
    document.save(data)
    return _undated(data.getvalue())


def _prepare(document: Any, report: Report) -> None:
    properties = document.core_properties
    properties.title, properties.author, properties.language = report.title, report.subtitle, "zh-CN"
    properties.created = properties.modified = _NEVER.replace(tzinfo=None)
    properties.comments = properties.last_modified_by = ""
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Cm(1.8)
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
        font = document.styles[name].font
        font.name = _LATIN
        fonts = document.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(theme), None)
        fonts.set(qn("w:eastAsia"), _CHINESE)
        if name != "Normal" and name != "List Bullet":
            font.color.rgb = _MAIN
    normal = document.styles["Normal"]
    normal.font.size = Pt(10)
    normal.paragraph_format.space_after = Pt(4)
    document.styles["Title"].font.size = Pt(20)
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), "en-US")
    language.set(qn("w:eastAsia"), "zh-CN")
    own = normal.element.get_or_add_rPr()
    for old in own.findall(qn("w:lang")):
        own.remove(old)
    own.append(language)


def _block(document: Any, block: Block) -> None:
    match block:
        case Paragraph():
            _write(document.add_paragraph(), block.pieces, italic=block.is_notice)
        case Points():
            for sentence in block.sentences:
                _write(document.add_paragraph(style="List Bullet"), sentence)
        case Facts():
            _facts(document, block.pairs)
        case Table():
            document.add_heading(block.caption, 2)
            _grid(document, block, Pt(9))
        case Chart():
            place = document.add_paragraph()
            run = place.add_run()
            drawing = run.add_picture(io.BytesIO(picture(block)), width=_WIDTH)
            drawing._inline.docPr.set("descr", f"{block.title}: {block.alt}")
            drawing._inline.docPr.set("title", block.title)
            caption = document.add_paragraph()
            caption.add_run(block.title).font.size = _SMALL


def _write(
    paragraph: Any, shown: Iterable[Piece], *, italic: bool = False, in_table: bool = False, size: Any = None
) -> None:
    for piece in shown:
        run = paragraph.add_run(piece if isinstance(piece, str) else piece.text)
        run.italic = italic or None
        run.font.size = size
        if isinstance(piece, str):
            continue
        marks = ("" if in_table else definition_mark(piece.definition)) + note_mark(piece.notes)
        _raise(paragraph, marks, size)


def _raise(paragraph: Any, marks: str, size: Any) -> None:
    if marks:
        run = paragraph.add_run(marks)
        run.font.superscript, run.font.size = True, size


def _facts(document: Any, pairs: Iterable[tuple[str, Piece]]) -> None:
    listed = list(pairs)
    table = document.add_table(rows=len(listed), cols=2)
    table.style = "Table Grid"
    for row, (name, piece) in zip(table.rows, listed, strict=True):
        row.cells[0].width, row.cells[1].width = Cm(5), Cm(12.4)
        row.cells[0].paragraphs[0].add_run(name).font.size = Pt(9)
        _write(row.cells[1].paragraphs[0], [piece], size=Pt(9))
        _whole(row)
    document.add_paragraph()


def _grid(document: Any, shown: Table, size: Any) -> None:
    headings, listed = shown.columns, shown.rows
    table = document.add_table(rows=1 + len(listed), cols=len(headings))
    table.style, table.autofit = "Light Grid Accent 1", False
    wanted = shown.widths()
    for column, width in zip(table.columns, wanted, strict=True):
        column.width = round(_WIDTH * width / sum(wanted))
    grid = [list(row.cells) for row in table.rows]
    for at, (cell, column) in enumerate(zip(grid[0], headings, strict=True)):
        cell.width = table.columns[at].width
        place = cell.paragraphs[0]
        place.add_run(column.label).font.size = size
        if column.definition:
            _raise(place, definition_mark(column.definition), size)
        if column.is_number:
            place.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _repeated(table.rows[0])
    for cells, row in zip(grid[1:], listed, strict=True):
        for at, (cell, piece) in enumerate(zip(cells, row, strict=True)):
            cell.width = table.columns[at].width
            place = cell.paragraphs[0]
            _write(place, [piece], in_table=at > 0, size=size)
            if headings[at].is_number:
                place.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for row in table.rows:
        _whole(row)
    document.add_paragraph()


def _repeated(row: Any) -> None:
    """Let a heading row stand on each page, and be known as headings."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _whole(row: Any) -> None:
    """Keep a row on one page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def _undated(data: bytes) -> bytes:
    """The same file without the moment at which its parts were packed."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as given,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as kept,
    ):
        for name in given.namelist():
            kept.writestr(
                zipfile.ZipInfo(name, _NEVER.timetuple()[:6]), given.read(name), zipfile.ZIP_DEFLATED
            )
    return packed.getvalue()
