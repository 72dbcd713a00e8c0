"""Commands that carry a release to another system."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console, remarks
from jobs.settings import UserError

app = typer.Typer(
    help="把已发布的数据送到其他系统。 Carry a release to another system.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keeps `publish postgres` a command of two words."""


@app.command()
def postgres(
    url: Annotated[
        str,
        typer.Option(
            envvar="EDULAKE_POSTGRES_URL",
            help="postgresql://user@host:5432/database. Keep the password in PGPASSWORD or ~/.pgpass.",
        ),
    ],
    release: Annotated[
        str | None, typer.Option(help="Number or name of a release. Default: the current one.")
    ] = None,
    schema: Annotated[
        str, typer.Option(help="Schema of the views that people read; roles begin with it, too.")
    ] = "edulake",
    pupils: Annotated[
        bool, typer.Option("--pupils", help="Copy the tables of pupils, too; only <schema>_full reads them.")
    ] = False,
    grace_days: Annotated[
        float, typer.Option(min=0, help="Days for which a schema stays after readers were switched away.")
    ] = 7,
    site: Site = None,
) -> None:
    """Let the views of a PostgreSQL schema show a release. Readers see the old one, whole, until the new one.

    把一个版本复制到 PostgreSQL，切换视图，按角色和区限制可见行。

    Example: `./edulake publish postgres --url postgresql://edulake@localhost/education`
    """
    from jobs.publish import kept
    from jobs.publish import release as releases
    from jobs.publish.postgres.publish import publish

    settings = site_settings.load(site)
    wanted = kept.numbered(settings, release) if release is not None else None
    found = releases.current(settings) if wanted is None else releases.find(settings, wanted)
    if found is None:
        raise UserError(
            f"there is no release{'' if wanted is None else f' {wanted}'} of {settings.site}.",
            settings.command("release", "list") if releases.current(settings) else settings.command("run"),
        )
    releases.verify(found)
    done = publish(
        found,
        url,
        name=schema,
        with_pupils=pupils,
        grace_days=grace_days,
        progress=lambda table, rows: remarks.say(f"{table}: {rows:,} rows"),
    )
    how = "was loaded and is" if done.is_new else "was there already and is"
    console.say(
        f"release {found.number} {how} what readers of {schema} see: "
        f"{done.tables} tables, {done.rows:,} rows, in {done.schema}"
    )
    if done.dropped:
        console.say(f"dropped after the grace: {', '.join(done.dropped)}")
    if done.kept:
        console.say(f"still read, to be dropped by a later call: {', '.join(done.kept)}")
