"""The run: load, kills in a seeded order, checks after each group, and the report."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from tests.chaos.check import check
from tests.chaos.client import Client
from tests.chaos.counts import Counts
from tests.chaos.ledger import Ledger
from tests.chaos.town import Postgres, Service, postgres_in, settle

GROUP = 5
"""Kills between two checks."""
SERVES_WITHIN = 60.0
Victim = Literal["service", "postgres"]


@dataclass(frozen=True)
class Plan:
    """What is to be done. `seconds`: mean time under load before each kill."""

    kills: int
    postgres_kills: int
    seed: int
    clients: int = 12
    seconds: float = 1.0

    @property
    def total(self) -> int:
        """All kills."""
        return self.kills + self.postgres_kills


@dataclass(frozen=True)
class Kill:
    """One kill: `serving` and `accepting` are seconds from it to the next acknowledged change, and to the next
    connection that Postgres took (None: it was the service)."""

    victim: Victim
    serving: float
    accepting: float | None = None


@dataclass
class Report(Counts):
    """What a run came to."""

    plan: Plan = field(kw_only=True)
    kills: list[Kill] = field(default_factory=list)

    def spans(self, victim: Victim) -> list[float]:
        """Seconds until served again, after each kill of this."""
        return [kill.serving for kill in self.kills if kill.victim == victim]

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "seed": self.plan.seed,
            "clients": self.plan.clients,
            **self.counted(),
            "kills": {"service": self._figures("service"), "postgres": self._figures("postgres")},
        }

    def _figures(self, victim: Victim) -> dict[str, Any]:
        spans = self.spans(victim)
        after = [kill.serving - kill.accepting for kill in self.kills if kill.accepting is not None]
        figures: dict[str, Any] = {"kills": len(spans)}
        if spans:
            figures |= {"serving_median_s": round(statistics.median(spans), 2), "serving_max_s": round(max(spans), 2)}
        if victim == "postgres" and after:
            figures["serving_after_accepting_max_s"] = round(max(0.0, *after), 2)
        return figures

    def table(self) -> Table:
        """The report for people."""
        table = Table(
            title=f"chaos, seed {self.plan.seed}: {'sound' if self.sound else 'NOT SOUND'}", show_header=False
        )
        for victim in ("service", "postgres"):
            figures = self._figures(victim)
            spans = ""
            if self.spans(victim):
                spans = (
                    f"serving again after {figures['serving_median_s']} s (median), {figures['serving_max_s']} s (max)"
                )
            if "serving_after_accepting_max_s" in figures:
                spans += f"; {figures['serving_after_accepting_max_s']} s (max) after it accepted"
            table.add_row(f"kill -9 of the {victim}", str(figures["kills"]), spans)
        for row in self.rows():
            table.add_row(*row)
        return table


async def chaos(plan: Plan, directory: Path, told: Callable[[Report, str], None]) -> Report:
    """Run the plan in this directory. `told` hears of every step."""
    report, ledger, rng = Report(plan=plan), Ledger(), random.Random(plan.seed)
    victims: list[Victim] = ["service" for _ in range(plan.kills)]
    victims += ["postgres" for _ in range(plan.postgres_kills)]
    rng.shuffle(victims)
    began = time.monotonic()
    async with postgres_in(directory / "postgres") as postgres:
        keys = await settle(postgres.url)
        service = Service(postgres.url, directory / "service.log")
        await service.start()
        clients = [Client(n, plan.seed, service.base, keys, ledger) for n in range(plan.clients)]
        lives = [asyncio.create_task(client.run()) for client in clients]
        try:
            for number, victim in enumerate(victims, start=1):
                told(report, "under load")
                await asyncio.sleep(plan.seconds * rng.uniform(0.3, 1.7))
                told(report, f"kill -9 of the {victim}")
                report.kills.append(await _kill(victim, service, postgres, ledger))
                report.count(ledger)
                if number % GROUP == 0:
                    told(report, "checking")
                    report.checked(await check(postgres.url, ledger.settled()))
            for client in clients:
                client.stopping = True
            told(report, "ending the last lives")
            await asyncio.gather(*lives)
            told(report, "checking")
            report.count(ledger)
            report.checked(await check(postgres.url, ledger.settled()))
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
            await service.stop()
    report.seconds = time.monotonic() - began
    told(report, "done")
    return report


async def _kill(victim: Victim, service: Service, postgres: Postgres, ledger: Ledger) -> Kill:
    killed_at = time.monotonic()
    async with asyncio.timeout(SERVES_WITHIN):
        if victim == "service":
            await service.kill()
            killed_at = time.monotonic()
            await service.start()
            return Kill(victim, await ledger.since(killed_at) - killed_at)
        postgres.kill()
        killed_at = time.monotonic()
        serving = asyncio.ensure_future(ledger.since(killed_at))
        await postgres.accepts()
        accepting = time.monotonic() - killed_at
        return Kill(victim, await serving - killed_at, accepting)
