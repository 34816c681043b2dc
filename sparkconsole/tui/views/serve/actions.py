"""What the serve view's keys do beside serving: choose a model, stop, copy, go to the logs."""

from __future__ import annotations

from sparkconsole.fleet.store import ServerPhase
from sparkconsole.model.serve.spec import SEED_PORT
from sparkconsole.model.text.printable import printable
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.view import View
from sparkconsole.tui.views.serve import form as filling
from sparkconsole.tui.views.serve import show
from sparkconsole.tui.widgets.form import Form


class ServeActions(View):
    """The view says what is filled in and where clients reach the head."""

    @property
    def form(self) -> Form:
        """What is filled in."""
        return self.query_one(Form)

    @property
    def address(self) -> str:
        """Where clients reach the head."""
        return next((n.address for n in self.console.store.nodes.values() if n.head), "")

    @property
    def port(self) -> int:
        """Where the server answers that is shown."""
        return self.console.store.server.port

    def preview(self) -> filling.ServePreview:
        """What V would run."""
        raise NotImplementedError

    def _works(self, key: Key) -> bool:
        """A model is chosen where it can be seen."""
        there = not key.id.startswith("model.") or self.query_one("#serve-spec").display
        return there and super()._works(key)

    def idle(self, key_id: str) -> str:
        """Where nothing is served there is nothing to stop or to ask."""
        phase = self.console.store.server.phase
        if key_id == "serve.curl" and phase is not ServerPhase.READY:
            return "nothing answers yet that curl could ask"
        if key_id == "serve.stop" and phase is ServerPhase.NONE and not self.starting:
            return "no server runs that could be stopped"
        if key_id == "serve.form" and not (self.has_class("-short") and self.has_class("-serving")):
            return "the form is shown already"
        return super().idle(key_id)

    @property
    def starting(self) -> bool:
        """A start of this console is under way."""
        raise NotImplementedError

    def action_model_next(self) -> None:
        """`down`, without going to the field first, so that `V` is still a key."""
        self.form.walk("model", 1)

    def action_model_previous(self) -> None:
        """`up`"""
        self.form.walk("model", -1)

    def action_serve_stop(self) -> None:
        """`X`"""
        if self.is_idle("serve.stop"):
            return
        port = self.port
        more = () if port == SEED_PORT else ("--port", str(port))
        self.console.say(("serve", "stop", *more))

    def action_serve_copy(self) -> None:
        """`y`"""
        preview = self.preview()
        if preview.wrong:
            self.notify(printable(preview.wrong), severity="warning", markup=False)
            return
        self._copy(preview.text(), "the command")

    def action_serve_curl(self) -> None:
        """`c`"""
        server = self.console.store.server
        if self.is_idle("serve.curl"):
            return
        self._copy(show.curl(self.address, server), "the curl example")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify(f"copied {what}", timeout=3, markup=False)

    async def action_serve_logs(self) -> None:
        """`l`"""
        from sparkconsole.tui.views.logs.view import LogsView

        await self.app.switch_mode("logs")
        if isinstance(self.app.screen, LogsView):
            await self.app.screen.show_nodes((), "serve")
