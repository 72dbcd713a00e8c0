"""A site's own file, `<site>.yaml`: its settings as a model, and every mistake in it told at once.

Names of files in it are relative to the folder of the site's file. What a setting means is said in its
description here; the reference of settings is written from them.
"""

from __future__ import annotations

import csv
import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, Field, ValidationError

from jobs.site_served import Door, Part, Portal, SignIn

# The columns that a site's tables must have; code lists have those of the empty lists in expectations/codes.
CALENDAR_COLUMNS = ("date", "is_school_day")
CODE_LISTS = {"districts": "district", "senders": "sender"}


class Places(Part):
    """What the forecast of places must know of the site's schools."""

    grade_scheme: Annotated[
        Literal["cn", "us_k12"],
        Field(description="How senders write grades: `cn` K1-K3, P1-P6, J1-J3, S1-S3; `us_k12` K, 1-12"),
    ] = "cn"
    entry_grade: Annotated[
        str, Field(description="The grade that children of an age enter, as the lake keeps it: K1 to S3")
    ] = "P1"
    entry_lag: Annotated[
        int, Field(ge=0, le=10, description="Years from the year of birth to the autumn of entry")
    ] = 6
    horizon: Annotated[int, Field(ge=1, le=30, description="School years that are forecast")] = 8


class Sql(Part):
    """What one question of `sql` or `asof` may take of the machine."""

    seconds: Annotated[int, Field(ge=1, description="Seconds that the engine works for it")] = 120
    memory_mb: Annotated[int, Field(ge=64, description="Megabytes of memory")] = 1024
    disk_mb: Annotated[
        int, Field(ge=0, description="Megabytes of temporary files, for what does not fit in memory")
    ] = 4096
    rows: Annotated[
        int | None,
        Field(
            ge=1,
            description="Rows that `--csv` prints; with more it prints these, says so and ends with code 1."
            " Without it, all",
        ),
    ] = None


class KeptReleases(Part):
    """Which releases stay; the others go with the next publication."""

    newest: Annotated[
        int,
        Field(ge=2, description="The newest ones, so many; readers may still be at the one before the last"),
    ] = 5
    last_of_month: Annotated[
        bool, Field(description="The last one that shows a day of its month, of every month")
    ] = True


class ReleaseRule(Part):
    """How a release comes to be published."""

    approval: Annotated[
        Literal["checklist", "person"],
        Field(
            description="`checklist`: a release without a red check is published at once;"
            " `person`: somebody must approve each"
        ),
    ] = "checklist"


class RealInput(Part):
    """A file that stands with the site and is landed by the first run."""

    file: Annotated[Path, Field(description="The file")]
    feed: Annotated[str, Field(description="The feed that it belongs to")]
    sender: Annotated[str, Field(description="The code of its sender")]
    received: Annotated[date, Field(description="The day on which it was received")]


