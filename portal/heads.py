"""HEAD of every address: what GET would say, without its body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Ask the application as for GET, and send the head of what it answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended, asked = False, {**scope, "method": "GET"}

        async def head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                # Who watches from outside sees which route it was.
                scope.update({**asked, "method": "HEAD"})
            if message["type"] == "http.response.body":
                if ended:
                    return
                ended, message = True, {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(asked, receive, head)
