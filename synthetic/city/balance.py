"""Which district passes the law of quality balance, and by which one rule each other district fails.

The only place that says so. Districts are chosen by what they are (how many schools, how large), so that the
profiles hold at any scale at which schools have whole classes; `mended` makes premises and staff follow them,
`supervision_items` what districts state, and the truth is told aside (`truth/balance_district.csv`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.declare import standards
from synthetic.city.figures import districts
from synthetic.city.ladder import GRADES_OF
from synthetic.city.schools import Schools, year_index

QUALITY, PRESCHOOL = "quality_balance_2017", "preschool_access_2020"
_CENTER = ("110101", "110102")
CENTRAL_SIX = (*_CENTER, "110105", "110106", "110107", "110108")
_COMPULSORY = ("primary", "junior")


@dataclass(frozen=True)
class Facts:
    """What a district is, in one school year. Schools by number; pupils of compulsory stages."""

    code: str
    primaries: NDArray[np.int64]  # public schools with primary pupils, the largest first
    small: int | None  # a school of one stage with 50 to 99 pupils
    has_many_private: bool  # so many that migrant children in public schools may be too few
    is_too_large: bool  # some school is beyond even the eased limit of G4a

    @property
    def is_center(self) -> bool:
        return self.code in _CENTER


class Profile(NamedTuple):
    """One way to stand before the law. `rule`: the first rule that is not met; empty where all are."""

    name: str
    tells: str
    gate: str = ""
    rule: str = ""
    state: str = ""  # not_met | not_collected
    fits: Callable[[Facts], bool] = lambda _: True

    @property
    def passes(self) -> bool:
        return not self.rule


_NOT_MET = "not_met"
PASSES = Profile("passes", "meets every rule with room to spare")
# E4 asks of every coefficient what the resource part asks again: who fails by one fails at eligibility.
PROFILES = (
    Profile(
        *("too_large", "a school of over 2,400 pupils", "government", "G4a", _NOT_MET),
        fits=lambda f: f.is_too_large,
    ),
    Profile(
        *("recognized_late", "many private schools, and recognized as balanced only two years ago"),
        *("eligibility", "PRE_YEARS", _NOT_MET),
        fits=lambda f: f.has_many_private,
    ),
    Profile(
        *("over_dense", "one school has the ground it needs only with roofs and rented venues nearby"),
        fits=lambda f: f.is_center,
    ),
    Profile(
        *("small_rural", "a school of 50 to 99 pupils has no PE or arts teacher but an itinerant one"),
        fits=lambda f: f.small is not None and f.code not in CENTRAL_SIX,
    ),
    Profile(
        *("uneven", "equipment of primary schools differs beyond the limit", "eligibility", "E4", _NOT_MET),
        fits=lambda f: len(f.primaries) >= 2,
    ),
    Profile(
        *("even_enough", "equipment of primary schools differs just within the limit"),
        fits=lambda f: len(f.primaries) >= 2,
    ),
    Profile("grave_incident", "a grave incident this year", "eligibility", "E5", _NOT_MET),
    Profile("two_short", "one school misses two of the seven", "resource", "RULE_6_OF_7", _NOT_MET),
    Profile("below_85", "one school misses one, at 84.5 % of it", "resource", "RULE_85", _NOT_MET),
    Profile("no_certificate", "some teachers have no certificate", "government", "G12", _NOT_MET),
    Profile("not_kept", "94.9 % of junior pupils stay", "quality", "Q1", _NOT_MET),
    Profile("dissatisfied", "84.9 % are satisfied", "satisfaction", "S1", _NOT_MET),
    Profile("key_classes", "there are key classes", "veto", "V3", _NOT_MET),
    Profile("silent", "says nothing of disabled children", "quality", "Q2", "not_collected"),
    PASSES,
    Profile("on_the_edge", "one school misses one, at exactly 85 % of it; exactly 85 % are satisfied"),
    Profile("few_quotas", "49.9 % of good senior places are allotted", "government", "G14", _NOT_MET),
)
_GIVEN = PROFILES[:2]  # by what a district cannot mend


def profiles(schools: Schools, year: int) -> list[Profile]:
    """The profile of each district by number, by its schools in the newest autumn.

    What a district cannot mend decides first; then each profile takes the first district that fits it, the
    choosy ones first; whoever is left passes.
    """
    facts = [facts_of(schools, number, year) for number in range(len(districts()))]
    found: dict[int, Profile] = {}
    for number, fact in enumerate(facts):
        for profile in _GIVEN:
            if number not in found and profile.fits(fact):
                found[number] = profile
    for profile in PROFILES[len(_GIVEN) :]:
        fitting = [n for n, fact in enumerate(facts) if n not in found and profile.fits(fact)]
        if fitting:
            found[fitting[0]] = profile
    return [found.get(number, PASSES) for number in range(len(facts))]


def facts_of(schools: Schools, number: int, year: int) -> Facts:
    """What the profiles ask of a district's schools in the autumn of a year."""
    here = schools.of_district(number)
    primary, junior = (pupils_of(schools, here, stage, year) for stage in _COMPULSORY)
    both = primary + junior
    pupils = max(int(both.sum()), 100)
    private = np.array([schools.is_private[s] for s in here.tolist()], bool)
    kinds = np.array([schools.kinds[s] for s in here.tolist()])
    opened = np.array([schools.opened[s].year for s in here.tolist()])
    public = np.flatnonzero((primary > 0) & ~private)
    small = here[(kinds == "junior") & ~private & (both >= 50) & (both <= 99)]
    return Facts(
        code=districts()[number].code,
        primaries=here[public[np.argsort(-primary[public], kind="stable")]],
        small=int(small[0]) if len(small) else None,
        # 85 % are asked for; of few pupils the share of the migrant ones strays.
        has_many_private=bool(both[private].sum() > (0.15 - 1.2 / np.sqrt(pupils)) * pupils),
        is_too_large=bool((both > np.where(opened <= 2010, 2400, 2000)).any()),
    )


