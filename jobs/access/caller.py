"""Who asks, and the one rule from a caller to the file and the rows that he may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

FULL, CITY, PUBLIC = "full", "city", "public"


class Role(StrEnum):
    """What a caller is to the bureau. Each person, key or code has one."""

    PUBLIC = "public"
    FAMILY = "family"
    SENDER = "sender"
    SCHOOL = "school"
    DISTRICT = "district"
    CITY = "city"
    STEWARD = "steward"


@dataclass(frozen=True)
class Caller:
    """Somebody who asks.

    `subject` names him in the trail: a person's id, a key's, a code's; empty for the public. `unit_code` is
    the school, district or office that he speaks for, `district_code` the district that it lies in,
    `pupil_key` the one pupil of a family. `abilities` bounds a machine's key; None for people.
    """

    role: Role = Role.PUBLIC
    subject: str = ""
    name: str = ""
    unit_code: str = ""
    district_code: str = ""
    pupil_key: str = ""
    via: Literal["nothing", "session", "key", "code"] = "nothing"
    abilities: frozenset[str] | None = None


ANYBODY = Caller()


@dataclass(frozen=True)
class Scope:
    """What may be seen: one file of a release, and within it only rows of one school or one pupil."""

    audience: str
    school_code: str = ""
    pupil_key: str = ""

    @property
    def tag(self) -> str:
        """Names the scope in cache keys and ETags: two scopes never share one."""
        return "/".join((self.audience, self.school_code, self.pupil_key)).rstrip("/")


def scope_of(caller: Caller, pupil_rows: bool = False) -> Scope | None:
    """What a caller may see; with `pupil_rows`, of rows about single pupils. None: nothing.

    The file is chosen here and nowhere else. What it holds was chosen when it was published.
    """
    if caller.role == Role.STEWARD:
        return Scope(FULL)
    if caller.role == Role.SCHOOL and caller.unit_code and caller.district_code:
        own = Scope(f"district-{caller.district_code}", caller.unit_code)
        return replace(own, audience=pupil_file(caller.district_code)) if pupil_rows else own
    if caller.role == Role.FAMILY and pupil_rows and caller.pupil_key and caller.district_code:
        return Scope(pupil_file(caller.district_code), pupil_key=caller.pupil_key)
    if pupil_rows:
        return None
    if caller.role == Role.CITY:
        return Scope(CITY)
    if caller.role == Role.DISTRICT and caller.unit_code:
        return Scope(f"district-{caller.unit_code}")
    return Scope(PUBLIC)


def rows_open(table: str, told: Mapping[str, Any], scope: Scope) -> Literal["all", "own", "none"]:
    """What of a table in its file a scope may see, by what the manifest tells of it; `own`: the rows of its
    school or pupil, by `own_column`.

    Denied unless something opens it. A school sees what the public sees, plain dimensions of the whole city,
    and its own rows; a mart's `school_rows` may deny even these.
    """
    key = own_column(told, scope)
    if not key:
        return "all"
    names = {column["name"] for column in told["columns"]}
    if told.get("pupil_rows"):
        return "own" if key in names else "none"
    if told.get("public"):
        return "all"
    if scope.pupil_key:
        return "none"
    if key in names:
        return "none" if told.get("school_rows") == "none" else "own"
    is_plain = told.get("scope") == CITY and table.startswith("dim_") and "pupil_key" not in names
    return "all" if is_plain else "none"


def own_column(told: Mapping[str, Any], scope: Scope) -> str:
    """The column of a table by which a scope's own rows are told; empty where a whole file is open."""
    if scope.pupil_key:
        return "pupil_key"
    if not scope.school_code:
        return ""
    named: str = told.get("school_rows") or "none"
    return "school_code" if named == "none" else named


def pupil_file(district_code: str) -> str:
    """The audience whose file holds a district's rows about single pupils."""
    return f"district-{district_code}-pupils"
