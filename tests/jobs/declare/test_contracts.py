"""The declarations: they load, they agree with each other, and headings are told apart."""

from __future__ import annotations

import pytest

from jobs import declare
from jobs.settings import FEEDS


def test_every_feed_of_the_design_has_a_contract() -> None:
    found = {contract.feed for contract in declare.load().values()}
    assert found == set(FEEDS)
    assert len(declare.load()) >= 10


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_clean_table_has_no_direct_identifier_and_every_type_is_known(dataset: str) -> None:
    contract = declare.load()[dataset]
    direct = {c.name for c in contract.columns if c.privacy == "direct"}
    columns = contract.clean_columns()
    assert not direct & set(columns)
    assert declare.arrow_schema(columns).names == list(columns)
    assert set(contract.key) <= set(columns)


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_contract_recognizes_its_own_first_headings_in_any_order(dataset: str) -> None:
    contract = declare.load()[dataset]
    header = [c.headings[0] for c in reversed(contract.columns)]
    assert len(set(header)) == len(header), "two columns of one contract lead with the same heading"
    positions = contract.match(header)
    assert positions is not None
    assert all(header[at] == contract.column(name).headings[0] for name, at in positions.items())


@pytest.mark.parametrize("dataset", sorted(declare.load()))
def test_a_header_of_one_thing_fits_no_other_of_its_feed(dataset: str) -> None:
    contract = declare.load()[dataset]
    header = [c.headings[0] for c in contract.columns]
    others = [c.dataset for c in declare.datasets_of(contract.feed) if c is not contract and c.match(header)]
    assert others == []


@pytest.mark.parametrize("written", ["身高(cm)", "身高（cm）", " 身 高 ", "身高【厘米】", "身高（cm)"])
def test_heading_is_compared_without_brackets_units_and_width(written: str) -> None:
    assert declare.heading_key(written) == declare.heading_key("身高")


def test_runs_over_different_distances_are_different_headings() -> None:
    keys = {declare.heading_key(h) for h in ("50米跑", "1000米跑", "800米跑", "50米×8往返跑", "50米*8往返跑")}
    assert len(keys) == 4


def test_missing_required_columns_are_named_in_chinese() -> None:
    contract = declare.load()["birth"]
    assert contract.match(["区", "出生年"]) is None
    assert contract.missing(["区", "出生年"]) == ["出生人数"]


def test_every_code_list_maps_each_spelling_to_one_code() -> None:
    names = {c.codes for k in declare.load().values() for c in k.columns if c.codes}
    assert "grade" in names
    for name in sorted(names):
        assert declare.code_list(name).spellings()


def test_grade_codes_mean_what_their_standard_says() -> None:
    grades = declare.code_list("grade")
    assert grades.spellings("jyt_code")["12"] == "S3"
    assert grades.spellings("fitness_code")["12"] == "P2"
    assert grades.spellings("us_k12_code")["0"] == "K3"


def test_two_meanings_of_one_spelling_are_an_error() -> None:
    rows = ({"code": "1", "meaning_zh": "男", "also": "M"}, {"code": "2", "meaning_zh": "女", "also": "M"})
    with pytest.raises(declare.ContractError, match="M"):
        declare.CodeList("broken", rows).spellings()


def test_an_undeclared_table_is_an_error() -> None:
    with pytest.raises(declare.ContractError, match="clean_nothing"):
        declare.table_columns("clean_nothing")


def test_a_parted_thing_keeps_values_of_persons_out_of_its_general_table() -> None:
    parted = {dataset for dataset, contract in declare.load().items() if contract.general_table}
    assert {"pupil_roll", "test_result", "recheck_sample", "school_age_registration"} <= parted
    assert "grade_return" not in parted
    for contract in (declare.load()[dataset] for dataset in parted):
        general = contract.general_columns()
        assert declare.table_columns(contract.tables[1]) == general
        assert {contract.person_key, *contract.key, "scope_key", "_line_number"} <= general.keys()
        assert not {"flags", "unmapped", "document_key"} & general.keys()
        personal = {c.name for c in contract.columns if c.is_personal}
        assert personal & general.keys() <= {*contract.key}
        # What a scope is made of stands in clear in `scope_key`.
        assert not personal & {*contract.scope}
    assert declare.is_restricted("clean_fitness__test_result")
    assert declare.is_restricted("decision_fitness__score")
    assert not declare.is_restricted("clean_fitness__test_result__general")
    assert not declare.is_restricted("clean_enrollment__grade_count")
