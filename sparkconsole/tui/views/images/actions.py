"""What the images view's capitals do beside building and copying, and which keys have nothing to do."""

from __future__ import annotations

from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.printable import printable
from sparkconsole.tui.view import View
from sparkconsole.tui.views.images.panes import BuildPane, CopyPane
from sparkconsole.tui.views.images.show import ImageRow
from sparkconsole.tui.views.images.words import prune_words, rollback_words
from sparkconsole.tui.work import Task


class ImageActions(View):
    """The view says which image is the cluster's, and which one the cursor is on."""

    @property
    def build(self) -> BuildPane:
        """The left pane."""
        return self.query_one(BuildPane)

    @property
    def copy_to(self) -> CopyPane:
        """The right pane."""
        return self.query_one(CopyPane)

    @property
    def image(self) -> str:
        """The cluster's own."""
        raise NotImplementedError

    @property
    def row(self) -> ImageRow | None:
        """The image under the cursor."""
        raise NotImplementedError

    def idle(self, key_id: str) -> str:
        """Most keys are about the image under the cursor."""
        if key_id in ("images.details", "images.difference") and self.row is None:
            return "there is no image here yet"
        if key_id == "images.form" and not (self.build.shown or self.copy_to.shown):
            return "the forms are shown; nothing was started here yet"
        if key_id == "images.all" and self.copy_to.showing:
            return "a copy is shown; e shows whom the next one may go to"
        if key_id == "runs.stop" and not self._under_way():
            return "no build and no copy of this console is under way"
        return super().idle(key_id)

    def _under_way(self) -> list[Task]:
        """Builds and copies under way, that of the focused pane last."""
        panes = sorted((self.build, self.copy_to), key=lambda pane: pane.has_focus_within)
        return [pane.shown for pane in panes if pane.shown and pane.shown.running]

    def action_image_prune(self) -> None:
        """`P`"""
        self._say(prune_words(self.row, self.image))

    def action_image_rollback(self) -> None:
        """`K`"""
        try:
            self._say(rollback_words(self.row))
        except WrongUsage as error:
            self._warn(error.cause)

    def action_runs_stop(self) -> None:
        """`X`"""
        if self.is_idle("runs.stop"):
            return
        task = self._under_way()[-1]
        run = task.session.run if task.session else None
        if run is not None and run.jobs:
            self._say(("runs", "stop", run.id))
        elif self.console.work is not None:
            self.console.work.cancel(task)

    def _say(self, words: tuple[str, ...]) -> None:
        self.console.say(words, shown=False)
        self.sample()

    def _warn(self, text: str) -> None:
        self.notify(printable(text), severity="warning", markup=False)
