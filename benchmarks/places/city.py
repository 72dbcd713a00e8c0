"""The lake's forecast of places graded on the city's truth: error, bias, intervals, by level, stage and lead.

    python -m benchmarks.places.city [--scale 0.02 0.1] [--seeds 8] [--first 9301] [--brief]
        [--page docs/decisions/places-graded.md]

Each seed is a city of its own. What its senders hand in is laid before `jobs.decide.places.job.decided`, as
the lake does; its answer is set beside the autumns that only the city knows. Beside it stand

- the oracle: the expected value of the city's own draws (`synthetic.city.schools.make_schools(…,
  is_expected=True)`). It knows every rate by which the future is drawn (entrants per birth, progression of
  each grade, shares and drift of districts, sizes of schools) and all that was drawn up to the last year;
  no later draw, and no birth that is not published (a year to come has as many as the last one known).
- simple methods, each on the level's own counts (`benchmarks.places.backtest`, and the same with entrants
  from births), with intervals from their own earlier errors. The best of them by error is shown.

All seeds share one past of the whole city, the published one, and differ in districts, schools and the
future: a bias of the city that all seeds have is one observation, not many.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.places.drawn import of_span, spans, write_page
from benchmarks.places.simple import KEY, LEVELS, simple_rows, summed
from jobs import settings as site_settings
from jobs.decide.places import errors, job
from jobs.decide.places.hierarchy import units_of
from jobs.declare import code_list
from synthetic.city.changes import change_columns
from synthetic.city.enrollment import return_columns, write_returns
from synthetic.city.estates import make_estates
from synthetic.city.faults import SETS, Faults
from synthetic.city.figures import FIRST_YEAR, FUTURE_YEARS, LAST_YEAR, births, districts
from synthetic.city.ladder import grades
from synthetic.city.life import Population
from synthetic.city.part import City, Part
from synthetic.city.past import PAST_YEAR
from synthetic.city.people import People
from synthetic.city.planning import areas_of_districts, housing_status, make_projects
from synthetic.city.premises import register_columns
from synthetic.city.schools import Schools, areas_by_number, district_births, make_schools
from synthetic.city.writers import Landing

YEARS = (2024, 2025)  # those of the demonstration
LEAST_PUPILS = 20  # smaller numbers are left out of errors in per cent


class _Silent(Landing):
    """No file is written."""

    def put(self, *_: object, **__: object) -> Path:
        return self.out


@dataclass
class _Refused(Faults):
    """Notes which lines of each return a sender spoils: the lake refuses them."""

    lines_of: list[list[int]] = field(default_factory=list)

    def damage(self, kind, file, rows, column, change, least_rows=1, surely=False, first_line=2) -> None:
        self.lines_of.append(self.lines(kind, file, len(rows), least_rows, surely))


def known_rows(city: City) -> job.Known:
    """What the lake knows of a city on the day of its newest delivery. Registrations for the coming autumn
    begin in spring: there are none."""
    schools, day = city.schools, city.newest
    table = district_births(city.scale)
    born = [
        (district.code, year, int(table[number, at]))
        for number, district in enumerate(districts())
        for at, year in enumerate(births())
        if year < day.year
    ]
    registers, changes = [], []
    for number, district in enumerate(districts()):
        registers.append(pd.DataFrame(register_columns(schools, city.seed, city.years[1], number)))
        for year in (PAST_YEAR, *range(city.years[0], city.years[1] + 1)):
            stated = pd.DataFrame(change_columns(schools, number, year))
            changes.append(stated.assign(stated_on=day.replace(year=year), sender_code=district.code))
    return job.Known(
        counts=pd.concat(_returns(city)).sort_values(["unit", "year", "grade"], ignore_index=True),
        births=pd.DataFrame(born, columns=["unit", "year", "births"]),
        register=pd.concat(registers).sort_values("school_code", ignore_index=True),
        projects=_projects(city),
        registrations=pd.DataFrame(
            columns=["year", "stage_code", "district", "area", "registered_date", "received_date"]
        ),
        changes=pd.concat(changes).sort_values(["from_school_code", "change_date"], ignore_index=True),
        homes=_homes(city),
    )


def _returns(city: City) -> Iterator[pd.DataFrame]:
    """Returns of every district and year, without the lines that are refused."""
    nobody = Population(People(), {})
    for number in range(len(districts())):
        for year in range(city.years[0], city.years[1] + 1):
            faults = _Refused(dict(city.rates), city.seed)
            write_returns(Part(city, year, number, nobody, _Silent(Path()), {}, faults=faults))
            spans = [range(FIRST_YEAR, year)] if year == city.years[0] else []
            for span, lines in zip([*spans, range(year, year + 1)], faults.lines_of, strict=True):
                told = pd.DataFrame(return_columns(city.schools, number, span)).drop(index=lines)
                yield told.set_axis(["unit", "parent_unit", "year", "grade", "enrollment"], axis=1)


def _homes(city: City) -> pd.DataFrame:
    """The estates as the newest file has them, sent on 12 April."""
    day = city.newest.replace(month=4, day=12)
    kinds = {row["meaning_zh"]: row["code"] for row in code_list("housing_kind").rows}
    rows = [
        {
            "area": f"{districts()[e.district].code}/{e.area}",
            "district": districts()[e.district].code,
            "dwelling_count": e.homes,
            "delivery_date": e.handed,
            "housing_status_code": housing_status(e, day),
            "housing_kind_code": kinds[e.kind_zh],
        }
        for e in make_estates(city.scale, city.seed, areas_by_number(city.schools))
    ]
    return pd.DataFrame(rows)


def _projects(city: City) -> pd.DataFrame:
    """The building projects as the newest file has them, sent on 10 October."""
    day = city.newest.replace(month=10, day=10)
    kinds = {row["meaning_zh"]: row["code"] for row in code_list("project_kind").rows}
    made = make_projects(city.scale, city.seed, areas_of_districts(city.schools))
    rows = [
        {
            "project_code": p.code,
            "district_code": p.district,
            "area_name": p.area,
            "stage_code": p.stage,
            "project_kind_code": kinds[p.kind_zh],
            "place_count": p.places,
            "planned_opening_date": p.opening,
            "expected_opening_date": p.expected(day) if p.status(day) in ("planned", "building") else None,
            "actual_opening_date": p.true_opening if p.status(day) == "opened" else None,
            "project_status_code": p.status(day),
        }
        for p in made
    ]
    return pd.DataFrame(rows).sort_values("project_code", ignore_index=True)


def future_rows(schools: Schools, units: pd.DataFrame) -> pd.DataFrame:
    """Pupils of the autumns to come (KEY, `pupils`), of every level, grade, stage and all."""
    keys = [grade.key for grade in grades()]
    return summed(
        pd.DataFrame(
            [
                (code, key, year, count)
                for code, of_years in zip(schools.codes, schools.future.tolist(), strict=True)
                for year, of_grades in zip(FUTURE_YEARS, of_years, strict=True)
                for key, count in zip(keys, of_grades, strict=True)
            ],
            columns=["school", "grade_key", "school_year_start", "pupils"],
        ),
        units,
    )


def graded(scale: float, seed: int) -> pd.DataFrame:
    """One city: a row per method (`lake`, `oracle`, simple ones), KEY: `forecast`, bounds, `pupils`."""
    schools = make_schools(scale, seed)
    city = City(schools, scale, seed, YEARS, SETS["standard"])
    known = known_rows(city)
    settings = site_settings.load("beijing")
    lake = job.decided(settings, city.newest, known)["decision_places__forecast"]
    numbers = ["forecast", "lower_80", "upper_80"]
    lake = lake[[*KEY, *numbers]].astype(dict.fromkeys(numbers, float)).assign(method="lake")
    units = units_of(known.counts, known.register)
    expected = future_rows(make_schools(scale, seed, is_expected=True), units)
    oracle = expected.rename(columns={"pupils": "forecast"}).assign(method="oracle")
    now = known.counts[known.counts["year"] == LAST_YEAR]
    told = pd.concat([lake, oracle, *simple_rows(known.counts, units, known.births)])
    told = told.merge(future_rows(schools, units), on=KEY)
    stood = now.rename(columns={"unit": "school", "grade": "grade_key", "enrollment": "pupils"})
    stood = summed(
        stood.assign(school_year_start=LAST_YEAR)[["school", "grade_key", *KEY[3:], "pupils"]], units
    )
    stood = stood.rename(columns={"pupils": "now"}).drop(columns="school_year_start")
    told = told.merge(stood, on=KEY[:3])
    told = told[(told["pupils"] >= LEAST_PUPILS) & (told["now"] > 0)]
    return told.assign(seed=seed, scale=scale, lead=told["school_year_start"] - LAST_YEAR)


def scores(told: pd.DataFrame) -> pd.DataFrame:
    """Per level, grade_key, method and lead: units, error and bias in %, share inside and score of 80 %."""
    made = errors.scored(told.reindex(columns=[*told.columns, "lower_90", "upper_90"]))
    made = made.assign(bias=made["error"], error=made["error"].abs(), held=100 * made["held_80"])
    table = made.groupby(["level", "grade_key", "method", "lead"]).agg(
        units=("error", "size"),
        **{name: (name, "mean") for name in ("error", "bias", "held")},
        score=("score_80", "mean"),
    )
    return table.reset_index()


def at_length(table: pd.DataFrame, level: str, span: str) -> str:
    """The lake by lead, beside the oracle and the best simple method."""
    wide, best = of_span(table, level, span)
    error, oracle = wide.loc["lake", "error"], wide.loc["oracle", "error"]

    def line(name: str, values: pd.Series, mean: float, style: str) -> str:
        return f"  {name:<28}" + "".join(f"{format(v, style):>8}" for v in [*values, mean])

    def row(name: str, method: str, column: str, style: str = ".2f") -> str:
        values = wide.loc[method, column]
        return line(name, values, values.mean(), style)

    lines = [
        f"\n{level} · {span}, {wide.loc['lake', 'units'].max():.0f} forecasts a lead",
        row("error %", "lake", "error"),
        row("oracle", "oracle", "error"),
        line("error / oracle", error / oracle, error.mean() / oracle.mean(), ".2f"),
        row(best, best, "error"),
        row("bias %", "lake", "bias", "+.2f"),
        row("held by 80 %", "lake", "held", ".0f"),
        row("score 80 %", "lake", "score", ".1f"),
        row("score of simple", best, "score", ".1f"),
    ]
    return "\n".join(lines)


def in_brief(table: pd.DataFrame, level: str, span: str) -> str:
    """One line: means over leads, bias of the last lead, the least and the most that the interval held."""
    wide, best = of_span(table, level, span)
    mean = wide.T.groupby(level=0).mean().T
    held = wide.loc["lake", "held"]
    numbers = [
        *(mean.loc[m, "error"] for m in ("lake", "oracle", best)),
        mean.loc["lake", "error"] / mean.loc["oracle", "error"],
        *wide.loc["lake", "error"][[1, 6]],
        wide.loc["lake", "bias"][6],
    ]
    cells = "".join(f"{v:>8.2f}" for v in numbers)
    scores = f"{mean.loc['lake', 'score']:>7.1f}{mean.loc[best, 'score']:>7.1f}"
    return (
        f"{level:<9}{span:<13}{cells}{held.min():>6.0f}{held.mean():>5.0f}{held.max():>5.0f}{scores}  {best}"
    )


HEAD = (
    f"{'level':<9}{'of':<13}{'error':>8}{'oracle':>8}{'simple':>8}{'/ oracle':>8}{'lead 1':>8}{'lead 6':>8}"
    f"{'bias 6':>8}{'held':>6}{'mean':>5}{'most':>5}{'score':>7}{'simple':>7}"
)


def graded_cities(scale: float, seeds: range, workers: int = 1) -> pd.DataFrame:
    """Graded rows of several cities, in as many processes as asked for."""
    one = partial(graded, scale)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            return pd.concat(pool.map(one, seeds))
    return pd.concat(map(one, seeds))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, nargs="+", default=[0.02])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=9301, help="first seed")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--brief", action="store_true", help="a line a level and stage")
    parser.add_argument("--rows", type=Path, help="write every graded row there")
    parser.add_argument("--page", type=Path, help="put the tables there, and charts into ../images")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    told = {scale: graded_cities(scale, seeds, options.workers) for scale in options.scale}
    if options.rows:
        pd.concat(told.values()).to_csv(options.rows, index=False)
    tables = {scale: scores(rows) for scale, rows in told.items()}
    if options.page:
        title = f"{options.seeds} cities a scale, seeds {seeds[0]}–{seeds[-1]}, on {date.today()}."
        write_page(options.page, options.page.parent.parent / "images", tables, title)
    for scale, table in tables.items():
        print(f"{options.seeds} cities from seed {options.first} at scale {scale:g}; leads 1–6, mean")
        if options.brief:
            print(HEAD)
        for level in LEVELS:
            for span in spans():
                print((in_brief if options.brief else at_length)(table, level, span))


if __name__ == "__main__":
    main()