class Site(Part):
    """All that a site's file may say."""

    title_zh: Annotated[str, Field(description="The site's name in Chinese, shown to readers")]
    title_en: Annotated[str, Field(description="The site's name in English")]
    language: Annotated[
        Literal["zh", "en"],
        Field(description="Language in which people here read why a file was held or refused"),
    ] = "zh"
    timezone: Annotated[str, Field(description="IANA time zone in which days begin and runs are scheduled")]
    feeds: Annotated[tuple[str, ...], Field(min_length=1, description="The feeds that are on")]
    services: Annotated[tuple[str, ...], Field(description="The services that are on")]
    synthetic: Annotated[
        bool, Field(description="Whether its persons are made up: keys are then derived")
    ] = False
    persons: Annotated[
        bool,
        Field(description="Whether its files name persons: a real site then needs EDULAKE_HMAC_KEY_FILE"),
    ] = True
    small_cell: Annotated[
        int, Field(ge=0, description="Counts of persons below this are hidden in the public release")
    ] = 10
    protection_width: Annotated[
        int,
        Field(
            ge=1,
            description="How many values a hidden count could have at least, for who has read every release",
        ),
    ] = 5
    rows_in_process: Annotated[
        int,
        Field(
            ge=0, description="With more rows of statements, Spark works out their history, else this process"
        ),
    ] = 50_000_000
    input: Annotated[
        str | None, Field(description="The package that writes the site's files and brings its commands")
    ] = None
    real_input: Annotated[tuple[RealInput, ...], Field(description="Files that the first run lands")] = ()
    places: Annotated[Places, Field(description="What the forecast of places must know")] = Places()
    sql: Annotated[Sql, Field(description="What one question in SQL may take of the machine")] = Sql()
    kept_releases: Annotated[
        KeptReleases, Field(description="Which releases stay, beside those that have a name")
    ] = KeptReleases()
    release: Annotated[ReleaseRule, Field(description="How a release comes to be published")] = ReleaseRule()
    sign_in: Annotated[
        SignIn | None,
        Field(description="How people sign in; without it only keys and family codes open anything"),
    ] = None
    portal: Annotated[Portal, Field(description="How the portal is reached from other machines")] = Portal()
    door: Annotated[Door, Field(description="What may be handed in by the page `/hand-in`")] = Door()
    jurisdictions: Annotated[
        tuple[str, ...], Field(description="Whose safety rules hold here beside the national ones")
    ] = ()
    districts: Annotated[
        Path | None,
        Field(
            description="CSV of districts, as `expectations/codes/district.csv`; without it any code is kept"
        ),
    ] = None
    senders: Annotated[
        Path | None,
        Field(
            description="CSV of senders other than districts and schools, as `expectations/codes/sender.csv`"
        ),
    ] = None
    calendar: Annotated[
        Path | None,
        Field(
            description="CSV of all days: `date`, `is_school_day` (0 or 1); without it Monday to Friday count"
        ),
    ] = None
    map: Annotated[
        Path | None,
        Field(description="GeoJSON of the districts, `id` the code; without it reports show no map"),
    ] = None


# Settings that `jobs.settings.Settings` has under the same name.
SAME_IN_SETTINGS = tuple(name for name in Site.model_fields if name not in ("synthetic", "persons"))
_FILES = ("districts", "senders", "calendar", "map")


def read(
    path: Path, feeds: Sequence[str], services: Sequence[str], code_lists: Path
) -> tuple[Site | None, list[str]]:
    """The site that a file describes, or None and all that is wrong with the file, line by line.

    `code_lists` is the folder of code lists, whose headers the site's own tables must have.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, OSError) as error:
        return None, [str(error)]
    if node is None or not isinstance(content, dict):
        return None, ["it has no settings"]
    lines: dict[tuple[str | int, ...], int] = {}
    problems = list(_walk(node, (), lines))
    try:
        site = Site.model_validate(content)
    except ValidationError as invalid:
        problems += [_problem(dict(error), lines) for error in invalid.errors()]
        return None, problems
    problems += _unknown_names(site, feeds, services, lines)
    if site.small_cell > 1 and site.protection_width >= site.small_cell:
        line = _line(("protection_width",), lines)
        problems.append(
            f"line {line}: `protection_width`: must be less than small_cell, {site.small_cell}:"
            " a hidden count has no more values than that"
        )
    with (code_lists / "grade.csv").open(encoding="utf-8", newline="") as table:
        grades = [row["code"] for row in csv.DictReader(table)]
    if site.places.entry_grade not in grades:
        line = _line(("places", "entry_grade"), lines)
        problems.append(f"line {line}: there is no grade `{site.places.entry_grade}`: {', '.join(grades)}")
    site = site.model_copy(
        update={
            "real_input": tuple(
                given.model_copy(update={"file": _beside(path, given.file)}) for given in site.real_input
            ),
            **{name: _beside(path, file) for name in _FILES if (file := getattr(site, name)) is not None},
            **({"sign_in": _signing_in(path, site.sign_in)} if site.sign_in else {}),
        }
    )
    problems += _broken_files(site, code_lists, lines)
    return (None if problems else site), problems


def _beside(path: Path, file: Path) -> Path:
    """A file that is named relative to the site's own."""
    return Path(os.path.normpath(path.absolute().parent / file))


