"""Serve the portal on loopback until interrupted.

Other machines reach it by a proxy on this one, which brings TLS; the site's `portal` settings name it.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import duckdb
import uvicorn
from fastapi import FastAPI

from jobs.publish import release as releases
from jobs.settings import Settings, UserError
from jobs.site import Portal
from portal.access.keeper import SiteKeeper
from portal.app import LOOPBACK, OWN_HOSTS, create_app
from portal.connections import BoundedConnection
from portal.watch.log import AccessLog
from portal.watch.telling import Telling
from portal.watch.watching import Watching

DEFAULT_PORT = 8090
# Connections that wait to be taken. All of them may be taken before the first is served.
_BACKLOG = 128
_SWITCH_SECONDS = 0.0005


def _say(address: str) -> None:
    print(f"{address}  (Ctrl-C ends it)", flush=True)


def serve(settings: Settings, port: int = DEFAULT_PORT, announce: Callable[[str], None] = _say) -> None:
    """Serve the site until interrupted. `announce` gets the address as soon as it can be opened.

    Port 0 takes any that is free. Raises UserError when the port is taken, nothing is published yet, or
    another program has locked what is published.
    """
    # The loop waits for a thread that makes an answer no longer than this.
    sys.setswitchinterval(_SWITCH_SECONDS)
    published = releases.current(settings)
    if published is None:
        raise UserError(
            f"the site {settings.site} has no release to serve yet.",
            f"Make one first: {settings.command('run')}",
        )
    # A lock is told at once. Whatever else keeps a release closed is told by each answer, and may heal.
    with suppress(releases.ReleaseError, KeyError, ValueError, OSError, duckdb.Error):
        releases.open_release(published)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # A port that was served a moment ago is free again at once; one that is served now stays taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}.",
                f"Give another one: {settings.command('serve', '--port', str(DEFAULT_PORT + 1))}",
            ) from error
        announce(f"http://{LOOPBACK}:{listener.getsockname()[1]}/")
        app = create_app(settings, SiteKeeper(settings), hosts=(*OWN_HOSTS, *settings.portal.hosts))
        # What an earlier server was judging goes on; a home that nobody may write has no door.
        with suppress(OSError):
            app.state.desk.start()
        watching: Watching = app.state.watching
        watching.log_to(AccessLog(settings.logs))
        telling = Telling(settings)
        watching.at_end.insert(0, telling.end)
        desk = app.state.desk
        watching.figures.gauge("verdict_queue", "Files that wait for a verdict", lambda: desk.store.waiting())
        watching.figures.gauge("webhook_queue", "Deliveries to webhooks that wait", telling.waiting)
        # What was made until here stays: a collection that looks through all of it stops every answer.
        gc.collect()
        gc.freeze()
        Server(configured(app, portal=settings.portal), watching.end).run(sockets=[listener])


class Server(uvicorn.Server):
    """A server that does what must be done before the process ends: after a signal there is no other time."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let readers finish, then end."""
        await super().shutdown(sockets)
        await asyncio.to_thread(self._end)


def configured(
    app: FastAPI, connection: type[BoundedConnection] = BoundedConnection, portal: Portal | None = None
) -> uvicorn.Config:
    """How the portal is served: by bounded connections, and ended soon though a reader still reads.

    Without a proxy in the settings, nobody's word is taken for where he asks from.
    """
    portal = portal or Portal()
    return uvicorn.Config(
        app,
        http=connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=5,
        log_level="warning",
        access_log=False,
        server_header=False,
        root_path=portal.root_path,
        proxy_headers=bool(portal.proxies),
        forwarded_allow_ips=list(portal.proxies),
    )
