"""How often somebody may fail at a door: bounded tables of allowances that refill with time.

Secrets have 256 random bits and codes 80, so no rate of guessing opens a door; the limits keep guessing cheap for us
and visible. They must never lock anybody out: who is over a limit is doubted, not refused (`dispatch.rest.door`), and a
login that has come in from an address is not even that, whatever others do wrong there (many cars share one address of
their carrier), unless it fails there itself.
"""

import ipaddress
import threading
from collections import OrderedDict

KEYS_MAX = 10_000
"""Addresses or logins remembered in each table; the one unused for longest is forgotten, and is new when it returns."""


class Allowance:
    """For each key `burst` failures at once, and `per_s` more each second. Times are monotonic seconds."""

    def __init__(self, burst: int, per_s: float, keys_max: int = KEYS_MAX) -> None:
        self._burst, self._per_s, self._keys_max = burst, per_s, keys_max
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """How long until `key` may try again; 0 is at once."""
        return max(0.0, (1.0 - self._now_left(key, now)) / self._per_s)

    def spend(self, key: str, now: float) -> None:
        """Count one failure of `key`."""
        self._left[key] = (max(0.0, self._now_left(key, now) - 1.0), now)
        self._left.move_to_end(key)
        if len(self._left) > self._keys_max:
            self._left.popitem(last=False)

    def _now_left(self, key: str, now: float) -> float:
        left, then = self._left.get(key, (float(self._burst), now))
        return min(float(self._burst), left + (now - then) * self._per_s)


class LoginLimits:
    """Failed logins, by address and login together, by login and by address. Any thread may use it."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._pairs = Allowance(10, 0.2, keys_max)
        self._logins = Allowance(30, 0.5, keys_max)
        self._addresses = Allowance(100, 2.0, keys_max)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._keys_max = keys_max
        self._lock = threading.Lock()

    def wait_s(self, address: str, login: str, now: float) -> float:
        """How long this login must wait at this address; 0 is: it is heard."""
        pair = f"{login}@{address}"
        with self._lock:
            wait = self._pairs.wait_s(pair, now)
            if pair in self._known:
                return wait
            return max(wait, self._logins.wait_s(login, now), self._addresses.wait_s(address, now))

    def failed(self, address: str, login: str, now: float) -> None:
        """It was refused."""
        with self._lock:
            self._pairs.spend(f"{login}@{address}", now)
            self._logins.spend(login, now)
            self._addresses.spend(address, now)

    def succeeded(self, address: str, login: str) -> None:
        """It came in."""
        pair = f"{login}@{address}"
        with self._lock:
            self._known[pair] = None
            self._known.move_to_end(pair)
            if len(self._known) > self._keys_max:
                self._known.popitem(last=False)


class CodeLimits:
    """Enrolment codes refused, by address and over all. Any thread may use it."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._addresses = Allowance(10, 1 / 6, keys_max)
        self._all = Allowance(300, 1.0, 1)
        self._lock = threading.Lock()

    def wait_s(self, address: str, now: float) -> float:
        """How long this address must wait; 0 is: its code is looked at."""
        with self._lock:
            return max(self._addresses.wait_s(address, now), self._all.wait_s("", now))

    def failed(self, address: str, now: float) -> None:
        """A code was refused."""
        with self._lock:
            self._addresses.spend(address, now)
            self._all.spend("", now)


def address_key(host: str | None) -> str:
    """Give what counts as one address: IPv4 whole, of IPv6 the network that one customer gets (/64)."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "?"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