def pupils_of(schools: Schools, here: NDArray[np.int64], stage: str, year: int) -> NDArray[np.int64]:
    """Pupils of one stage in these schools in the autumn of a year."""
    of_stage: NDArray[np.int64] = schools.pupils[here, year_index(year)][:, list(GRADES_OF[stage])].sum(
        axis=1
    )
    return of_stage


@cache
def threshold(rule: str, stage: str) -> float:
    """What a school must have of a resource indicator, in its unit."""
    return next(
        float(row["threshold"])
        for row in standards.rows("evaluation/balance_rules")
        if (row["standard"], row["rule_code"], row["stage"]) == (QUALITY, rule, stage)
    )


class Access(NamedTuple):
    """A district before the standard of preschool access: what it reports, and where it fails first."""

    enrollment: float  # K1, reported
    satisfaction: float  # K4, reported
    rule: str = ""  # empty where all are met


def access(schools: Schools, year: int, inclusive: Callable[[int], Mapping[int, bool]]) -> list[Access]:
    """Each district by number. `inclusive`: district number -> kindergarten -> whether its fee is regulated.

    What is counted (K2, K3) follows from who owns the kindergartens. Of the districts that meet both, the
    first reports too few children enrolled, the second exactly as many as are asked for.
    """
    out, met = [], 0
    for number in range(len(districts())):
        here = schools.of_district(number)
        children = pupils_of(schools, here, "kindergarten", year)
        private = np.array([schools.is_private[s] for s in here.tolist()], bool)
        regulated = inclusive(number)
        covered = ~private | np.array([regulated[s] for s in here.tolist()], bool)
        whole = max(int(children.sum()), 1)
        has_few = 100 * int(children[covered].sum()) < 80 * whole
        is_private = 100 * int(children[~private].sum()) < 50 * whole
        counted = "K2" if has_few else "K3" if is_private else ""
        met += not counted
        enrollment = {1: 84.2, 2: 85.0}.get(met, 91.0 + number / 4) if not counted else 90.0 + number / 4
        rule = "K1" if not counted and met == 1 else counted
        out.append(Access(enrollment, 88.0 + number / 4, rule))
    return out
