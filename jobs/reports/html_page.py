"""A report as one HTML file that asks for nothing from outside."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

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

# Characters.
_SHORT = 11
_STYLE = """
main{display:block}section{margin-bottom:1.2rem}h2{margin-bottom:.6rem}h3{font-size:1rem;margin:1rem 0 .3rem}
ul{margin:.2rem 0;padding-left:1.2rem}li{margin:.3rem 0}sup{font-size:.7em;line-height:0}
sup a{color:var(--main)}
.scroll{overflow-x:auto}
.scroll svg{min-width:34rem;max-width:54rem}table{margin-bottom:.6rem}caption{text-align:left;
font-weight:600;padding:.6rem 0 .3rem}tbody th{color:var(--ink)}td,th{overflow-wrap:anywhere}
thead th{border-bottom:2px solid var(--rule)}th.number,td.number{white-space:normal}
td.number data,.short{white-space:nowrap}
.notice{color:var(--quiet);border-left:3px solid var(--rule);padding-left:.8rem}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));
gap:.4rem 1.5rem;margin:0 0 .8rem}
.pairs dt{color:var(--quiet);font-size:.8rem}.pairs dd{margin:0;font-weight:600}
.definitions{font-size:.8rem}
@media(max-width:40rem){tbody th{min-width:6.5em}tbody td{min-width:3em}}
@media print{body{background:#fff}section{border:0;padding:0}tr,figure{break-inside:avoid}
thead{display:table-header-group}h2,caption{break-after:avoid}}
"""


def page(report: Report) -> str:
    """The whole file as text; the same report gives the same text."""
    house = (ROOT / "jobs" / "page.css").read_text("utf-8")
    banner = f'<p class="origin frame" role="note">{escape(report.banner)}</p>' if report.banner else ""
    about = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in report.facts)
    body = "".join(
        f'<section aria-labelledby="{escape(one.key)}"><h2 id="{escape(one.key)}">{escape(one.title)}</h2>'
        f"{''.join(_block(block) for block in one.blocks)}</section>"
        for one in report.sections
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{house}{_STYLE}</style></head><body>"
        f'<header><div class="frame"><p class="kicker">{escape(report.subtitle)}</p>'
        f'<h1>{escape(report.title)}</h1><dl class="facts">{about}</dl></div></header>'
        f'{banner}<main class="frame">{body}{_definitions(report)}{_notes(report)}</main></body></html>\n'
    )


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            kind = ' class="notice"' if block.is_notice else ""
            return f"<p{kind}>{_pieces(block.pieces)}</p>"
        case Points():
            return f"<ul>{''.join(f'<li>{_pieces(one)}</li>' for one in block.sentences)}</ul>"
        case Facts():
            pairs = "".join(f"<div><dt>{escape(k)}</dt><dd>{_piece(v)}</dd></div>" for k, v in block.pairs)
            return f'<dl class="pairs">{pairs}</dl>'
        case Table():
            return _table(block)
        case Chart():
            name = escape(f"{block.title}: {block.alt}", quote=True)
            svg = block.svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
            caption = f"<figcaption>{escape(block.title)}</figcaption>"
            return f'<figure><div class="scroll">{svg}</div>{caption}</figure>'


def _table(table: Table) -> str:
    kinds = [
        "number" if column.is_number else "short" if _is_short(column.label, cells) else ""
        for column, cells in ((c, [row[at] for row in table.rows]) for at, c in enumerate(table.columns))
    ]
    head = "".join(
        f'<th scope="col"{_kind(kind)}>{escape(column.label)}{_definition(column.definition)}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row"{_kind(kinds[0])}>{_piece(row[0])}</th>'
        + "".join(
            f"<td{_kind(kind)}>{_piece(cell, in_table=True)}</td>"
            for cell, kind in zip(row[1:], kinds[1:], strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _is_short(label: str, cells: Iterable[Piece]) -> bool:
    """Whether all words of a column fit a narrow one, where a line break would fall within them."""
    shown = (cell if isinstance(cell, str) else cell.text for cell in cells)
    return all(len(text) <= _SHORT for text in (label, *shown))


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _pieces(shown: Iterable[Piece]) -> str:
    return "".join(_piece(piece) for piece in shown)


def _piece(piece: Piece, *, in_table: bool = False) -> str:
    """A text, or a figure with its value for machines; in a table its column's heading has the definition."""
    if isinstance(piece, str):
        return escape(piece)
    value = "" if piece.value is None else f"{piece.value:f}"
    definition = "" if in_table else _definition(piece.definition)
    return f'<data value="{value}">{escape(piece.text)}</data>{definition}{_marks(piece)}'


def _definition(number: int | None) -> str:
    return f'<sup><a href="#d{number}">{definition_mark(number)}</a></sup>' if number else ""


def _marks(figure: Figure) -> str:
    if not figure.notes:
        return ""
    return f'<sup><a href="#n-{figure.notes[0]}">{note_mark(figure.notes)}</a></sup>'


def _definitions(report: Report) -> str:
    if not report.definitions:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in DEFINITION_COLUMNS)
    rows = "".join(
        f'<tr id="d{one.number}"><th scope="row">{definition_mark(one.number)}</th>'
        + "".join(
            f"<td>{escape(text)}</td>" for text in (one.label, one.unit, one.meaning, one.source, one.as_of)
        )
        + "</tr>"
        for one in report.definitions
    )
    return (
        f'<section class="definitions"><h2>{escape(DEFINITIONS_TITLE)}</h2><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    lines = "".join(
        f'<p id="n-{mark}">{note_mark((mark,))} {escape(text)}</p>' for mark, text in report.notes
    )
    return f'<section class="definitions"><h2>{escape(NOTES_TITLE)}</h2>{lines}</section>'
