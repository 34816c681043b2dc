"""What hides a secret costs no more than the text is long, and hides the same behind any name."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.redact import redact, secret_name


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("HF_TOKEN=abcdef", "HF_TOKEN=***"),
        ("A_B_C_SECRET_KEY: abcdef", "A_B_C_SECRET_KEY: ***"),
        ("mine_TOKEN=abcdef", "mine_TOKEN=***"),
        ("__PASSWORD=abcdef", "__PASSWORD=***"),
        ("my_api_key='abc def'", "my_api_key=***"),
        ("x2_hf_token=[abcdef]", "x2_hf_token=[***]"),
        ("A_TOKEN=one B_TOKEN=two", "A_TOKEN=*** B_TOKEN=***"),
        ("MAX_TOKENS=5 NOTAPASSWORD=5", "MAX_TOKENS=5 NOTAPASSWORD=5"),
        ("HF_TOKEN=None", "HF_TOKEN=None"),
    ],
)
def test_the_value_behind_a_secret_name_is_hidden(text: str, hidden: str) -> None:
    assert redact(text) == hidden


def test_a_long_name_of_parts_ends_in_a_secret() -> None:
    long = "A_" * 20_000
    assert redact(f"{long}TOKEN=abcdef") == f"{long}TOKEN=***"
    assert redact(long) == long


@pytest.mark.parametrize("name", ["TOKEN", "HF_TOKEN", "A_1_API_KEY", "api_key", "my_secret", "hf_token"])
def test_a_name_that_holds_a_secret(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", ["TOKENS", "1_TOKEN", "my_TOKEN", "HF-TOKEN", "token", "keys"])
def test_a_name_that_holds_none(name: str) -> None:
    assert not secret_name(name)
