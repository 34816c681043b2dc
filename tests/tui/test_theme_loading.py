"""A theme with an error is left out and said; it never takes the console with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import Static

from sparkconsole.tui.theme import OURS, load_themes, variable_defaults

GOOD = 'name = "mine"\nprimary = "#336699"\nbackground = "#000"\n'


def load(folder: Path, *texts: str | bytes) -> tuple[dict[str, Theme], tuple[str, ...]]:
    for number, text in enumerate(texts):
        (folder / f"t{number}.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    themes, wrong = load_themes(own=folder)
    return {t.name: t for t in themes}, wrong


def test_a_persons_theme_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    themes, wrong = load(tmp_path, GOOD + '[variables]\nnode-up = "lime"\nblock-cursor-text-style = "bold"\n')
    assert wrong == ()
    assert themes["mine"].primary == "#336699"
    assert themes["mine"].variables["node-up"] == "lime"
    assert set(OURS) <= set(themes["mine"].variables)
    assert "spark-dark" in themes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + 'primry = "red"\n', "line 4: primry is no key of a theme; did you mean primary?"),
        (GOOD.replace("#336699", "bluue"), "line 2: primary = 'bluue' is no colour"),
        (GOOD.replace('"#336699"', "7"), "line 2: primary = 7 is no colour"),
        ('primary = "red"\n', "line 1: name is missing"),
        ('name = "mine"\n', "line 1: primary is missing"),
        (GOOD.replace("mine", "[/x]"), "line 1: name = '[/x]' must be letters"),
        (GOOD.replace("mine", "a b"), "name = 'a b' must be letters"),
        (GOOD + 'dark = "yes"\n', "line 4: dark = 'yes' must be true or false"),
        (GOOD + "text_alpha = 3\n", "line 4: text_alpha = 3 must be a number from 0 to 1"),
        (GOOD + "text_alpha = nan\n", "text_alpha = nan must be a number from 0 to 1"),
        (GOOD + 'variables = "x"\n', "variables must be a table"),
        (GOOD + '[variables]\nnode-upp = "red"\n', "variables.node-upp is no variable; did you mean node"),
        (GOOD + '[variables]\nnode-up = "$success"\n', "line 5: variables.node-up = '$success' is no colour"),
        (GOOD + '[variables]\nnode-up = "red 50%"\n', "variables.node-up = 'red 50%' is no colour"),
        (GOOD + '[variables]\nlink-style = "blod"\n', "variables.link-style = 'blod' is no text style"),
        (GOOD + "[variables]\nlink-style = 3\n", "variables.link-style = 3 is no text style"),
        (GOOD + '[variables]\nlink-style = "r"\n', "variables.link-style = 'r' is no text style"),  # to CSS
        (GOOD + '[variables]\ntext-muted = "soft 50%"\n', "variables.text-muted = 'soft' is no colour"),
        ("name = \n", "line 1"),
        (b"\xff\xfe", "not UTF-8"),
        (GOOD.replace("mine", "spark-dark"), "name = 'spark-dark' is taken by"),
        (GOOD.replace("mine", "nord"), "name = 'nord' is taken by a theme of Textual"),
        ("", "name is missing"),
    ],
)  # fmt: skip
def test_an_error_is_said_with_file_and_key(tmp_path: Path, text: str | bytes, said: str) -> None:
    themes, wrong = load(tmp_path, text)
    assert len(wrong) == 1
    assert str(tmp_path / "t0.toml") in wrong[0]
    assert said in wrong[0]
    assert "left out" in wrong[0]
    assert "spark-dark" in themes
    assert themes["spark-dark"].primary != "#336699"


def test_of_two_with_one_name_the_first_stays(tmp_path: Path) -> None:
    themes, wrong = load(tmp_path, GOOD, GOOD.replace("#336699", "red"))
    assert themes["mine"].primary == "#336699"
    assert "t1.toml" in wrong[0]
    assert "t0.toml" in wrong[0]


def test_a_folder_named_like_a_theme_is_no_theme(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").mkdir()
    themes, wrong = load(tmp_path)
    assert "cannot be read" in wrong[0]
    assert "spark-dark" in themes


def test_no_folder_of_the_persons_is_no_error() -> None:
    assert load_themes(own=Path("/nowhere/at/all"))[1] == ()


def test_a_share_of_a_colour_is_allowed_where_textual_has_one(tmp_path: Path) -> None:
    themes, wrong = load(tmp_path, GOOD + '[variables]\ntext-muted = "auto 70%"\nlink-color = "red 80%"\n')
    assert wrong == ()
    assert themes["mine"].variables["text-muted"] == "auto 70%"


class Swatches(App[None]):
    """Uses every variable of ours, and every widget rule of Textual's own."""

    CSS = "\n".join(f".v{i} {{ color: ${name}; background: $row-cursor; }}" for i, name in enumerate(OURS))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        for i, name in enumerate(OURS):
            yield Static(name, classes=f"v{i}", markup=False)


async def test_every_theme_can_be_put_on_ours_and_textuals(tmp_path: Path) -> None:
    app = Swatches()
    ansi = 'name = "own-ansi"\nansi = true\nprimary = "ansi_green"\n'
    light = 'name = "own-light"\ndark = false\nprimary = "#246"\n[variables]\ntext-muted = "auto 70%"\n'
    load(tmp_path, GOOD, ansi, light)
    themes, wrong = load_themes(own=tmp_path)
    assert wrong == ()
    async with app.run_test(size=(30, 10)) as pilot:
        for theme in themes:
            app.register_theme(theme)
        for name in (*(t.name for t in themes), *BUILTIN_THEMES):
            app.theme = name
            await pilot.pause()
            assert app.query_one(".v0", Static).styles.color is not None
