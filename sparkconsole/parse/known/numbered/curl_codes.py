"""What curl ends with: the exit codes of its manual."""

from __future__ import annotations

from sparkconsole.parse.known.known import NumberMeaning

_ROWS = (
    (3, "the address is malformed"),
    (5, "the proxy's name cannot be resolved"),
    (6, "the host's name cannot be resolved"),
    (7, "no connection to the host"),
    (18, "it ended too early"),
    (22, "the server answered with an error"),
    (23, "it could not be written: is the disk full?"),
    (28, "it took too long"),
    (35, "TLS could not be agreed on"),
    (47, "too many redirects"),
    (52, "the server said nothing"),
    (55, "sending failed"),
    (56, "receiving failed"),
    (60, "the certificate was not accepted: is the clock right?"),
    (77, "the certificates of this machine cannot be read"),
    (92, "an HTTP/2 stream failed"),
)

CURL_CODES = {str(number): NumberMeaning(f"curl {number}", words) for number, words in _ROWS}
