"""What the tests of reading share: a file read as a feed's, and a workbook made as openpyxl makes them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from jobs import declare
from jobs.declare import reasons
from jobs.reading import reader


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., reader.Reading]:
    """`read(name, data, datasets)`: these bytes as a file of `place_demand`, or of `datasets`."""

    def read(name: str, data: bytes, datasets: Sequence[declare.Contract] = ()) -> reader.Reading:
        file = tmp_path / name
        file.write_bytes(data)
        return reader.read(file, datasets or declare.datasets_of("place_demand"))

    return read


@pytest.fixture
def said() -> Callable[[list[str]], list[str]]:
    """`said(reasons)`: their sentences in Chinese; each has one in English too."""

    def said(found: list[str]) -> list[str]:
        assert all(reasons.sentence(reason, "en") for reason in found)
        return [reasons.sentence(reason, "zh") for reason in found]

    return said


@pytest.fixture
def workbook() -> Callable[..., bytes]:
    """`workbook(rows, title, merged)`: an xlsx file of one sheet."""

    def workbook(rows: list[list[object]], title: str = "Sheet1", merged: str | None = None) -> bytes:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = title
        for row in rows:
            sheet.append(row)
        if merged:
            sheet.merge_cells(merged)
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    return workbook
