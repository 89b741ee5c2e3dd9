"""Where a server is and how it may be called: host names, the path before its own, the token."""

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
    """Names that requests may be addressed to, as `asked_host` gives them.

    Raises:
        InputError: one with a scheme, a port or a path.
    """
    found = set()
    for name in names:
        plain = _plain(name)
        if not (NAME.fullmatch(plain) or _ip(plain)):
            raise InputError(f"host name {name!r}: give a name alone, such as search.example.org")
        found.add(plain)
    return frozenset(found)


def asked_host(header: str) -> str | None:
    """The name in a Host header without its port, in lower case, without the dot at its end; None where it is none."""
    found = HOST_HEADER.fullmatch(header.strip())
    return _plain(found.group(1)) if found else None


def welcome(host: str | None, names: frozenset[str]) -> bool:
    """Whether a request may be addressed so. Where this machine's own names may, all of its own addresses may."""
    if not names:
        return True
    if host is None or host in names:
        return host is not None
    address = _ip(host)
    return address is not None and address.is_loopback and "localhost" in names


def check_token(token: str | None) -> None:
    """Refuse a token that protects nothing, or that no header can carry.

    Raises:
        InputError: it is empty, or has characters that are not allowed in a cookie.
    """
    if token is None:
        return
    if not token.strip():
        raise InputError("the token is empty: it would let everybody in; give another, or leave it out")
    if not (token.isascii() and token.isprintable() and token == token.strip()) or set(token) & set(';,"\\'):
        raise InputError('the token: letters, digits and signs of ASCII, without ; , " \\ and blanks at its ends')


def check_prefix(path: str) -> str:
    """The path that all of a server's paths begin with: empty, or /NAME without a slash at its end.

    Raises:
        InputError: it is not a path, or it hides the API's own.
    """
    plain = "/" + path.strip("/") if path.strip("/") else ""
    if plain and not PREFIX.fullmatch(plain):
        raise InputError(f"path prefix {path!r}: give it as /NAME")
    if plain.split("/")[1:2] in (["v1"], ["assets"]):
        raise InputError(f"path prefix {path!r}: the server has a path of that name itself; choose another")
    return plain


class Place(NamedTuple):
    """Of one request: what its path begins with, and the path after it."""

    root: str
    path: str

    @property
    def up(self) -> str:
        """The page's address, relative to this request's."""
        return "../" * (self.path.count("/") - 1) or "./"


def place_of(path: str, mounted: str, prefix: str = "") -> Place:
    """Takes off where the application is mounted, then the prefix; a proxy may have taken it off already."""
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
