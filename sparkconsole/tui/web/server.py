"""`sparkconsole web`: who may open the console in a browser, and from where."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server, to_int

from sparkconsole.clock import together
from sparkconsole.errors import Refused
from sparkconsole.model.text.redact import learn
from sparkconsole.tui.web.viewer import Viewer

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
MOST_BYTES = 1 << 20
"""Of one message from the browser: a long paste."""
SIZE = (("width", 80), ("height", 24))
_BAD_MESSAGE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)
"""What textual-serve falls over where a message is none of its page's."""
_BAD_REQUEST = (HttpProcessingError, web.RequestPayloadError)


class ConsoleServer(Server):
    """textual-serve below a secret path, for pages of its own only.

    A cookie would be sent to every port of this host and from every page of it (cookies know no ports: RFC
    6265, 8.5), and a browser lets any page open a WebSocket to anywhere (RFC 6455, 10.2): so the secret is in
    the path, and the origin of every socket is looked at.
    """

    def __init__(self, words: Sequence[str], port: int, secret: str, *, shared: bool = False) -> None:
        super().__init__("", host=LOOPBACK, port=port, title="sparkconsole", templates_path=HERE)
        self._words = tuple(words)
        self._secret = secret
        self._shared = shared
        self._viewers: set[Viewer] = set()
        self._seat: Viewer | None = None
        """Whose tab changes machines: what a second one does would surprise the first."""

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"{self.public_url}/{self._secret}/"

    async def application(self) -> web.Application:
        """The web application; whatever does not begin with the secret path is refused."""
        logging.getLogger("aiohttp.server").addFilter(_is_fault_of_ours)
        application = web.Application(middlewares=[self._guard()])
        console = await self._make_app()
        console.router.add_get("/focus.js", self._focus)
        application.add_subapp(f"/{self._secret}", console)
        return application

    async def _focus(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "focus.js")

    async def on_startup(self, app: web.Application) -> None:
        """The library would print its banner."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Every tab's console ends with the server."""
        await together(*(viewer.stop() for viewer in self._viewers))

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A console for this tab, for as long as the tab is open."""
        stream = web.WebSocketResponse(heartbeat=15, max_msg_size=MOST_BYTES)
        await stream.prepare(request)
        watches = self._seat is not None and not self._shared
        words = (*self._words, "--read-only") if watches else self._words
        viewer = Viewer(words, stream, self.download_manager)
        self._viewers.add(viewer)
        if not watches:
            self._seat = viewer
        try:
            width, height = (to_int(request.query.get(side, ""), usual) for side, usual in SIZE)
            await viewer.start(width, height)
            await self._process_messages(stream, viewer)
        except _BAD_MESSAGE:
            await stream.close(code=1003, message=b"not understood")
        finally:
            if self._seat is viewer:  # before its console has ended: a page that is loaded again comes next
                self._seat = None
            await viewer.stop()
            self._viewers.discard(viewer)
        return stream

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._admits(request):
                raise web.HTTPForbidden(text="sparkconsole: open the whole address that it printed\n")
            response = await handler(request)
            if not response.prepared:
                response.headers.update(self._headers())
            return response

        return guard

    def _admits(self, request: web.Request) -> bool:
        """The secret is compared in constant time; a page of another origin opens no socket here."""
        if request.host != f"{LOOPBACK}:{self.port}":  # the page would load its parts from there
            return False
        shown = request.path.removeprefix("/").partition("/")[0]  # `OPTIONS *` has no slash
        if not secrets.compare_digest(shown.encode(), self._secret.encode()):
            return False
        from_elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        ours = request.headers.get("Origin") == self.public_url
        return ours if request.path.endswith("/ws") else not from_elsewhere

    def _headers(self) -> dict[str, str]:
        """Nothing foreign is loaded, nobody frames the page, and its address is told to nobody.

        xterm writes its colours as style elements: without inline styles it shows nothing.
        """
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
            f"img-src 'self' data:; connect-src ws://{LOOPBACK}:{self.port}; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        return {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }


def _is_fault_of_ours(record: logging.LogRecord) -> bool:
    """Whoever is on this machine may send what is no HTTP: it is answered, and no fault of the program."""
    return not (record.exc_info and isinstance(record.exc_info[1], _BAD_REQUEST))


def serve(words: Sequence[str], port: int = 8000, host: str = LOOPBACK, *, shared: bool = False) -> int:
    """Serves until ctrl+c; Refused for an address that others reach."""
    if host not in (LOOPBACK, "localhost"):
        hint = f"from elsewhere: ssh -L {port}:{LOOPBACK}:{port} THIS-MACHINE, then open the address"
        raise Refused(f"the console is served on {LOOPBACK} only, not on {host}", hint=hint)
    with _listening(port) as door:
        learn([secret := secrets.token_urlsafe(24)])
        server = ConsoleServer(words, door.getsockname()[1], secret, shared=shared)
        sys.stdout.write(f"{server.address}\nctrl+c stops it; what runs on the cluster keeps running\n")
        sys.stdout.flush()
        quiet: dict[str, Any] = {"access_log": None, "print": lambda *_: None}
        web.run_app(server.application(), sock=door, shutdown_timeout=1.0, **quiet)
    return 0


def _listening(port: int) -> socket.socket:
    """Taken before the address is printed: what is printed can be opened."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        cause = f"port {port} cannot be listened on: {error.strerror}"
        raise Refused(cause, hint="name another one with --port") from error
