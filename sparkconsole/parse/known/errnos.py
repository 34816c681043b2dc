"""Errors of Linux by number: asm-generic/errno.h. A console on another system numbers its own otherwise."""

from __future__ import annotations

from sparkconsole.parse.known.known import Meaning

_ROWS = (
    (1, "EPERM", "not permitted"),
    (2, "ENOENT", "no such file"),
    (5, "EIO", "input or output failed"),
    (11, "EAGAIN", "a resource is used up for now"),
    (12, "ENOMEM", "no memory"),
    (13, "EACCES", "no right to it"),
    (16, "EBUSY", "in use"),
    (19, "ENODEV", "no such device"),
    (22, "EINVAL", "an argument was wrong"),
    (24, "EMFILE", "too many open files"),
    (28, "ENOSPC", "the disk is full"),
    (61, "ENODATA", "nothing there"),
    (97, "EAFNOSUPPORT", "that kind of address is not supported"),
    (98, "EADDRINUSE", "the address is in use"),
    (99, "EADDRNOTAVAIL", "that address is not of this machine"),
    (101, "ENETUNREACH", "no way to that network"),
    (104, "ECONNRESET", "the other end broke the connection"),
    (110, "ETIMEDOUT", "no answer in time"),
    (111, "ECONNREFUSED", "nobody listens there"),
    (113, "EHOSTUNREACH", "no way to that host"),
)

ERRNOS = {str(number): Meaning(name, words) for number, name, words in _ROWS}
