"""`./edulake webhook`: other systems are told of new releases and due dates."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from jobs import settings as site_settings
from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail
from jobs.cli.options import Site
from jobs.screen import console
from jobs.settings import Settings

app = typer.Typer(help="事件通知 Other systems are told of new releases and due dates.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="A webhook, as `webhook list` names it.")]


def _noted(settings: Settings, act: str, subject: str, **details: str | int) -> None:
    trail = Trail(settings)
    trail.write(Caller(Role.STEWARD, f"os-{getpass.getuser()}", via="nothing"), act, subject, details)
    trail.close()


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="https address of the receiver; http on this machine alone.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="release.published, due.near or due.late; may be repeated. Default: all."),
    ] = None,
    site: Site = None,
) -> None:
    """Tell a system of what happens from now on. Its secret is shown once.

    新增通知地址，签名密钥仅显示一次。

    Example: `./edulake webhook add https://hooks.example/edulake --event release.published`
    """
    from jobs.publish import webhooks

    settings = site_settings.load(site)
    made, secret = webhooks.add(settings, url, tuple(event or ()), getpass.getuser())
    _noted(settings, "webhook-added", made.id, kinds=" ".join(made.kinds))
    console.say(f"Webhook {made.id}. The secret of its signatures, shown this once:")
    console.say(secret)
    console.say(f"next: {settings.command('webhook', 'test', made.id)}")


@app.command(name="list")
def show(site: Site = None) -> None:
    """List who is told of what, what waits, and what was given up.

    列出通知地址、待发与放弃的条数。
    """
    from jobs.publish import webhooks

    found = webhooks.listed(webhooks.opened(site_settings.load(site)))
    rows = [(w.id, w.url, " ".join(w.kinds), w.made_at, w.waiting or None, w.given_up or None) for w in found]
    console.table(("webhook", "address", "events", "since", "waiting", "given up"), rows)


@app.command()
def remove(webhook: Id, site: Site = None) -> None:
    """Tell a system no more; what waits for it is not sent.

    删除通知地址。
    """
    from jobs.publish import webhooks

    settings = site_settings.load(site)
    webhooks.remove(webhooks.opened(settings), webhook)
    _noted(settings, "webhook-removed", webhook)
    console.say(f"Webhook {webhook} is removed.")


@app.command(name="test")
def send_test(webhook: Id, site: Site = None) -> None:
    """Send a signed test now, and show how it was answered.

    发送一条测试通知。
    """
    from jobs.publish import webhooks

    console.say(webhooks.send_test(webhooks.opened(site_settings.load(site)), webhook))


@app.command()
def send(
    again: Annotated[bool, typer.Option("--again", help="Also what was given up.")] = False,
    site: Site = None,
) -> None:
    """Send what is due. A portal that runs does so by itself, twice a minute.

    立即发送待发通知；门户运行时会自动发送。
    """
    from jobs.publish import webhooks

    settings = site_settings.load(site)
    store = webhooks.opened(settings)
    if again:
        webhooks.again(store)
    webhooks.collect(settings, store)
    told = webhooks.send(store)
    console.say(", ".join(f"{count} {what}" for what, count in told.items()))
