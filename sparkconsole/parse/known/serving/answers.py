"""What a web server says of requests that it could not answer."""

from __future__ import annotations

from sparkconsole.parse.known.known import harmless, warning

ANSWERS = {
    "request-failed": warning(
        r"\"(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) (?P<path>[^\" ]{1,200}) HTTP/[\d.]{1,4}\" "
        r"(?P<code>5\d\d)\b",
        "the server answered {code} to a request: {path}",
        "it runs, and could not do what it was asked",
        "its lines before that one say why; sparkconsole logs",
        'INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error',
    ),
    "tools-that-go-on": harmless(
        r"Warning: Permanently added '|cannot set terminal process group|no job control in this shell|"
        r"Ignored the following (?:yanked )?versions|INTENDED_SYSTEM_EXIT|"
        r"connection to the metrics exporter agent|\bwarning: unused\b",
        "said by tools that go on as they should",
        "Warning: Permanently added '10.0.0.2' (ED25519) to the list of known hosts.",
    ),
}
