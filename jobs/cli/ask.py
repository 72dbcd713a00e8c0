"""Commands that read: the portal, SQL on the lake as it was. SQL on the release: `jobs.cli.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.cli.options import Csv, Limit, Port, Site
from jobs.cli.screen import print_answer


def serve(site: Site = None, port: Port = 8090) -> None:
    """Serve the portal and its API from the published release, on this machine only.

    启动门户网站与接口，仅本机可访问。
    """
    from portal.serve import serve as serve_portal

    serve_portal(site_settings.load(site), port)


def asof(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day the rows were true on.")],
    query: Annotated[str, typer.Argument(help="One SELECT over clean and decision tables, and marts.")],
    known: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Leave out what was received after this day. Default: nothing is left out.",
        ),
    ] = None,
    site: Site = None,
    csv: Csv = False,
    limit: Limit = 50,
) -> None:
    """Query the lake as it was on a day, and as it was known then. Nothing can be written; no Spark starts.

    查询某一天的数据，可限定为当时已知的内容，只读。

    A table's bare name shows the day; `newest_by_scope.<table>` shows all terms. Marts are built for the day.

    Example: `./edulake asof 2025-10-01 "select count(*) from clean_enrollment__pupil_roll"`
    """
    from jobs.publish import asof as history

    settings = site_settings.load(site)
    with history.on_day(settings, query, day.date(), known.date() if known else None) as answer:
        print_answer(answer, csv=csv, limit=limit)
