"""`./edulake places scenario`: two scenarios side by side, and the cheapest mix that closes a gap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site, output_file
from jobs.cli.screen import print_origin
from jobs.screen import console
from jobs.settings import UserError

if TYPE_CHECKING:
    import pandas as pd

    from jobs.decide.places.side_by_side import Closed
    from jobs.settings import Settings

CITY = "全市 city"
_GAPS = "from fct_places_gap"
_COLUMNS = ("where", "stage", "year", "pupils", "places", "gap", "pupils'", "places'", "gap'", "change")


def run(
    lever: Annotated[
        list[str] | None,
        typer.Option(
            help='A change, such as "births -10%" or "premises 400 district=110105 stage=primary'
            ' from=2027". Repeat the option for several.'
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A change of the scenario to compare with. Default: nothing changes."),
    ] = None,
    district: Annotated[str | None, typer.Option(help="Only this district. Default: the city.")] = None,
    stage: Annotated[
        str | None, typer.Option(help="Only this stage: kindergarten, primary, junior or senior.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Only this school year.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="CSV to write: all districts, both scenarios.", callback=output_file)
    ] = None,
    site: Site = None,
) -> None:
    """Compare places and pupils under two scenarios. With --district, --stage and --year, also print the
    cheapest mix of levers that closes the gap.

    比较两种情景下的学位余缺；指定区、学段和学年时给出费用最低的补足方案。

    Example: `./edulake places scenario --lever "births -10%" --stage primary`
    """
    from jobs.decide.places import released, scenario, side_by_side
    from jobs.publish import release

    settings = site_settings.load(site)
    served = release.published(settings)
    if lacking := [name for name in released.SCENARIO_TABLES if name not in served.manifest["tables"]]:
        raise UserError(
            f"release {served.number} is of an older edulake: it has no {', '.join(lacking)}.",
            f"Make a new one: {settings.command('run')}",
        )
    day = date.fromisoformat(served.manifest["as_of_date"])
    base = released.scenario_base(partial(release.rows, release.open_release(served, "full")))
    named = {"against": against or [], "scenario": lever or []}
    levers = {name: [scenario.parse(text) for text in texts] for name, texts in named.items()}
    both = side_by_side.compare(base, levers["against"], levers["scenario"], day)
    shown = side_by_side.Place(district, stage, year).of(both)
    if shown.empty:
        raise _none_such(settings, both, (district, stage, year))
    if output:
        _write(both.assign(is_synthetic="true") if settings.is_synthetic else both, output)
    for name, texts in named.items():
        console.say(f"{name}: {'; '.join(texts) or 'as things stand'}")
    console.table(_COLUMNS, _rows(shown, district), title="places minus pupils, side by side")
    if district and stage and year:
        _tell(side_by_side.close(both, district, stage, year, day))
    print_origin(settings)


def _write(rows: pd.DataFrame, output: Path) -> None:
    from jobs import cells
    from jobs.files import OUTPUT_MODE, replacing

    with replacing(output, OUTPUT_MODE) as fresh:
        cells.write_frame(rows, fresh)


def _none_such(
    settings: Settings, both: pd.DataFrame, asked: tuple[str | None, str | None, int | None]
) -> UserError:
    from jobs.decide.places.scenario import KEY

    known = {name: sorted(both[name].unique()) for name in KEY}
    given = zip(known, asked, strict=True)
    wrong = [f"{name} {value}" for name, value in given if value is not None and value not in known[name]]
    return UserError(
        f"there is no {', '.join(wrong) or 'such district, stage and year together'}.",
        f"Stages: {', '.join(known['stage_code'])}; years: {known['school_year_start'][0]} to"
        f" {known['school_year_start'][-1]}; districts: see `{settings.command('sql', _GAPS)}`.",
    )


def _rows(rows: pd.DataFrame, district: str | None) -> Iterator[tuple[str, ...]]:
    counts = [
        f"{column}_{name}" for name in ("against", "scenario") for column in ("pupils", "places", "gap")
    ]
    sums = rows.groupby(["stage_code", "school_year_start"], sort=False)[counts].sum().reset_index()
    for row in sums.to_dict("records"):
        values = [row[column] for column in counts]
        yield (
            district or CITY,
            str(row["stage_code"]),
            str(row["school_year_start"]),
            *(f"{value:,.0f}" for value in values),
            f"{values[5] - values[2]:+,.0f}",
        )


def _tell(closed: Closed) -> None:
    """Print the mix, what it assumes, and how many places are missing where it cannot close the gap."""
    mix, most, table = closed.mix, closed.most, closed.norms
    if not mix.places and not mix.lacking:
        console.say("no places are missing, so nothing needs to be done")
        return
    names = dict(zip(table["lever"], table["lever_zh"], strict=True))
    costs = dict(zip(table["lever"], table["cost_per_place_yuan"], strict=True))
    for name, count in mix.places.items():
        console.say(
            f"{names[name]} {name}: {count:,} places of at most {most[name]:,}, {costs[name]:,} yuan each"
        )
    console.say(
        f"cost: {mix.cost_yuan:,.0f} yuan, at the assumed costs of expectations/standards/places/levers.csv"
    )
    if mix.lacking:
        console.say(
            (f"cannot be closed: {mix.lacking:,} places are missing even with every lever used", "bold")
        )
