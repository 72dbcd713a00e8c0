"""What is made from the declarations (open contract, template, dictionary), each against its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from jobs import declare
from jobs.declare import dictionary, odcs
from jobs.declare.examples import example_rows
from jobs.declare.template import write_template
from jobs.reading import reader

DATASETS = sorted(declare.load())


@pytest.mark.parametrize("dataset", DATASETS)
def test_open_contract_is_valid_and_says_what_the_contract_says(dataset: str) -> None:
    contract = declare.load()[dataset]
    document = odcs.open_contract(contract)
    assert odcs.problems(document) == []
    assert OpenDataContractStandard.from_string(document.to_yaml()) == document
    (table,) = document.schema_ or ()
    properties = {p.name: p for p in table.properties or ()}
    assert list(properties) == [c.name for c in contract.columns]
    for column in contract.columns:
        told = properties[column.name]
        assert told.businessName == column.zh
        assert bool(told.required) == column.required
        assert {q.name for q in told.quality or ()} == {rule for rule, _ in contract.column_rules(column)}
        options = told.logicalTypeOptions or {}
        if column.refuse_outside:
            assert (options["minimum"], options["maximum"]) == column.refuse_outside


def test_an_open_contract_that_breaks_the_standard_is_told() -> None:
    document = odcs.open_contract(declare.load()["birth"])
    document.kind = "Something"
    assert any("Something" in problem for problem in odcs.problems(document))


@pytest.mark.parametrize("dataset", DATASETS)
def test_template_is_recognized_as_its_own_dataset_with_every_column(dataset: str, tmp_path: Path) -> None:
    contract = declare.load()[dataset]
    file = tmp_path / "filled.xlsx"
    write_template(contract, file)
    reading = reader.read(file, declare.datasets_of(contract.feed))
    assert reading.contract is contract, reading.reasons
    assert set(reading.positions) == {c.name for c in contract.columns}
    rows = example_rows(contract)
    # Blank cells at the end of a row are not in a sheet.
    width = len(contract.columns)
    assert [[*cells, *[""] * (width - len(cells))] for _, cells in reading.lines] == [
        list(row.values()) for row in rows
    ]


def test_dictionary_is_what_the_declarations_say() -> None:
    made = dictionary.pages()
    stale = [p.name for p, text in made.items() if not p.is_file() or p.read_text("utf-8") != text]
    assert stale == [], "run `./edulake dictionary`"
    assert {p.name for p in dictionary.FOLDER.glob("*.md")} == {p.name for p in made}


def test_dictionary_names_every_column_and_who_reads_the_table() -> None:
    page = dictionary.pages()[dictionary.FOLDER / "grade_return.md"]
    contract = declare.load()["grade_return"]
    assert all(f"`{c.name}`" in page for c in contract.columns)
    assert "`fct_enrollment_grade`" in page
    page = dictionary.pages()[dictionary.FOLDER / "pupil_roll.md"]
    assert "只在原始层" in page