def _signing_in(path: Path, told: SignIn) -> SignIn:
    file = told.secret_file and _beside(path, told.secret_file)
    return told.model_copy(update={"secret_file": file})


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean …?` for the known word nearest to one, or nothing where none is near."""
    found = difflib.get_close_matches(word.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    return next((f"; did you mean `{k}`?" for k in known if found and k.lower() == found[0]), "")


def _walk(
    node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
) -> Iterator[str]:
    """Note the line of every setting; yield the settings that stand twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = (*path, key.value)
            if own in lines:
                yield f"{_named(own)} stands on line {lines[own]} and again on line {key.start_mark.line + 1}"
            lines[own] = key.start_mark.line + 1
            yield from _walk(value, own, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _walk(value, (*path, number), lines)


def _problem(error: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> str:
    path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        known = list(_model(path[:-1]).model_fields)
        within = f" in {'.'.join(str(p) for p in path[:-1])}" if path[:-1] else ""
        return f"line {lines[path]}: unknown setting `{path[-1]}`{within}{nearest(str(path[-1]), known)}"
    if error["type"] == "missing":
        return f"{_named(path)} is missing"
    return f"line {_line(path, lines)}: {_named(path)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _model(path: tuple[str | int, ...]) -> type[BaseModel]:
    """The part of the model that a path leads to."""
    parts: dict[str | int, type[BaseModel]] = {
        "places": Places,
        "real_input": RealInput,
        "sql": Sql,
        "kept_releases": KeptReleases,
        "release": ReleaseRule,
        "sign_in": SignIn,
        "portal": Portal,
    }
    return parts.get(path[0], Site) if path else Site


def _named(path: tuple[str | int, ...]) -> str:
    return f"`{'.'.join(str(part) for part in path)}`"


def _line(path: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]) -> int:
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _unknown_names(
    site: Site, feeds: Sequence[str], services: Sequence[str], lines: Mapping[tuple[str | int, ...], int]
) -> Iterator[str]:
    """Feeds, services and time zones that nobody knows, and input of a feed that is off."""
    for kind, named, known in (("feed", site.feeds, feeds), ("service", site.services, services)):
        for number, name in enumerate(named):
            if name not in known:
                line = _line((f"{kind}s", number), lines)
                yield f"line {line}: there is no {kind} `{name}`{nearest(name, known)}"
    for number, given in enumerate(site.real_input):
        if given.feed not in site.feeds:
            line = _line(("real_input", number, "feed"), lines)
            yield f"line {line}: the feed `{given.feed}` of real_input is not on"
    try:
        ZoneInfo(site.timezone)
    except (KeyError, ValueError, OSError):
        yield f"line {_line(('timezone',), lines)}: there is no time zone `{site.timezone}`"


def _broken_files(site: Site, code_lists: Path, lines: Mapping[tuple[str | int, ...], int]) -> Iterator[str]:
    """Files that the site names and that are missing, or tables without a column that they must have."""
    named: list[tuple[tuple[str | int, ...], Path]] = [
        (("real_input", number, "file"), given.file) for number, given in enumerate(site.real_input)
    ]
    named += [((name,), file) for name in _FILES if (file := getattr(site, name)) is not None]
    for path, file in named:
        where = f"line {_line(path, lines)}: {_named(path)}"
        if not file.is_file():
            yield f"{where}: there is no file {file}"
            continue
        if path[0] == "map" and (fault := _map_fault(file)):
            yield f"{where}: {file.name} {fault}"
        asked = _columns(str(path[0]), code_lists)
        missing = [column for column in asked if column not in _header(file)] if asked else []
        if missing:
            yield f"{where}: {file.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}"


def _map_fault(file: Path) -> str:
    """What keeps a file from being a map of districts, or nothing."""
    try:
        features = json.loads(file.read_text(encoding="utf-8"))["features"]
        shapes = [(str(feature["id"]), feature["geometry"]["type"]) for feature in features]
    except (ValueError, KeyError, TypeError):
        return "is no GeoJSON FeatureCollection of features with `id` and geometry"
    odd = [code for code, shape in shapes if shape not in ("Polygon", "MultiPolygon")]
    return f"has shapes that are no polygons: {', '.join(odd)}" if odd else ""


def _columns(setting: str, code_lists: Path) -> tuple[str, ...]:
    if setting == "calendar":
        return CALENDAR_COLUMNS
    return _header(code_lists / f"{CODE_LISTS[setting]}.csv") if setting in CODE_LISTS else ()


def _header(file: Path) -> tuple[str, ...]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return tuple(next(csv.reader(lines), ()))
