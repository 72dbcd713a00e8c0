"""`./edulake feed`: datasets, templates, contracts, receipts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from jobs import declare
from jobs.cli.feed import app
from jobs.settings import Settings, UserError


def feed(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_list_names_every_dataset() -> None:
    shown = feed("list").output
    assert [name for name in declare.load() if f"\n{name} " not in shown] == []


def test_template_is_a_workbook_with_the_contracts_headings(tmp_path: Path) -> None:
    target = tmp_path / "t.xlsx"
    shown = feed("template", "test_result", "--output", target).output
    contract = declare.load()["test_result"]
    assert f"{len(contract.columns)} columns" in shown
    sheet = load_workbook(target, read_only=True).worksheets[0]
    cells = {str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell}
    assert any(contract.columns[0].zh in cell for cell in cells)


def test_contract_is_printed_or_written(tmp_path: Path) -> None:
    printed = feed("contract", "birth").output
    assert yaml.safe_load(printed)["kind"] == "DataContract"
    feed("contract", "birth", "--output", tmp_path / "c.yaml")
    assert (tmp_path / "c.yaml").read_text("utf-8") == printed


def test_an_unknown_dataset_is_named_beside_the_known_ones() -> None:
    with pytest.raises(UserError, match="there is no dataset `nothing`") as raised:
        feed("template", "nothing")
    assert "test_result" in raised.value.way_out


def test_a_report_is_of_one_receipt_or_of_one_sender(settings: Settings) -> None:
    with pytest.raises(UserError, match="name a receipt"):
        feed("report")
    with pytest.raises(UserError, match="name a receipt"):
        feed("report", "3f2a", "--all-of", "110105")
    with pytest.raises(UserError, match="'110105' has no receipt"):
        feed("report", "--all-of", "110105")


def test_receipts_of_an_empty_lake_are_an_empty_table(settings: Settings) -> None:
    assert "outcome" in feed("receipts").output
