"""For whom a caller may hand in, and whose deliveries he sees: decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.access.caller import Caller, Role
from jobs.lake.senders import Senders


@dataclass(frozen=True)
class Rights:
    """The senders that are a caller's own. `default`: the one that he means when he names none."""

    own: frozenset[str]
    is_for_all: bool
    default: str

    def has(self, sender: str) -> bool:
        """Whether the sender is one of his."""
        return self.is_for_all or sender in self.own

    def among(self, senders: Iterable[str]) -> list[str]:
        """Those of the senders that are his, sorted."""
        return sorted(code for code in senders if self.has(code))


def rights_of(caller: Caller, known: Senders) -> Rights:
    """A school and an office: itself. A district: itself and the schools that a register places in it. The
    steward: everybody.
    """
    if caller.role == Role.STEWARD:
        return Rights(frozenset(), True, "")
    unit = caller.unit_code
    own = {unit} if unit else set()
    if caller.role == Role.DISTRICT and unit:
        own |= {code for code, districts in (known.schools or {}).items() if unit in districts}
    return Rights(frozenset(own), False, unit)
