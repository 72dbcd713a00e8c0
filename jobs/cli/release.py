"""Commands on the releases of a site: which there are, what was checked, and who lets one out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from jobs import settings as site_settings
from jobs.cli import release_compare
from jobs.cli.options import Site, TableOrJson
from jobs.screen import console
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.publish.release import Release
    from jobs.settings import Settings

app = typer.Typer(
    help="版本的检查、审批、比较与保留。 Releases: checklist, approval, versions, and how long each stays.",
    no_args_is_help=True,
)
for compare in (release_compare.diff, release_compare.changes, release_compare.make):
    app.command()(compare)

Number = Annotated[int, typer.Argument(metavar="N", help="Number of the release.")]
By = Annotated[str, typer.Option(help="Who says so: a name that others know.")]
Note = Annotated[str, typer.Option(help="A note that everybody may read.")]
_COLUMNS = (
    "版本\nrelease",
    "状态, 检查\nstate, checks",
    "数据截至\nas of",
    "发布时间\npublished",
    "大小\nMB",
    "名称, 保留至\nnames, kept until",
)
_DRAFT = {
    "waits": "待审批 draft",
    "rejected": "已退回 rejected",
    "scheduled": "待发布 scheduled",
}


@app.command("list")
def list_(site: Site = None, format_: TableOrJson = "table") -> None:
    """List the releases that are kept and the draft, newest first: state, checks, notes, how long each stays.

    列出保留的版本和草稿，以及检查结果、公告和保留期限。
    """
    from jobs.publish import drafts, kept

    settings = site_settings.load(site)
    found = kept.all_kept(settings)
    draft = drafts.waiting(settings)
    if not found and draft is None:
        console.say(f"no release of {settings.site} yet: {settings.command('run')}")
        return
    listed = _listed(settings, [*([draft] if draft else []), *found])
    if format_ == "json":
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=1))
        return
    rows = [
        (
            one["release"],
            "\n".join(filter(None, (one["state"], one["checks"]))),
            one["as_of_date"],
            one["published_at"],
            f"{one['bytes'] / 1e6:.1f}",
            "\n".join([*one["names"], one["kept_until_zh"], one["kept_until_en"]]),
        )
        for one in listed
    ]
    console.table(_COLUMNS, rows, breakable=(_COLUMNS[1], _COLUMNS[5]), spare=(_COLUMNS[4],))
    for one in listed:
        for note in one["notes"]:
            console.say(f"{one['release']}: 公告 note {note['at'][:10]} {note['by']}: {note['note']}")


def _listed(settings: Settings, found: list[Release]) -> list[dict[str, Any]]:
    from jobs.publish import checklist, drafts, journal, kept
    from jobs.publish.release import pointed

    published = [release for release in found if not release.is_draft]
    why, until, given = kept.why(settings, published), kept.until(settings, published), kept.names(settings)
    zone, current = ZoneInfo(settings.timezone), pointed(settings)
    listed = []
    for release in found:
        manifest, number = release.manifest, release.number
        at = datetime.fromisoformat(manifest["published_at"]).astimezone(zone)
        checks = manifest.get("checklist")
        words = checklist.WORDS[checklist.state(checks)] if checks else None
        stays = until.get(number)
        if release.is_draft:
            state = _DRAFT[drafts.state(settings, number)]
        else:
            state = "当前 current" if number == current else "已发布 published"
        listed.append(
            {
                "release": number,
                "state": state,
                "as_of_date": manifest["as_of_date"],
                "published_at": "" if release.is_draft else f"{at:%Y-%m-%d %H:%M}",
                "bytes": sum(file["bytes"] for file in manifest["files"].values()),
                "checks": f"{words.zh} {words.en}" if words else "",
                "names": [name for name, named in given.items() if named == number],
                "kept_because": why.get(number, []),
                "kept_until_zh": stays.zh if stays else "直到下一份草稿",
                "kept_until_en": stays.en if stays else "until the next draft",
                "notes": [vars(note) for note in journal.notes(settings.releases, number)],
            }
        )
    return listed


@app.command("check")
def check(
    release: Annotated[
        str | None,
        typer.Argument(metavar="[N]", help="Number or name. Default: the draft, else the current."),
    ] = None,
    site: Site = None,
    format_: TableOrJson = "table",
) -> None:
    """Show the checklist of a release, and compare its files with its manifest.

    查看版本的发布检查单，并核对文件。Exit code 1: a check is red, or a file is not what was published.
    """
    from jobs.publish import checklist, drafts, kept, publication
    from jobs.publish.release import current

    settings = site_settings.load(site)
    if release is None:
        found = drafts.waiting(settings) or current(settings)
        if found is None:
            raise UserError(
                f"there is no release of {settings.site}.", f"Make one: {settings.command('run')}"
            )
    else:
        number = kept.numbered(settings, release)
        found = drafts.find(settings, number) or kept.published(settings, number)
    items = found.manifest.get("checklist", [])
    is_sound = publication.is_sound(found)
    state = checklist.state(items) if is_sound else checklist.RED
    if format_ == "json":
        told = {"release": found.number, "is_draft": found.is_draft, "state": state, "files_sound": is_sound}
        typer.echo(json.dumps({**told, "checklist": items}, ensure_ascii=False, indent=1))
    else:
        rows = [
            (
                f"{checklist.WORDS[item['state']].zh} {item['state']}",
                f"{item['title_zh']}\n{item['title_en']}",
                "" if item["measured"] is None else f"{item['measured']:g}",
                "" if item["amber_from"] is None else f"{item['amber_from']:g}",
                "" if item["red_from"] is None else f"{item['red_from']:g}",
                item["detail"],
            )
            for item in items
        ]
        heads = ("结果\nstate", "检查\ncheck", "实测\nfound", "留意\namber", "审批\nred", "说明\ndetail")
        title = f"{'草稿 draft' if found.is_draft else '版本 release'} {found.number}"
        console.table(heads, rows, title=title, breakable=(heads[1], heads[5]))
        console.say(f"文件 files: {'完好 sound' if is_sound else '已被改动 not as they were made'}")
    if state == checklist.RED:
        raise typer.Exit(1)


@app.command()
def approve(
    release: Number,
    by: By,
    note: Note = "",
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
            help="Publish it from this time on, in the site's time zone. Default: at once.",
        ),
    ] = None,
    site: Site = None,
) -> None:
    """Approve a draft: it is published at once, or by the first `run` or `release publish` after a time.

    审批并发布草稿；可指定发布时间。

    Example: `./edulake release approve 3 --by 王芳 --note 已与体卫处核对`
    """
    from jobs.publish import publication

    settings = site_settings.load(site)
    moment = at.replace(tzinfo=ZoneInfo(settings.timezone)) if at else None
    done = publication.approve(settings, release, _someone(by), note.strip(), moment)
    if done.is_draft:
        console.say(f"release {release} is approved, and goes out from {moment:%Y-%m-%d %H:%M} on.")
        console.say(f"  {settings.command('release', 'publish')}   # `run` does it, too")
        return
    console.say(f"release {release} is published.")


@app.command()
def publish(site: Site = None) -> None:
    """Publish the draft that was approved for a time that has come. Without one nothing happens.

    发布已批准且到时的版本。For cron, where no `run` comes in time.
    """
    from jobs.publish import publication

    done = publication.publish_due(site_settings.load(site))
    console.say(f"release {done.number} is published." if done else "nothing is due.")


@app.command()
def reject(release: Number, by: By, note: Note, site: Site = None) -> None:
    """Reject a draft, and say why. The release before it keeps serving; the next run makes another draft.

    退回草稿并说明原因。
    """
    from jobs.publish import publication

    settings = site_settings.load(site)
    publication.reject(settings, release, _someone(by), _words(note))
    console.say(f"the draft of release {release} is rejected.")


@app.command()
def amend(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="Number or name of the release.")],
    note: Note,
    by: By,
    site: Site = None,
) -> None:
    """Attach a public note to a published release. No file of it changes.

    为已发布的版本附加公告，不改动其文件。

    Example: `./edulake release amend 3 --by 王芳 --note "2025年海淀区肥胖人数偏低，第4版更正"`
    """
    from jobs.publish import kept, publication

    settings = site_settings.load(site)
    number = kept.numbered(settings, release)
    publication.amend(settings, number, _someone(by), _words(note))
    console.say(f"the note stands with release {number}.")


def _someone(by: str) -> str:
    if not by.strip() or not by.isprintable():
        raise UserError("--by names nobody.", "Give the name of who decides.")
    return by.strip()


def _words(note: str) -> str:
    if not note.strip():
        raise UserError("--note is empty.", "Say in a sentence what readers must know.")
    return note.strip()


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
