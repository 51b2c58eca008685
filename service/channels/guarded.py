"""Requests to addresses that others chose: never to a private one, never followed elsewhere, never read to the end.

Names are checked where they can't be changed any more: at the socket, after the look-up, for each address that is to
be connected to. So the spelling of an address makes no difference, and neither does a name that answers differently
each time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import aiohttp
import yarl

from service.channels.letter import WITHIN

READS_AT_MOST = 16 * 1024
"""Bytes of an answer's body. Nothing in it matters, but a connection that was read to its end can be used again."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublicError(OSError):
    """The name leads to an address that is not public."""


def public(address: str) -> bool:
    """Whether an address is one that anybody on the internet could be asked at, however it wraps another one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def named(url: str, hosts: Iterable[str]) -> bool:
    """Whether an operator has named this URL's host among those that may be in a private network."""
    return (yarl.URL(url).host or "").casefold() in {host.casefold() for host in hosts}


def _guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, proto, _, where = info
    if not public(where[0]):
        raise NotPublicError("leads to an address that is not public")
    return socket.socket(family, kind, proto)


def session(*, private: bool = False, resolver: aiohttp.abc.AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session for one receiver; `private`: an operator has said that this one may be in a private network.

    No cookies, no proxies, nothing unpacked; a name is looked up anew for each connection.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        resolver=resolver,
        use_dns_cache=False,
        socket_factory=None if private else _guarded_socket,
        keepalive_timeout=15.0,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=WITHIN),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=4096,
        max_field_size=4096,
        read_bufsize=READS_AT_MOST,
    )
