"""Every metric, declared once in `expectations/metrics/`, a file a service: what it is, how it is counted.

A file holds `service`, `metrics` (code -> metric) and what its metrics share: each key of a metric may stand
at the top of the file instead. `each` makes several metrics of one: with
`each: {stage: {primary: {zh: 小学}}}`, `{stage}` stands for `primary` and `{stage.zh}` for 小学, in the code
and in every text. Unknown keys are errors, and every error names file and metric. The targets of plans are
dated data: `expectations/standards/evaluation/plan_indicators.csv`, checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.declare import standards
from jobs.declare.model import ContractError
from jobs.files import parse_yaml
from jobs.settings import EXPECTATIONS

FOLDER = EXPECTATIONS / "metrics"
TARGETS = "evaluation/plan_indicators"

Level = Literal["school", "group", "district", "zone", "city"]
# The level whose rows are summed to a level above: its metrics need numerator and denominator.
SUMMED_FROM: dict[str, str] = {"group": "school"}
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    """A part of a declaration: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Part):
    """The same in Chinese and in English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Period(_Part):
    """Which time a value is of.

    `column` holds a year (of a school year: in which it starts); of the kind `date` it is left out, and the
    value is of the run's day.
    """

    kind: Literal["calendar_year", "school_year", "date"]
    column: Name | None = None

    @model_validator(mode="after")
    def _has_its_column(self) -> Period:
        if (self.kind == "date") == (self.column is not None):
            raise ValueError("a period of the kind date has no column, every other kind has one")
        return self


class Source(_Part):
    """How one basis of a metric is counted: rows of one dbt model.

    `where` filters them, with `{metric}` for the metric's code. `rows: units`: each row is of a unit of
    `levels`, told by `unit` and by `level`, which is a column or the level of all rows. `rows: sum`: rows are
    of schools (column `school`) or districts, and are summed to each of `levels`; a yes-or-no column counts
    as 1 or 0. Numerator and denominator are columns, and the value is their quotient times the metric's
    `per`; or the model tells the `value` itself. `sum_to`: levels that are summed from those of the model.
    `unmapped`: column that counts rows with codes that nobody mapped; with an interval, they make a share
    void as `is_void` says. `interval: wilson`: the denominator is a sample.
    """

    basis: Literal["reported", "counted"]
    model: Name
    where: str = "true"
    rows: Literal["units", "sum"] = "units"
    levels: tuple[Level, ...] = Field(min_length=1)
    sum_to: tuple[Level, ...] = ()
    level: Name = "unit_level"
    unit: Name = "unit_code"
    school: Name | None = "school_code"
    district: Name | None = "district_code"
    period: Period
    numerator: Name | None = None
    denominator: Name | None = None
    value: Name | None = None
    low: Name | None = None
    high: Name | None = None
    unmapped: Name | None = None
    missing_reason: Name | None = None
    interval: Literal["none", "wilson"] = "none"

    @model_validator(mode="after")
    def _can_be_counted(self) -> Source:
        if (self.numerator is None) != (self.denominator is None):
            raise ValueError("numerator and denominator stand together or not at all")
        if self.numerator is None and self.value is None:
            raise ValueError("it needs numerator and denominator, or a value")
        if self.numerator is None and (self.sum_to or self.rows == "sum" or self.interval != "none"):
            raise ValueError("sums and intervals need numerator and denominator")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high stand together or not at all")
        if self.low is not None and self.interval != "none":
            raise ValueError("an interval is given by the model or computed, not both")
        for level in self.sum_to:
            if SUMMED_FROM.get(level) not in self.levels or level in self.levels:
                raise ValueError(f"{level} cannot be summed from {', '.join(self.levels)}")
        return self


class Metric(_Part):
    """One metric.

    `per`: what the quotient is multiplied by to be in `unit` (100 for %, 10000 for a rate per ten thousand).
    `decimals`: how it is printed. `small_number: flag`: a value of fewer cases than the site's `small_cell`
    is flagged, for management reads it; public tables hide by their own rules.
    """

    code: Name
    service: Literal[
        "evaluation", "balance", "places", "fitness", "safety", "enrollment", "staff", "ops", "resources"
    ]
    name: Words
    definition: Words
    numerator: Words | None = None
    denominator: Words | None = None
    unit: Words
    per: int = Field(default=1, gt=0)
    direction: Literal["up", "down", "hold", "none"]
    decimals: int = Field(ge=0, le=6)
    clause: str | None = None
    footnote: Words | None = None
    source_tables: tuple[str, ...] = Field(min_length=1)
    small_number: Literal["flag", "none"] = "flag"
    values: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Metric:
        if (self.numerator is None) != (self.denominator is None):
            raise ValueError("numerator and denominator are told together or not at all")
        if self.numerator is None and any(source.numerator for source in self.values):
            raise ValueError("it has numerator and denominator, and does not say in words what they are")
        told = [(source.basis, level) for source in self.values for level in (*source.levels, *source.sum_to)]
        if twice := sorted({f"{basis} {level}" for basis, level in told if told.count((basis, level)) > 1}):
            raise ValueError(f"two of its values are of one basis and level: {', '.join(twice)}")
        return self

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels it exists on, from school to city."""
        order = ("school", "group", "district", "zone", "city")
        found = {level for source in self.values for level in (*source.levels, *source.sum_to)}
        return tuple(level for level in order if level in found)


