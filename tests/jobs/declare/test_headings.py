"""Headings as senders write them: compared without width and units, each naming one column of one dataset."""

from __future__ import annotations

import pytest

from jobs import declare
from jobs.declare import headings


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_contract_recognizes_its_own_first_headings_in_any_order(dataset: str) -> None:
    contract = declare.load()[dataset]
    header = [c.headings[0] for c in reversed(contract.columns)]
    assert len(set(header)) == len(header), "two columns of one contract lead with the same heading"
    positions = headings.match(contract, header)
    assert positions is not None
    assert all(header[at] == contract.column(name).headings[0] for name, at in positions.items())


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_a_header_of_one_dataset_fits_no_other_of_its_feed(dataset: str) -> None:
    contract = declare.load()[dataset]
    header = [c.headings[0] for c in contract.columns]
    others = [
        c.dataset
        for c in declare.datasets_of(contract.feed)
        if c is not contract and headings.match(c, header)
    ]
    assert others == []


@pytest.mark.parametrize("written", ["身高(cm)", "身高（cm）", " 身 高 ", "身高【厘米】", "身高（cm)"])
def test_heading_is_compared_without_brackets_units_and_width(written: str) -> None:
    assert declare.heading_key(written) == declare.heading_key("身高")


def test_runs_over_different_distances_are_different_headings() -> None:
    keys = {declare.heading_key(h) for h in ("50米跑", "1000米跑", "800米跑", "50米×8往返跑", "50米*8往返跑")}
    assert len(keys) == 4


def test_missing_required_columns_are_named_in_chinese() -> None:
    contract = declare.load()["birth"]
    assert headings.match(contract, ["区", "出生年"]) is None
    assert headings.missing(contract, ["区", "出生年"]) == ["birth_count"]


def test_factors_of_a_header_and_a_unit_of_another_kind() -> None:
    contract = declare.load()["test_result"]
    header = [c.headings[0] for c in contract.columns]
    places = {c.name: i for i, c in enumerate(contract.columns)}
    header[places["height_cm"]], header[places["weight_kg"]] = "身高（m）", "体重/cm"
    positions = headings.match(contract, header)
    assert positions is not None
    assert headings.factors(contract, header, positions) == {"height_cm": 100, "weight_kg": -1}


def test_strangers_and_absentees_of_a_header_are_named() -> None:
    contract = declare.load()["birth"]
    header = ["区", "出生年", "出生人数", " 备注 ", ""]
    positions = headings.match(contract, header)
    assert positions is not None
    assert headings.strangers(contract, header, positions) == ["备注"]
    register = declare.load()["school_register"]
    short = [c.headings[0] for c in register.columns if c.required]
    found = headings.match(register, short)
    assert found is not None
    assert "place_count" in headings.absentees(register, found)
    assert "school_code" not in headings.absentees(register, found)
