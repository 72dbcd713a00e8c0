"""Read reports back as a stranger would: the words of a web page, a Word file and a PDF, in their order."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import docx
import pypdf
from docx.table import Table
from docx.text.paragraph import Paragraph

_BLOCKS = {"p", "h1", "h2", "h3", "li", "td", "th", "dt", "dd", "caption", "figcaption"}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.values: list[tuple[str, str]] = []
        self._hidden, self._value = 0, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"style", "svg", "head"}:
            self._hidden += 1
        if tag in _BLOCKS:
            self.words.append("")
        if tag == "data":
            self._value = dict(attrs)["value"] or ""
            self.values.append((self._value, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"style", "svg", "head"}:
            self._hidden -= 1
        if tag == "data":
            self._value = "-"

    def handle_data(self, data: str) -> None:
        if self._hidden or not self.words:
            return
        self.words[-1] += data
        if self.values and self._value != "-" and not self.values[-1][1]:
            self.values[-1] = (self._value, data)


def bare(text: str) -> str:
    """Without what a line break or a place to break may put into it."""
    return re.sub(r"[\s\u200b]", "", text)


def html(page: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Blocks of text in order; figures as (value, text)."""
    reader = _Words()
    reader.feed(page)
    return [bare(one) for one in reader.words if bare(one)], reader.values


def word(data: bytes) -> list[str]:
    """Blocks of text in order."""
    found = []
    for part in docx.Document(io.BytesIO(data)).iter_inner_content():
        if isinstance(part, Paragraph):
            found.append(part.text)
        elif isinstance(part, Table):
            found += [cell.text for row in part.rows for cell in row.cells]
    return [bare(one) for one in found if bare(one)]


def pdf(data: bytes) -> str:
    """All words in order, headings that are repeated on a page among them."""
    return bare("".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages))
