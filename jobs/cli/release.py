"""Commands on the releases of a site: which are kept and why, and names that keep one for good."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from jobs import settings as site_settings
from jobs.cli.options import Site
from jobs.screen import console

app = typer.Typer(
    help="列出和命名已发布的版本。 List the releases that are kept, and name those that must stay.",
    no_args_is_help=True,
)
_COLUMNS = (
    "版本\nrelease",
    "数据截至\nas of",
    "发布时间\npublished",
    "大小\nMB",
    "名称\nnames",
    "保留原因\nkept as",
)


@app.command("list")
def list_(site: Site = None) -> None:
    """List the releases that are kept, newest first, and why each stays.

    列出保留的版本及保留原因。
    """
    from jobs.publish import kept

    settings = site_settings.load(site)
    found = kept.all_kept(settings)
    if not found:
        console.say(f"no release of {settings.site} yet: {settings.command('run')}")
        return
    words = {
        kept.CURRENT: "当前 current",
        kept.NEWEST: "最新 newest",
        kept.MONTH: "月末 month's last",
        kept.NAMED: "命名 named",
    }
    why, given = kept.why(settings, found), kept.names(settings)
    rows = []
    for release in found:
        at = datetime.fromisoformat(release.manifest["published_at"]).astimezone(ZoneInfo(settings.timezone))
        rows.append(
            (
                release.number,
                release.manifest["as_of_date"],
                f"{at:%Y-%m-%d %H:%M}",
                f"{sum(file['bytes'] for file in release.manifest['files'].values()) / 1e6:.1f}",
                "\n".join(name for name, number in given.items() if number == release.number),
                "\n".join(words[reason] for reason in why[release.number])
                or "下次发布时删除\ngoes with the next",
            )
        )
    console.table(_COLUMNS, rows, breakable=_COLUMNS[-2:])


@app.command()
def name(
    release: Annotated[int, typer.Argument(help="Number of the release.")],
    text: Annotated[str, typer.Argument(metavar="NAME", help="The name, such as 2026年报.")],
    site: Site = None,
) -> None:
    """Give a release a name: it is then kept until the name is taken away.

    为版本命名，命名的版本一直保留。

    Example: `./edulake release name 3 2026年报`, and then `./edulake sql --release 2026年报 "show tables"`
    """
    from jobs.publish import kept

    kept.name(site_settings.load(site), release, text)
    console.say(f"release {release} is kept as {text.strip()}")


@app.command()
def unname(
    text: Annotated[str, typer.Argument(metavar="NAME", help="The name to take away.")], site: Site = None
) -> None:
    """Take a name away. The release then stays only as long as the site's rule keeps it.

    取消版本的名称。
    """
    from jobs.publish import kept

    number = kept.unname(site_settings.load(site), text)
    console.say(f"release {number} is no longer called {text}")
