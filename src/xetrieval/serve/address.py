"""The address of a server: its host names, the prefix of its paths, and the token."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import InputError

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
HOST_HEADER: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::\d{0,5})?")
NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
PREFIX: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def host_names(names: Iterable[str]) -> frozenset[str]:
    """Host names that requests may use, in the form that `asked_host` returns.

    Raises:
        InputError: a name with a scheme, a port or a path.
    """
    found = set()
    for name in names:
        plain = _plain(name)
        if not (NAME.fullmatch(plain) or _ip(plain)):
            raise InputError(f"host name {name!r}: give a name alone, such as search.example.org")
        found.add(plain)
    return frozenset(found)


def asked_host(header: str) -> str | None:
    """The name in a Host header in lower case, without port or trailing dot; None if the header is invalid."""
    found = HOST_HEADER.fullmatch(header.strip())
    return _plain(found.group(1)) if found else None


def welcome(host: str | None, names: frozenset[str]) -> bool:
    """Whether a request may use this host name. If localhost is allowed, all loopback addresses are."""
    if not names:
        return True
    if host is None or host in names:
        return host is not None
    address = _ip(host)
    return address is not None and address.is_loopback and "localhost" in names


def check_token(token: str | None) -> None:
    """Refuse a token that is empty or does not fit in a header.

    Raises:
        InputError: it is empty, or has characters that are not allowed in a cookie.
    """
    if token is None:
        return
    if not token.strip():
        raise InputError("the token is empty: it would let anyone in; give another, or leave it out")
    if not (token.isascii() and token.isprintable() and token == token.strip()) or set(token) & set(';,"\\'):
        raise InputError(
            'the token may contain ASCII letters, digits and punctuation, but not ; , " \\ or spaces at its ends'
        )


def check_prefix(path: str) -> str:
    """The prefix of all of a server's paths: empty, or /NAME without a slash at the end.

    Raises:
        InputError: it is not a path, or it would hide a path of the API.
    """
    plain = "/" + path.strip("/") if path.strip("/") else ""
    if plain and not PREFIX.fullmatch(plain):
        raise InputError(f"path prefix {path!r}: give it as /NAME")
    if plain.split("/")[1:2] in (["v1"], ["assets"]):
        raise InputError(f"path prefix {path!r}: the server itself uses that path; choose another")
    return plain


class Place(NamedTuple):
    """The path of a request, split into the prefix and the rest."""

    root: str
    path: str

    @property
    def up(self) -> str:
        """The address of the page, relative to the request's."""
        return "../" * (self.path.count("/") - 1) or "./"


def place_of(path: str, mounted: str, prefix: str = "") -> Place:
    """Split off the path where the application is mounted, and the prefix, unless a proxy removed it already."""
    mounted = mounted.rstrip("/")
    own = path[len(mounted) :] if mounted and _under(path, mounted) else path
    if prefix and _under(own, prefix):
        own = own[len(prefix) :]
    return Place(mounted + prefix, own)


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _plain(name: str) -> str:
    return name.strip().strip("[]").removesuffix(".").lower()


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
