"""Signs that a terminal's encoding lacks are spelled in ASCII; what it has stays as it is."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.printable import plain


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "shift_jis", "euc_jp", "ascii"])
def test_what_the_encoding_has_stays(encoding: str) -> None:
    for text in ("ready 2/2", "¥100 ‾", "naïve"):
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            continue
        assert plain(text, encoding) == text


def test_what_it_lacks_is_spelled() -> None:
    assert plain("✔ done …", "ascii").isascii()
    assert "done" in plain("✔ done …", "ascii")
