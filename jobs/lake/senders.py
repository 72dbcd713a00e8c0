"""Who may send: the districts and offices that a site lists, and the schools that its registers name.

Nobody keeps a list of schools by hand. Until a first register stands, whoever has the code of a school may
be one: its own first files may come before it. A site that lists neither districts nor senders takes files
of any name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs.declare import Contract, code_list
from jobs.lake import tables, withdrawals
from jobs.settings import Settings

REGISTER = "clean_enrollment__school"
# Contract's `sender` -> the kinds of sender that may hand its files in. The bureau may do so for anybody.
_MAY_SEND = {
    "district": ("district", "city"),
    "reporting_unit": ("district", "school", "city"),
    "school": ("school",),
    "city": ("city",),
    "contributor": ("district", "school", "city"),
}


@dataclass(frozen=True)
class Senders:
    """The senders of a site.

    `schools`: each school of a register -> the districts that name it; None where no register stands.
    """

    districts: frozenset[str]
    offices: frozenset[str]
    prefixes: frozenset[str]
    schools: Mapping[str, frozenset[str]] | None

    @property
    def is_free(self) -> bool:
        """Whether the site names no sender, and takes all."""
        return not self.districts and not self.offices

    def kind(self, code: str) -> str | None:
        """district, city or school; None for a sender that nobody knows."""
        if code in self.districts:
            return "district"
        if code in self.offices:
            return "city"
        if self.schools is not None:
            return "school" if code in self.schools else None
        return "school" if self.is_code_of_school(code) else None

    def is_code_of_school(self, code: str) -> bool:
        """Whether a code has the form of a school's, registered or not."""
        return re.fullmatch(r"[0-9]{10}", code) is not None and code[:2] in self.prefixes


def may_send(contract: Contract) -> tuple[str, ...]:
    """The kinds of sender that may hand in a dataset."""
    found = _MAY_SEND[contract.sender]
    # A line that names its school may come from the office that collects such files.
    if found == ("school",) and any(column.name == "school_code" for column in contract.columns):
        return ("school", "district", "city")
    return found


def load(settings: Settings) -> Senders:
    """The senders that a site knows now; the registers as they were committed so far."""
    listed = {
        name: frozenset(code_list(name).codes()) for name in ("district", "sender", "school_type_prefix")
    }
    known = Senders(listed["district"], listed["sender"], listed["school_type_prefix"], None)
    return with_schools(known, _schools(settings))


def with_schools(known: Senders, rows: Iterable[Mapping[str, Any]]) -> Senders:
    """The same senders with further rows of a register: `school_code, district_code, sender_code,
    is_withdrawn`.
    """
    found = {code: {*told} for code, told in (known.schools or {}).items()}
    for row in rows:
        if not row["is_withdrawn"]:
            told = found.setdefault(row["school_code"], set())
            told |= {row[name] for name in ("district_code", "sender_code") if row[name]}
    schools = {code: frozenset(told) for code, told in found.items()}
    return replace(known, schools=schools or None)


def _schools(settings: Settings) -> Iterator[dict[str, Any]]:
    gone = withdrawals.load(settings)
    return (row for row in tables.rows(settings, REGISTER, COLUMNS) if row["_delivery_id"] not in gone)


# Of a register, what says which schools are whose.
COLUMNS = ["school_code", "district_code", "sender_code", "is_withdrawn", "_delivery_id"]
