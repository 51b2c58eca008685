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

from tests.chaos.check import Checked, check
from tests.chaos.client import Client
from tests.chaos.ledger import Ledger
from tests.chaos.town import Postgres, Service, postgres_in, settle

GROUP = 5
"""Kills between two checks."""
SERVES_WITHIN = 60.0
KEPT = 200
"""Findings of each kind that JSON has."""
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
class Report:
    """What a run came to."""

    plan: Plan
    kills: list[Kill] = field(default_factory=list)
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    turned_away: int = 0
    left_unknown: int = 0
    applied_unknown: int = 0
    changes: int = 0
    lost: int = 0
    checks: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing found, nobody told what can't be."""
        return not (self.lost or self.findings or self.wrong)

    def spans(self, victim: Victim) -> list[float]:
        """Seconds until served again, after each kill of this."""
        return [kill.serving for kill in self.kills if kill.victim == victim]

    def count(self, ledger: Ledger) -> None:
        """Take over what the clients counted."""
        tries = ledger.tries
        self.acknowledged, self.refused = tries["acknowledged"], tries["refused"]
        self.unknown, self.turned_away = tries["unknown"], tries["turned_away"]
        self.left_unknown = sum(change.fate == "unknown" for change in ledger.settled())
        self.wrong = list(ledger.wrong)

    def checked(self, found: Checked) -> None:
        """Take over what a check found; each looks at everything since the beginning."""
        self.checks += 1
        self.changes, self.lost, self.applied_unknown = found.changes, found.lost, found.applied_unknown
        self.findings += [finding for finding in found.findings if finding not in self.findings]

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        names = (
            "acknowledged",
            "refused",
            "unknown",
            "turned_away",
            "left_unknown",
            "applied_unknown",
            "lost",
            "checks",
        )
        return {
            "seed": self.plan.seed,
            "clients": self.plan.clients,
            "seconds": round(self.seconds, 1),
            **{name: getattr(self, name) for name in names},
            "sound": self.sound,
            "findings": self.findings[:KEPT],
            "wrong": self.wrong[:KEPT],
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
        table.add_row("acknowledged", str(self.acknowledged), f"of {self.changes} changes, in {self.seconds:.0f} s")
        table.add_row("refused", str(self.refused), "each with one denial, none of them there")
        table.add_row("no answer, or unknown", str(self.unknown), "repeated under the same key, or left unknown")
        table.add_row("turned away", str(self.turned_away), "nobody listened, or 503: it did not happen")
        table.add_row("left unknown", str(self.left_unknown), f"{self.applied_unknown} of them had happened, once")
        table.add_row("lost", str(self.lost), "")
        table.add_row("findings", str(len(self.findings) + len(self.wrong)), f"V1 to V7, in {self.checks} checks")
        return table


async def chaos(plan: Plan, directory: Path, told: Callable[[Report, str], None]) -> Report:
    """Run the plan in this directory. `told` hears of every step."""
    report, ledger, rng = Report(plan), Ledger(), random.Random(plan.seed)
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
