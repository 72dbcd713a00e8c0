"""Commands on a whole site, in the order of use: run, status, land, doctor, airflow, clean."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import ReceivedDay, Site
from jobs.screen import console, remarks
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.settings import Settings


def run(
    site: Annotated[str, typer.Option("--site", help="A site of infra/sites.")] = site_settings.DEFAULT_SITE,
    scale: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1.0,
            help="Size of the synthetic city; 1 is all of Beijing. Default: as it is landed, else 0.02.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the synthetic city. Default: as it is landed, else 7.")
    ] = None,
) -> None:
    """Take in what has been landed, decide, and publish a release. Run it again: only new files are taken.

    从落地文件到发布版本，一次运行完成；再次运行只处理新文件。

    A synthetic site writes its own files first. Example: `./edulake run --scale 0.05`

    Exit codes: 0 all well; 1 the run failed, and the last release serves on; 3 it is published, and files are
    left out on which this machine or our code failed; 4 it waits for approval. Held and refused files are
    their senders' matter: 0.
    """
    from jobs.run import command

    if code := command.run(site_settings.load(site), scale=scale, seed=seed, console=console):
        raise typer.Exit(code)


def status(site: Site = None) -> None:
    """Show the last runs, the release, and the files that wait, are held or were refused.

    查看运行、发布版本，以及等待、暂存或退回的文件。
    """
    from jobs.run import summary

    summary.status(site_settings.load(site), console)


def land(
    file: Annotated[Path, typer.Argument(help="The file as the sender sent it.")],
    feed: Annotated[str, typer.Option(help="The feed it belongs to, such as physical_fitness.")],
    sender: Annotated[
        str, typer.Option(help="Code of the sender: a district, a school, or an office (Beijing: 110000).")
    ],
    received: ReceivedDay = None,
    site: Site = None,
) -> None:
    """Hand in one file: it is copied to landing as a new delivery, and the next run takes it.

    交入一个报送文件，下次运行时处理。

    Example: `./edulake land 体质健康测试成绩_模板.xlsx --feed physical_fitness --sender 2111901001`
    """
    from jobs import declare
    from jobs.declare import reasons
    from jobs.ingest import admission
    from jobs.lake import deliveries, senders
    from jobs.replies import report

    settings = site_settings.load(site).prepare()
    if earlier := deliveries.same(settings, file, feed, sender):
        console.say(report.became_of(settings, earlier))
        return
    day = received.date() if received else _day_of_receipt(settings)
    lies = _land(settings, file, feed, sender, day)
    if stranger := admission.of_sender(senders.load(settings), declare.sender_today(sender)):
        told = reasons.sentence(stranger, settings.language)
        remarks.say(("Note", "yellow"), f" {told}")
    for where in lies:
        console.say(f"landed: {where}")
    console.say(f"next: {settings.command('run')}")


def _land(settings: Settings, file: Path, feed: str, sender: str, day: date) -> list[Path]:
    """Land a file, or its parts where it has several datasets: a delivery a feed. Returns where they lie."""
    from jobs import declare
    from jobs.lake import deliveries
    from jobs.lake.deliveries import Piece
    from jobs.reading import parts

    feeds = sorted(settings.feeds, key=lambda one: one != feed)
    contracts = [contract for one in feeds for contract in declare.datasets_of(one)]
    found = parts.parts(file, contracts) if file.is_file() else []
    if len(found) < 2:
        return [deliveries.land(settings, file, feed, sender, day)]
    lies = []
    for its in dict.fromkeys(part.feed or feed for part in found):
        own = [Piece(part.name, part.content) for part in found if part.feed == its]
        folder = deliveries.hand_in(settings, its, sender, day, own).folder
        lies += [folder / piece.name for piece in own]
    return lies


def doctor(site: Site = None) -> None:
    """Check this machine: what was found, what is missing, and what it is needed for.

    检查本机环境。
    """
    from jobs.run import doctor as examination

    raise typer.Exit(0 if examination.show(site_settings.load(site), console) else 1)


def airflow(
    site: Site = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = None,
) -> None:
    """Open Airflow's web page with the DAG runs of this site.

    打开 Airflow 页面，查看本站点的运行。
    """
    from jobs.run import airflow as orchestrate

    settings = site_settings.load(site).prepare()
    orchestrate.serve_ui(settings, **({"port": port} if port else {}), say=console.say)


def clean(
    site: Site = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
) -> None:
    """Delete the site's lake: landed files, tables, releases and Airflow's database.

    删除站点的全部数据；运行环境保留。
    """
    from jobs.run import removal

    settings = site_settings.load(site)
    folders = removal.folders(settings)
    if not folders:
        console.say(f"nothing to remove: {settings.home} does not exist")
        return
    named = " and ".join(map(str, folders))
    removal.check(settings)
    if not yes:
        typer.confirm(f"Remove {named} with all tables and releases?", abort=True)
    removal.remove(settings)
    console.say(f"removed {named}")


def _day_of_receipt(settings: Settings) -> date:
    """Today; in a synthetic city, whose days are others, the newest one in its landing."""
    from jobs.lake import arrival

    if settings.is_synthetic and arrival.newest_landed(settings) is None:
        raise UserError(
            "a synthetic city has days of its own, and landing is empty: there is no newest one.",
            "Give --received YYYY-MM-DD.",
        )
    return arrival.day_of_receipt(settings)
