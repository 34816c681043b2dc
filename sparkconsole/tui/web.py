"""The same console in a browser on this machine: loopback only, and only for who has the token."""

from __future__ import annotations

import secrets
import shlex
import socket
import sys
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from sparkconsole.errors import Refused

LOOPBACK = "127.0.0.1"
COOKIE = "sparkconsole"


class TokenServer(Server):
    """textual-serve behind a token: in the address once, in a cookie from then on."""

    def __init__(self, command: str, port: int, token: str) -> None:
        super().__init__(command, host=LOOPBACK, port=port, title="sparkconsole")
        self._token = token

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"{self.public_url}/?token={self._token}"

    async def application(self) -> web.Application:
        """The web application; without the token every request is refused, the socket's too."""
        application = await self._make_app()
        application.middlewares.append(self._guard)
        return application

    async def on_startup(self, app: web.Application) -> None:
        """The library would print its banner."""

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._knows(request):
            raise web.HTTPForbidden(text="sparkconsole: open the whole address that it printed\n")
        response = await handler(request)
        if request.path == "/":
            response.set_cookie(COOKIE, self._token, httponly=True, samesite="Strict")
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _knows(self, request: web.Request) -> bool:
        """Compared in constant time. Another site's page cannot send the cookie, nor name our host."""
        shown = request.query.get("token") or request.cookies.get(COOKIE, "")
        ours = request.host in (f"{LOOPBACK}:{self.port}", f"localhost:{self.port}")
        return ours and secrets.compare_digest(shown.encode(), self._token.encode())


def command(words: Sequence[str]) -> str:
    """What each browser tab runs: this program, with the same options."""
    return shlex.join((sys.executable, "-m", "sparkconsole", *words))


def serve(words: Sequence[str], port: int = 8000, host: str = LOOPBACK) -> int:
    """Serves until ctrl+c; Refused for an address that others reach."""
    if host not in (LOOPBACK, "localhost"):
        raise Refused(
            f"the console is served on {LOOPBACK} only, not on {host}",
            hint=f"from elsewhere: ssh -L {port}:{LOOPBACK}:{port} THIS-MACHINE, then open the address",
        )
    with _listening(port) as door:
        server = TokenServer(command(words), door.getsockname()[1], secrets.token_urlsafe(24))
        sys.stdout.write(f"{server.address}\nctrl+c stops it; what runs on the cluster keeps running\n")
        sys.stdout.flush()
        web.run_app(
            server.application(), sock=door, access_log=None, print=lambda *_: None, handle_signals=True
        )
    return 0


def _listening(port: int) -> socket.socket:
    """Taken before the address is printed: what is printed can be opened."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise Refused(
            f"port {port} cannot be listened on: {error.strerror}", hint="name another one with --port"
        ) from error
