"""The declarations: they load, and they agree with each other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from jobs import declare
from jobs.declare import contracts
from jobs.settings import EXPECTATIONS, FEEDS


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


def test_an_undeclared_table_is_an_error() -> None:
    with pytest.raises(declare.ContractError, match="clean_nothing"):
        declare.table_columns("clean_nothing")


def test_a_parted_dataset_keeps_values_of_persons_out_of_its_general_table() -> None:
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


@pytest.mark.parametrize(
    ("written", "changed", "told"),
    [
        ("extra_columns: evolve", "extra_columns: ignore", "birth.yaml: extra_columns 'ignore'"),
        (
            "\ngrain:",
            "\ngrainn:",
            "birth.yaml: `grain` is missing, unknown key `grainn`; did you mean `grain`?",
        ),
        ("birth_year: {", "birth_yearr: {", "birth.yaml: column birth_yearr is not in fields.yaml"),
        (
            "birth_year: {",
            "birth_year: {requiredd: true, ",
            "birth.yaml: column birth_year: unknown key `requiredd`; did you mean `required`?",
        ),
    ],
)
def test_a_mistake_in_a_contract_is_told_with_file_column_and_the_nearest_key(
    written: str, changed: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "contracts").mkdir()
    shutil.copy(EXPECTATIONS / "fields.yaml", tmp_path)
    text = (EXPECTATIONS / "contracts" / "birth.yaml").read_text("utf-8")
    assert written in text
    (tmp_path / "contracts" / "birth.yaml").write_text(text.replace(written, changed), encoding="utf-8")
    monkeypatch.setattr(contracts, "EXPECTATIONS", tmp_path)
    with pytest.raises(declare.ContractError, match=re.escape(told)):
        contracts.load.__wrapped__()
