"""Which addresses are on the public internet, by the registries of IANA.

Python's own ``is_global`` differs between versions, takes multicast for global, and does not look
into the IPv6 addresses that carry an IPv4 address, to which a router or the kernel then connects.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from doubao_core.errors import ConnectionFailed

_NOT_PUBLIC_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata services of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own host, under a public number
        "169.254.0.0/16",  # link-local, and most metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocol assignments: benchmarks, overlays
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
# The bits at which an IPv4 address stands in an address of this network (RFC 6052, 2765, 3056).
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
_TEREDO = IPv6Network("2001::/32")
# The second half of every ISATAP address, whatever network it is in (RFC 5214).
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
_FOUR_BYTES = 0xFFFF_FFFF


def is_public(address: str) -> bool:
    """Say whether *address*, and every address that is within it, is on the public internet.

    A network's own prefix for NAT64 cannot be told from other addresses and is judged as one.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_4(parsed)
    # Only link-local addresses need a zone.
    return parsed.scope_id is None and _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    within = list(_within(address))
    if not all(map(_is_public_4, within)):
        return False
    if any(address in network for network, _ in _CARRIERS) or address in _TEREDO:
        return True
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _within(address: IPv6Address) -> Iterator[IPv4Address]:
    """Give the IPv4 addresses to which a packet for *address* may be forwarded."""
    bits = int(address)
    for network, shift in _CARRIERS:
        if address in network:
            yield IPv4Address(bits >> shift & _FOUR_BYTES)
    if address in _TEREDO:
        # The relay as it is, and the client with every bit turned (RFC 4380).
        yield IPv4Address(bits >> 64 & _FOUR_BYTES)
        yield IPv4Address(~bits & _FOUR_BYTES)
    if bits >> 32 & _FOUR_BYTES in _ISATAP:
        yield IPv4Address(bits & _FOUR_BYTES)


def resolve(host: str) -> list[str]:
    """Look up the addresses of *host*, the preferred one first."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"cannot find the address of {host}: {error}") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))
