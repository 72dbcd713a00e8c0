"""A report as PDF, and charts as pictures: Typst, a compiler in one wheel, with the font of `infra/fonts`.

The PDF is tagged and claims PDF/UA-1, which the compiler refuses without title, language, alternative texts.
Words go in as data and never as markup.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import typst

from jobs.reports.model import (
    DEFINITION_COLUMNS,
    DEFINITIONS_TITLE,
    NOTES_TITLE,
    Block,
    Chart,
    Facts,
    Figure,
    Paragraph,
    Piece,
    Points,
    Report,
    Table,
    definition_mark,
    note_mark,
)
from jobs.settings import ROOT

FONTS = ROOT / "infra" / "fonts"
_TEMPLATE = ROOT / "jobs" / "reports" / "page.typ"
_PICTURE = b'#set page(width: auto, height: auto, margin: 2pt)\n#image(bytes(sys.inputs.svg), format: "svg")'
_LONG_WORD = re.compile(r"[!-~]{11,}")
_JOINT = re.compile(r"([_./:-]|[A-Za-z0-9]{24})(?=.)")
# Neither the file nor its name may depend on when it was made.
_NEVER = datetime(1980, 1, 1, tzinfo=UTC)


def pdf(report: Report) -> bytes:
    """The whole file; the same report gives the same bytes everywhere, unless it has rare characters."""
    return typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        font_paths=_fonts(words(report)),
        sys_inputs={"report": words(report)},
        pdf_standards=["ua-1"],
        timestamp=_NEVER,
    )


def picture(chart: Chart) -> bytes:
    """A chart as PNG, for formats that take no SVG."""
    return typst.compile(
        _PICTURE, format="png", ppi=200, font_paths=_fonts(chart.svg), sys_inputs={"svg": chart.svg}
    )


def _fonts(text: str) -> typst.Fonts:
    """The font of `infra/fonts`, and those of the machine only where the text needs one of them."""
    return typst.Fonts(include_system_fonts=bool(rare(text)), font_paths=[str(FONTS)])


def rare(text: str) -> str:
    """The characters of a text that the font of `infra/fonts` may not have, each once, in order."""
    return "".join(sorted({one for one in text if ord(one) > 0x2E80 and not _is_common(one)}))


def _is_common(character: str) -> bool:
    """GB 2312 and the blocks of punctuation that the font was cut to."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return 0x3000 <= ord(character) < 0x3040 or 0xFF00 <= ord(character) < 0xFFF0
    return True


def words(report: Report) -> str:
    """All that the report says, for its characters."""
    return json.dumps(_data(report), ensure_ascii=False)


def _data(report: Report) -> dict[str, Any]:
    """The report as the template reads it."""
    return {
        "title": breakable(report.title),
        "subtitle": report.subtitle,
        "banner": report.banner,
        "facts": [list(pair) for pair in report.facts],
        "size": 7.8 if report.columns else 9.5,
        "across": 3 if report.columns == 2 else 4,
        "columns": report.columns,
        "sections": [
            {"title": one.title, "blocks": [_block(block) for block in one.blocks]} for one in report.sections
        ],
        "definitions": {
            "title": DEFINITIONS_TITLE,
            "columns": DEFINITION_COLUMNS,
            "rows": [
                [
                    definition_mark(one.number),
                    *map(breakable, (one.label, one.unit, one.meaning, one.source)),
                    one.as_of,
                ]
                for one in report.definitions
            ],
        },
        "notes": {
            "title": NOTES_TITLE,
            "rows": [
                {"mark": mark, "words": note_mark((mark,)), "text": text} for mark, text in report.notes
            ],
        },
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {
                "kind": "paragraph",
                "notice": block.is_notice,
                "pieces": [_piece(one) for one in block.pieces],
            }
        case Points():
            return {"kind": "points", "sentences": [[_piece(one) for one in row] for row in block.sentences]}
        case Facts():
            return {"kind": "facts", "pairs": [[name, _piece(one)] for name, one in block.pairs]}
        case Table():
            return {
                "kind": "table",
                "caption": block.caption,
                "columns": [
                    {
                        "number": column.is_number,
                        "width": round(width, 2),
                        "heading": {"text": column.label, "definition": _definition(column.definition)},
                    }
                    for column, width in zip(block.columns, block.widths(), strict=True)
                ],
                "rows": [
                    [_piece(row[0]), *(_piece(cell, in_table=True) for cell in row[1:])] for row in block.rows
                ],
            }
        case Chart():
            return {"kind": "chart", "title": block.title, "alt": block.alt, "svg": block.svg}


def breakable(text: str) -> str:
    """The text with places to break in long Latin words, such as names of columns, which would run over."""
    return _LONG_WORD.sub(lambda word: _JOINT.sub("\\1\u200b", word[0]), text)


def _piece(piece: Piece, *, in_table: bool = False) -> str | dict[str, Any]:
    if not isinstance(piece, Figure):
        return breakable(piece)
    return {
        "text": breakable(piece.text),
        "definition": None if in_table else _definition(piece.definition),
        "notes": {"target": piece.notes[0], "words": note_mark(piece.notes)} if piece.notes else None,
    }


def _definition(number: int | None) -> dict[str, str] | None:
    return {"target": str(number), "words": definition_mark(number)} if number else None
