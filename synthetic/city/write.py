"""Write the city: the files of every feed in the landing layout, and the truth about them aside."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jobs.files import replacing
from jobs.settings import UserError, command_line, writing
from synthetic.city.bulletins import write_bulletins
from synthetic.city.catchments import write_catchments
from synthetic.city.changes import write_roll_changes, write_school_changes
from synthetic.city.demand import write_school_age_registrations
from synthetic.city.enrollment import write_groups, write_returns
from synthetic.city.faults import KINDS, NAMES, Faults, parse
from synthetic.city.figures import LAST_YEAR, districts
from synthetic.city.future import write_future
from synthetic.city.hotline import write_hotline
from synthetic.city.learning import write_city_learning, write_district_learning
from synthetic.city.life import lives
from synthetic.city.part import City, Part
from synthetic.city.planning import write_births, write_housing, write_projects
from synthetic.city.portal_writes import write_portal
from synthetic.city.premises import write_facilities, write_registers
from synthetic.city.registration import write_registrations
from synthetic.city.reported import write_indicators
from synthetic.city.results import write_results
from synthetic.city.rolls import write_rolls
from synthetic.city.safety import write_safety
from synthetic.city.schools import make_schools, year_index
from synthetic.city.staff import write_rotation, write_staff
from synthetic.city.strangers import write_strangers
from synthetic.city.supervision import write_supervision_actions
from synthetic.city.supervision_items import write_supervision_items
from synthetic.city.truth import Truth
from synthetic.city.work import Journal, Outcome, alone, write_parts
from synthetic.city.writers import Landing, Progress, shown

FIRST_PUPIL_YEAR = 2019  # the school calendar and the fitness figures begin there
LEAST_SCALE, MOST_SCALE = 0.001, 1.2
_SCALE_OF_TWO_PROCESSES = 0.1  # below, a fork costs more than it saves


class Writer(NamedTuple):
    """One feed's writer. `each`: called for each district and year, each year, or once for the city (then
    with the rolls of the last year)."""

    each: str  # district | year | city
    write: Callable[[Part], None]


# Whoever writes a feed puts the writer here. The order is that of the rows in truth/.
WRITERS = (
    Writer("district", write_registers),
    Writer("district", write_rolls),
    Writer("district", write_returns),
    Writer("district", write_results),
    Writer("district", write_safety),
    Writer("city", write_births),
    Writer("city", write_projects),
    Writer("city", write_housing),
    Writer("year", write_school_age_registrations),
    Writer("district", write_catchments),
    Writer("district", write_indicators),
    Writer("district", write_supervision_items),
    Writer("district", write_groups),
    Writer("district", write_school_changes),
    Writer("district", write_roll_changes),
    Writer("district", write_registrations),
    Writer("district", write_staff),
    Writer("district", write_rotation),
    Writer("district", write_facilities),
    Writer("year", write_hotline),
    Writer("year", write_city_learning),
    Writer("year", write_bulletins),
    Writer("district", write_district_learning),
    Writer("district", write_strangers),
    Writer("district", write_portal),
    Writer("city", write_supervision_actions),
    Writer("city", write_future),
)


@dataclass(frozen=True)
class CitySummary:
    """Counts of what was written and what was hidden in it."""

    out: str
    scale: float
    seed: int
    years: tuple[int, int]
    fault_set: str
    fault_rates: dict[str, float]
    newest_delivery: str
    schools: int
    pupils: dict[int, int]  # on the rolls of each autumn
    children: dict[int, int]  # with kindergartens
    files: int
    deliveries: int
    rows: int
    byte_count: int
    moves: int
    incidents: int
    outbreaks: int
    hazards: int
    faults: dict[str, int] = field(default_factory=dict)


def write_city(
    out: Path,
    scale: float,
    seed: int,
    years: tuple[int, int] = (2024, 2025),
    faults: str = "standard",
    on_progress: Progress | None = None,
    truth: Path | None = None,
    workers: int | None = None,
    on_part: Callable[[int, int], None] | None = None,
) -> CitySummary:
    """Write `<out>/<feed>/<sender>/<delivery>/<file>` for all feeds; the same arguments give the same bytes.

    `years`: first and last school year with pupils by name; returns go back to 2015 in any case. The newest
    delivery is of 20 November of the last year. `faults`: see `faults.parse`. `truth` (else `<out>/../truth`)
    gets what no sender knows. `on_progress` is called with feed, sender and name of each file, `on_part` with
    the number of parts done and of all. `workers`: processes (else two for a large city where there are two
    processors); any number gives the same bytes. A killed run is continued by the same call. Raises UserError
    for arguments that make no city, and for a folder that holds another one.
    """
    aside = truth or out.parent / "truth"
    rates = parse(faults)
    _check(out, scale, seed, years, aside)
    asked = {"scale": scale, "seed": seed, "years": list(years), "fault_rates": rates}
    if workers is None:
        workers = min(2, os.cpu_count() or 1) if scale >= _SCALE_OF_TWO_PROCESSES else 1
    with writing(out), writing(aside), alone(aside):
        _refuse_another_city(out, aside, asked)
        out.mkdir(parents=True, exist_ok=True)
        for left in out.rglob(".*.part"):
            left.unlink()
        journal = Journal(aside, asked)
        journal.open(out)
        city = City(make_schools(scale, seed), scale, seed, years, rates)
        pupils, moves = _write_years(city, out, journal, workers, on_progress, on_part)
        outcomes = [outcome for name in _names(city) if (outcome := journal.get(name))]
        summary = _summary(city, faults, out, pupils, moves, outcomes)
        _write_truth(aside, summary, outcomes)
        journal.close()
    return summary


def _names(city: City) -> list[str]:
    """All parts, in the order of their rows in truth/."""
    years = range(city.years[0], city.years[1] + 1)
    return [f"{year}-{place}" for year in years for place in ("city", *(d.code for d in districts()))]


def _write_years(
    city: City,
    out: Path,
    journal: Journal,
    workers: int,
    on_progress: Progress | None,
    on_part: Callable[[int, int], None] | None,
) -> tuple[dict[int, int], int]:
    """Year by year; returns the pupils of each autumn and how many moves there were."""
    pupils: dict[int, int] = {}
    moves, total = 0, len(_names(city))
    done = sum(journal.get(name) is not None for name in _names(city))
    for year, population in lives(city.schools, city.years, city.seed):
        pupils[year] = len(population.rolls[year, 1])
        moves += population.move_count
        shared: dict[Any, Any] = {}
        # The largest district first: two processes then end at about the same time.
        size = city.schools.pupils[:, year_index(year)].sum(axis=1)
        order = sorted(range(len(districts())), key=lambda n: -size[city.schools.of_district(n)].sum())
        parts = {
            name: Part(
                city,
                year,
                number,
                population,
                # With several processes the parent tells of a part's files when it is done.
                Landing(out, on_progress if workers == 1 else None),
                shared,
                faults=Faults(dict(city.rates), city.seed),
            )
            for number in (*order, None)
            if journal.get(name := f"{year}-{'city' if number is None else districts()[number].code}") is None
        }

        def tell(_: str, outcome: Outcome) -> None:
            nonlocal done
            done += 1
            for file in outcome.files if on_progress and workers > 1 else ():
                on_progress(shown(file))  # type: ignore[misc]
            if on_part:
                on_part(done, total)

        if parts:
            write_parts(parts, _write_part, journal, workers, tell)
    return pupils, moves


def _write_part(part: Part) -> None:
    for writer in WRITERS:
        if part.district is not None:
            due = writer.each == "district"
        else:
            due = writer.each == "year" or (writer.each == "city" and part.is_last)
        if due:
            writer.write(part)


def _summary(
    city: City, faults: str, out: Path, pupils: dict[int, int], moves: int, outcomes: list[Outcome]
) -> CitySummary:
    totals = city.schools.pupils.sum(axis=(0, 2))
    # A made-up class is no line of a file and has a table of its own; so has a file that was never sent.
    made = [kind for o in outcomes for kind, _, _ in o.faults]
    never = (kind for o in outcomes for kind, *_ in o.truth.get("reporting", ([], []))[1])
    made += [kind for kind in never if KINDS[kind].unit == "sender"]
    made += [kind for o in outcomes for _, _, _, kind, _ in o.truth.get("fabrications", ([], []))[1]]

    def counted(name: str) -> int:
        return sum(o.counts.get(name, 0) for o in outcomes)

    return CitySummary(
        out=str(out),
        scale=city.scale,
        seed=city.seed,
        years=city.years,
        fault_set=faults,
        fault_rates=dict(city.rates),
        newest_delivery=city.newest.isoformat(),
        schools=len(city.schools),
        pupils=pupils,
        children={y: int(totals[year_index(y)]) for y in pupils},
        files=sum(len(o.files) for o in outcomes),
        deliveries=len({file.rpartition("/")[0] for o in outcomes for file in o.files}),
        rows=sum(o.rows for o in outcomes),
        byte_count=sum(o.byte_count for o in outcomes),
        moves=moves,
        incidents=counted("incidents"),
        outbreaks=counted("outbreaks"),
        hazards=counted("hazards"),
        faults=dict(sorted(Counter(made).items())),
    )


def _check(out: Path, scale: float, seed: int, years: tuple[int, int], aside: Path) -> None:
    if not LEAST_SCALE <= scale <= MOST_SCALE:
        raise UserError(
            f"a city of scale {scale:g} cannot be made.",
            f"Give a scale from {LEAST_SCALE:g} to {MOST_SCALE:g}; 1 is about 2.2 million children.",
        )
    first, last = years
    if not FIRST_PUPIL_YEAR <= first <= last <= LAST_YEAR:
        raise UserError(
            f"the years {first}-{last} cannot be made.",
            f"Give a first and a last school year within {FIRST_PUPIL_YEAR}-{LAST_YEAR}, such as 2024-2025.",
        )
    if seed < 0:
        raise UserError(f"a seed of {seed} cannot be used.", "Give a whole number from 0 on.")
    if aside.resolve().is_relative_to(out.resolve()):
        raise UserError(
            f"the truth may not lie in the landing ({aside}).", "Name a folder outside it with --truth."
        )


def _refuse_another_city(out: Path, aside: Path, asked: dict[str, Any]) -> None:
    """Two cities in one landing would contradict each other; the same one again writes the same bytes."""
    note = aside / "summary.json"
    if not out.is_dir() or not any(out.iterdir()):
        return
    content = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else Journal.asked(aside)
    found = {name: content.get(name) for name in asked} if content else asked
    if found != asked:
        raise UserError(
            f"{out} already holds another city (there: {found}; asked for: {asked}).",
            f"Give another folder, or remove that one first (`{command_line('clean')}` for a site).",
        )


def _write_truth(folder: Path, summary: CitySummary, outcomes: list[Outcome]) -> None:
    # The folder's own name is left out: the truth too is the same wherever the city is written.
    content = {k: v for k, v in asdict(summary).items() if k != "out"}
    content["fault_meanings"] = {kind: NAMES[kind] for kind in summary.faults}
    truth = Truth()
    truth.write("faults", ("kind", "file", "line"), [note for o in outcomes for note in o.faults])
    for outcome in outcomes:
        truth.add(outcome.tables())
    truth.save(folder)
    with replacing(folder / "summary.json") as fresh:
        fresh.write_text(
            json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
