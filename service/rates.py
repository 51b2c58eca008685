"""Rates: how many requests a second one key, or one session of the console, may make of this node (`rate_limit`).

Unset by default: the help desk's key, a replay or an import may need all that a machine can do, the engine's queue is
bounded anyway, and whoever asks too much beside others should be told so by a number that fits the place. What is
counted is the key as presented, before anybody looks whether it is a true one: a wrong secret spends nobody's rate.
Requests without a key are not counted: they are health, documentation, what is signed, or 401.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from math import ceil

from aiohttp import web

from service.door import presented_by
from service.problems import Refused
from service.submit import HOUSE

MOST = 10_000
"""Callers who are remembered at once; whoever has been quiet is forgotten first."""
SESSIONS = ("__Host-session", "session")


class Rates:
    """What each caller may still ask: one number each, the instant when all that they asked is paid for.

    `rate` requests a second in the long run, `burst` at once. `now` is in seconds.
    """

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._costs, self._trusted = 1 / rate, (burst - 1) / rate
        self._now = now
        self._paid_by = dict[Hashable, float]()

    def take(self, who: Hashable, requests: int = 1) -> float:
        """Count these requests: 0, or, where they are too many and were not counted, the seconds until one is due.

        So many at once as no burst may be are taken all the same, and paid for afterwards.
        """
        now = self._now()
        paid_by = max(now, self._paid_by.get(who, now))
        over = paid_by - now - self._trusted
        if over > 1e-9:
            return over
        if len(self._paid_by) >= MOST:
            self._forget(now)
        self._paid_by[who] = paid_by + requests * self._costs
        return 0.0

    def _forget(self, now: float) -> None:
        """Whoever owes nothing; where that is nobody, whoever owes least: keys made up by the thousand are such."""
        owing = [(who, paid_by) for who, paid_by in self._paid_by.items() if paid_by > now]
        owing.sort(key=lambda each: each[1])
        self._paid_by = dict(owing[-MOST // 2 :])


RATES: web.AppKey[Rates | None] = web.AppKey("rates")


def within_rate(request: web.Request, requests: int = 1) -> None:
    """Count this request, as so many. Raises 429 with Retry-After where its caller has asked too much."""
    rates = request.app[RATES]
    if rates is None or (who := _caller(request)) is None:
        return
    if wait := rates.take(who, requests):
        limit = request.app[HOUSE].settings.rate_limit
        refused = Refused(429, "too_many_requests", f"This key may make {limit:g} requests a second here.")
        refused.headers["Retry-After"] = str(ceil(wait))
        raise refused


def _caller(request: web.Request) -> Hashable | None:
    if "Authorization" in request.headers:
        try:
            presented = presented_by(request)
        except Refused:  # 401, in its turn: the door says so, after what can't be read
            return None
        return presented.key, presented.digest
    if "Cookie" in request.headers:
        return next((request.cookies[name] for name in SESSIONS if name in request.cookies), None)
    return None