@cache
def load() -> Mapping[str, Metric]:
    """Code -> metric of all files, in the order of files and of their metrics. Raises ContractError."""
    found: dict[str, Metric] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for metric in read(path):
            if metric.code in found:
                raise ContractError(f"{path.name}: {metric.code} is declared twice")
            found[metric.code] = metric
    _check_targets(found)
    return found


def read(path: Path) -> Iterator[Metric]:
    """The metrics of one file. Raises ContractError, which names file and metric."""
    told = parse_yaml(path.read_text("utf-8"))
    if not isinstance(told, dict) or not isinstance(told.get("metrics"), dict):
        raise ContractError(f"{path.name}: it has no `metrics`")
    shared = {key: value for key, value in told.items() if key != "metrics"}
    if unknown := sorted(shared.keys() - (Metric.model_fields.keys() - {"code"})):
        raise ContractError(f"{path.name}: unknown keys {', '.join(unknown)}")
    for code, own in _each(path, told["metrics"]):
        if not isinstance(own, dict) or {"code", "service"} & own.keys():
            raise ContractError(f"{path.name}: {code} must be a mapping without code and service")
        try:
            metric = Metric.model_validate({**shared, **own, "code": code})
        except ValidationError as error:
            raise ContractError(f"{path.name}: {code}: {_first(error)}") from error
        yield metric


def _each(path: Path, told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every code with its metric; one with `each` as often as that has combinations."""
    for code, own in told.items():
        if not isinstance(own, dict) or "each" not in own:
            yield code, own
            continue
        try:
            axes = [
                [
                    {f"{{{axis}}}": key} | {f"{{{axis}.{n}}}": str(v) for n, v in words.items()}
                    for key, words in of
                ]
                for axis, of in ((axis, entries.items()) for axis, entries in own["each"].items())
            ]
        except AttributeError:
            raise ContractError(f"{path.name}: {code}: each: axis -> key -> words is a mapping") from None
        body = {key: value for key, value in own.items() if key != "each"}
        for chosen in product(*axes):
            words = {name: word for part in chosen for name, word in part.items()}
            yield _filled(code, words), _filled(body, words)


def _filled(told: Any, words: Mapping[str, str]) -> Any:
    """The same with every `{axis}` and `{axis.word}` replaced."""
    if isinstance(told, dict):
        return {key: _filled(value, words) for key, value in told.items()}
    if isinstance(told, list):
        return [_filled(value, words) for value in told]
    if isinstance(told, str):
        for name, word in words.items():
            told = told.replace(name, word)
    return told


def _first(error: ValidationError) -> str:
    """Where the first mistake stands, and what it is."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    said = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _check_targets(metrics: Mapping[str, Metric]) -> None:
    """Raises ContractError for a target of no metric, and for two targets of one metric on one day."""
    rows = standards.rows(TARGETS)
    by_metric: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["indicator_code"] not in metrics:
            raise ContractError(f"{TARGETS}.csv: {row['indicator_code']} is no metric of {FOLDER.name}/")
        by_metric.setdefault(row["indicator_code"], []).append(row)
    for code, own in by_metric.items():
        own.sort(key=lambda row: row["valid_from"])
        for earlier, later in pairwise(own):
            if not earlier["valid_to"] or earlier["valid_to"] > later["valid_from"]:
                raise ContractError(
                    f"{TARGETS}.csv: {code} has two targets from {later['valid_from']} on,"
                    f" of {earlier['plan_code']} and {later['plan_code']}: end the first with valid_to"
                )


def rows() -> list[dict[str, str | None]]:
    """The metrics as rows of `standards.metric`, which dbt reads: all columns as text."""
    found = []
    for at, metric in enumerate(load().values(), 1):
        words = {
            f"{part}_{language}": getattr(told, language) if (told := getattr(metric, part)) else None
            for part in ("definition", "numerator", "denominator", "unit", "footnote")
            for language in ("zh", "en")
        }
        found.append(
            {
                "metric_code": metric.code,
                "sort_order": str(at),
                "metric_zh": metric.name.zh,
                "metric_en": metric.name.en,
                "service": metric.service,
                "direction": metric.direction,
                "decimals": str(metric.decimals),
                "levels": " ".join(metric.levels),
                "source_tables": " ".join(metric.source_tables),
                "clause": metric.clause,
                **words,
            }
        )
    return found


def sources() -> list[dict[str, Any]]:
    """Each metric's sources as the dbt macro `metric_sources` tells them: flat, one a basis and model."""
    return [
        {
            "metric": metric.code,
            "per": metric.per,
            "small_number": metric.small_number,
            **source.model_dump(exclude={"period", "where"}),
            "levels": list(source.levels),
            "sum_to": list(source.sum_to),
            "where": source.where.replace("{metric}", metric.code),
            "period_kind": source.period.kind,
            "period": source.period.column,
        }
        for metric in load().values()
        for source in metric.values
    ]
