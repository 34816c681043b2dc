"""How a console in a browser reads: Textual's own way, and it ends when nobody is there to read from."""

from __future__ import annotations

from textual.drivers.web_driver import WebDriver


class BrowserDriver(WebDriver):
    """Textual's driver for `textual-serve`; a server that was killed leaves no console behind."""

    def run_input_thread(self) -> None:
        """Reads until the server's end of the pipe is gone, which to Textual is only the end of input."""
        super().run_input_thread()
        self.on_meta("quit", {})
