"""The only requests that the service makes to addresses people gave it.

A name is looked up once, each address it has must be public, and the connection goes to the very address that
was checked: a name that changes between the check and the call (DNS rebinding) leads nowhere.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import httpx
from django.conf import settings

SECONDS = 10.0  # for each step of a call: to connect, to send a piece, to read one
SECONDS_IN_ALL = 15.0  # for the whole call, so that who sends a byte now and then holds nobody up
NAT64 = IPv6Network("64:ff9b::/96")
Address = IPv4Address | IPv6Address


class Refused(Exception):
    """An address that nothing is sent to."""


def checked(url: str) -> SplitResult:
    """The parts of an address that may be called, as far as can be told without looking it up."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("This is not an address.") from error
    if not parts.hostname or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("This is not an address.")
    if parts.username or parts.password:
        raise Refused("An address must not hold a user name or password.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_trusted(parts.hostname)):
        raise Refused("An address must begin with https://.")
    return parts


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the response, which is read no further. Raises Refused, and httpx.HTTPError."""
    parts = checked(url)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port)
    literal = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    pinned = parts._replace(netloc=f"{literal}:{port}", fragment="").geturl()
    told = {**headers, "Host": parts.netloc, "User-Agent": "Pincite"}
    try:
        return asyncio.run(asyncio.wait_for(_post(pinned, body, told, host), SECONDS_IN_ALL))
    except TimeoutError as error:
        raise httpx.ReadTimeout(f"{host} took longer than {SECONDS_IN_ALL:.0f} s.") from error


async def _post(url: str, body: bytes, headers: dict[str, str], host: str) -> int:
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=SECONDS) as client,
        client.stream(
            "POST", url, content=body, headers=headers, extensions={"sni_hostname": host}
        ) as response,
    ):
        return response.status_code


def _address(host: str, port: int) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} cannot be looked up.") from error
    addresses = [ip_address(str(each[4][0]).split("%")[0]) for each in found]
    if not addresses or not (_is_trusted(host) or all(_is_public(address) for address in addresses)):
        raise Refused(f"{host} is not a public address.")
    return addresses[0]


def _is_public(address: Address) -> bool:
    """Also of the IPv4 address that some IPv6 addresses stand for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def _is_trusted(host: str) -> bool:
    """Hosts inside the firm that whoever runs the service has named."""
    return host.lower() in settings.WEBHOOK_HOSTS
