"""A contract in the Open Data Contract Standard, for the systems of a sender.

Bounds of the possible are `logicalTypeOptions`; a rule that only flags is a quality rule of severity
`warning`. Accepted headings are synonyms, codes are an `enum`.
"""

from __future__ import annotations

import json
from typing import Any

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    Description,
    EnumValue,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    Server,
    Synonym,
)

from jobs.declare import bounds
from jobs.declare.codes import is_open, listed
from jobs.declare.model import Column, Contract
from jobs.declare.words import explain

_LOGICAL = {
    "string": "string",
    "month": "string",
    "int": "integer",
    "year": "integer",
    "bool": "boolean",
    "date": "date",
    "duration": "number",
}
_CLASSES = {
    "direct": "restricted",
    "sensitive": "confidential",
    "quasi": "confidential",
    "ordinary": "internal",
}


def open_contract(contract: Contract) -> OpenDataContractStandard:
    """The whole contract, valid by the standard's schema."""
    return OpenDataContractStandard(
        version="1.0.0",
        kind="DataContract",
        apiVersion="v3.2.0",
        id=f"edulake-{contract.feed}-{contract.dataset}".replace("_", "-"),
        name=contract.dataset,
        status="active",
        domain=contract.domain,
        dataProduct=contract.feed,
        description=Description(purpose=f"{contract.zh} — {contract.en}", usage=contract.legal_basis),
        servers=[Server(server="landing", type="local", path=f"landing/{contract.feed}", format="csv, xlsx")],
        schema=[_table(contract)],
        customProperties=[
            _custom("sender", contract.sender),
            _custom("delivery", contract.delivery),
            _custom("recordKind", contract.record_kind),
            _custom("retentionYears", contract.retention_years),
            _custom("extraColumns", contract.extra_columns),
            *([_custom("leftInRaw", list(contract.left_in_raw))] if contract.left_in_raw else []),
            *([_custom("heldWhen", dict(contract.rows))] if contract.rows else []),
        ],
    )


def problems(document: OpenDataContractStandard) -> list[str]:
    """The violations of the standard's own JSON schema; empty for a valid document."""
    from jsonschema import Draft201909Validator

    schema = json.loads(OpenDataContractStandard.json_schema())
    plain = document.model_dump(exclude_defaults=True, exclude_none=True, by_alias=True, mode="json")
    return [
        f"{'/'.join(map(str, error.path))}: {error.message}"
        for error in Draft201909Validator(schema).iter_errors(plain)
    ]


def _table(contract: Contract) -> SchemaObject:
    rules = [
        _rule(
            name=f"unique_{'_'.join(contract.key)}",
            type="text",
            description="The key stands once in a delivery; the first of several lines is taken.",
            dimension="uniqueness",
            severity="error",
            businessImpact="A second line of the same key would be counted twice.",
        ),
        _rule(
            name="cells_beyond",
            type="text",
            description="A line has no cells beyond the heading.",
            dimension="conformity",
            severity="error",
            businessImpact="One cell too many moves all behind it into wrong columns.",
        ),
    ]
    rules += [
        _rule(
            name=f"{rule.name}({', '.join(rule.columns)})",
            type="text",
            description=f"{rule.zh} {rule.en}: {rule.holds}",
            dimension="consistency",
            severity="error" if rule.verdict == "refuse" else "warning",
            businessImpact=rule.fix_zh,
        )
        for rule in contract.rules
    ]
    return SchemaObject(
        name=contract.dataset,
        physicalName=contract.table,
        physicalType="table",
        logicalType="object",
        businessName=contract.zh,
        description=contract.en,
        dataGranularityDescription=contract.grain,
        properties=[_property(contract, column) for column in contract.columns],
        quality=rules,
    )


def _property(contract: Contract, column: Column) -> SchemaProperty:
    own_key = {contract.identity if name == contract.person_key else name for name in contract.key}
    key = [name for name in own_key if name == column.name]
    custom = [_custom("privacy", column.privacy)]
    if column.unit:
        custom.append(_custom("unit", column.unit))
    if column.codes:
        custom.append(_custom("codeList", column.codes))
    if column.name in bounds.columns(contract):
        custom.append(
            _custom(
                "boundsBy", {"columns": list(contract.bounds_by), "file": f"standards/{contract.bounds}.csv"}
            )
        )
    if column.other_units:
        custom.append(_custom("otherUnits", list(column.other_units)))
    if column.check_digit:
        custom.append(_custom("checkDigit", f"GB 11643 ({column.check_digit})"))
    return SchemaProperty(
        name=column.name,
        physicalName=column.headings[0],
        physicalType=column.stored_type,
        logicalType=_LOGICAL.get(column.type, "number"),
        logicalTypeOptions=_options(column) or None,
        businessName=column.zh,
        description=column.en,
        synonyms=[Synonym(synonym=h) for h in column.headings[1:]] or None,
        required=column.required,
        primaryKey=True if key else None,
        primaryKeyPosition=1 + list(contract.key).index(_clean_name(contract, column.name)) if key else None,
        classification=_CLASSES[column.privacy],
        enum=_enum(column),
        quality=_quality(contract, column) or None,
        customProperties=custom,
    )


def _clean_name(contract: Contract, name: str) -> str:
    return contract.person_key if name == contract.identity and contract.person_key else name


def _options(column: Column) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if column.refuse_outside and _LOGICAL.get(column.type, "number") in {"integer", "number"}:
        options["minimum"], options["maximum"] = column.refuse_outside
    if column.pattern and column.type == "string":
        options["pattern"] = f"^(?:{column.pattern})$"
    return options


def _enum(column: Column) -> list[EnumValue] | None:
    if not column.codes or is_open(column):
        return None
    shown = column.codes_column or "code"
    rows = [(row.get(shown) or "", row["meaning_zh"]) for row in listed(column)]
    return [EnumValue(value=code, label=meaning) for code, meaning in rows if code]


def _quality(contract: Contract, column: Column) -> list[DataQuality]:
    """The rules of one column, each once; a rule that can refuse has the severity `error`."""
    verdicts: dict[str, set[str]] = {}
    across = {rule.name for rule in contract.rules if rule.columns[0] == column.name} | {
        "repeated_key",
        "cells_beyond",
    }
    for name, rule, verdict in contract.row_rules():
        if name == column.name and rule not in across:
            verdicts.setdefault(rule, set()).add(verdict)
    rules = []
    for rule, told_as in verdicts.items():
        explanation = explain(contract, column.name, rule, is_refused="refuse" in told_as)
        rules.append(
            _rule(
                name=rule,
                type="text",
                description=explanation.asked.zh,
                dimension="completeness" if rule == "required" else "conformity",
                severity="error" if "refuse" in told_as else "warning",
                businessImpact=explanation.do.zh,
            )
        )
    return rules


def _rule(**fields: Any) -> DataQuality:
    return DataQuality.model_validate(fields)


def _custom(name: str, value: Any) -> CustomProperty:
    return CustomProperty(property=name, value=value)
