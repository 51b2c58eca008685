"""Measures for Prometheus, in a registry of this application's own. Labels are routes and numbers, never people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds."""
LATENESS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Seconds."""

FULL = (
    ("connections", "escalation_connections", "Connections of callers"),
    ("commands", "escalation_commands_waiting", "Commands that wait for a batch"),
    ("reads", "escalation_reads", "Connections to the database that read"),
)
"""What has a limit, told when it is asked for."""


class Metrics:
    """What this process counts. With several workers, each answers for itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor time, file descriptors
        self._answered = Histogram(
            "escalation_request_seconds",
            "Requests answered, and how long each took.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._fired = Histogram(
            "escalation_timer_lateness_seconds",
            "Timers that fired here, and how long after their due instant each was committed.",
            ("kind",),
            buckets=LATENESS,
            registry=self.registry,
        )
        self._in_vain = Counter(
            "escalation_timers_fired_in_vain",
            "Timers handed in here that changed nothing: another node was first, or they could not be decided.",
            ("kind",),
            registry=self.registry,
        )
        self._late = Gauge(
            "escalation_timers_late_seconds", "By how much the oldest due timer is late now.", registry=self.registry
        )
        self._sent = Histogram(
            "escalation_message_seconds",
            "Tries to hand a message over, what came of each, and how long it took.",
            ("kind", "outcome"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._delivered = Histogram(
            "escalation_message_delivered_seconds",
            "Messages handed over, and how long after their transition.",
            ("kind",),
            buckets=LATENESS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "escalation_messages_waiting", "Messages that wait, by target.", ("target",), registry=self.registry
        )
        self._oldest = Gauge(
            "escalation_messages_oldest_seconds",
            "For how long the oldest message for a target has waited.",
            ("target",),
            registry=self.registry,
        )
        self._replica = Counter(
            "escalation_replica_reads",
            "Reads for the replica, by whether it served them, or why the primary did.",
            ("state",),
            registry=self.registry,
        )
        self._full = {
            what: (self._gauge(name, f"{text}."), self._gauge(f"{name}_most", f"{text}, at most."))
            for what, name, text in FULL
        }
        self._audited = Counter(
            "escalation_audit_slices", "Slices that the auditor looked at here.", ("part",), registry=self.registry
        )
        self._findings = Counter(
            "escalation_audit_findings",
            "Broken invariants that it found here, once a round each.",
            ("claim",),
            registry=self.registry,
        )
        self._found = Gauge(
            "escalation_audit_found",
            "Broken invariants in its last whole round and the one going on, on any node.",
            registry=self.registry,
        )
        self._late_timers = Gauge(
            "escalation_audit_late_timers",
            "Timers that are later than they may be, counted up to 20.",
            registry=self.registry,
        )
        self._looked = Gauge(
            "escalation_audit_looked_timestamp_seconds", "When any node last looked at a slice.", registry=self.registry
        )
        self._round = Gauge(
            "escalation_audit_round_timestamp_seconds",
            "When everything had last been looked at; 0: not yet.",
            registry=self.registry,
        )
        self._beats = Counter(
            "escalation_heartbeats", "Heartbeats, and what came of each.", ("outcome",), registry=self.registry
        )
        self._known: dict[tuple[str, str, int], Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request to this route was answered. `route` is its template, so that ids stay out of the labels."""
        which = (method, route, status)
        if which not in self._known:
            self._known[which] = self._answered.labels(method, route, str(status))
        self._known[which].observe(seconds)

    def fired(self, kind: str, late: float) -> None:
        """A timer fired, so many seconds after it was due."""
        self._fired.labels(kind).observe(max(0.0, late))

    def fired_in_vain(self, kind: str) -> None:
        """A timer was handed in, and nothing came of it."""
        self._in_vain.labels(kind).inc()

    def late(self, seconds: float) -> None:
        """How late the oldest due timer is."""
        self._late.set(seconds)

    def sent(self, channel: str, outcome: str, seconds: float) -> None:
        """A try to hand a message over took so long, and ended so."""
        self._sent.labels(channel, outcome).observe(seconds)

    def delivered(self, channel: str, late: float) -> None:
        """A message was handed over, so many seconds after it was planned."""
        self._delivered.labels(channel).observe(max(0.0, late))

    def waiting(self, by_target: dict[str, tuple[int, float]]) -> None:
        """How many messages wait for each target, and for how many seconds the oldest has."""
        self._waiting.clear()
        self._oldest.clear()
        for target, (planned, oldest) in by_target.items():
            self._waiting.labels(target).set(planned)
            self._oldest.labels(target).set(oldest)

    def read_from_replica(self, state: str) -> None:
        """The replica served a read, or was in another state than to do so."""
        self._replica.labels(state).inc()

    def audited(self, part: str, claims: Iterable[str]) -> None:
        """The auditor looked at a slice here, and found these claims broken."""
        self._audited.labels(part).inc()
        for claim in claims:
            self._findings.labels(claim).inc()

    def audit_stands(self, found: int, looked_at: datetime | None, round_at: datetime | None) -> None:
        """What the audit has found, and when it looked, on whatever node."""
        self._found.set(found)
        self._looked.set(looked_at.timestamp() if looked_at else 0)
        self._round.set(round_at.timestamp() if round_at else 0)

    def audit_late(self, timers: int) -> None:
        """So many timers are later than they may be."""
        self._late_timers.set(timers)

    def beat(self, outcome: str) -> None:
        """A heartbeat was heard, not taken, or withheld."""
        self._beats.labels(outcome).inc()

    def full(self, what: str, now: int, most: int) -> None:
        """How much there is now of something that has a limit: `what` is one of `FULL`."""
        for gauge, value in zip(self._full[what], (now, most), strict=True):
            gauge.set(value)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)


METRICS = web.AppKey("metrics", Metrics)
__all__ = ["CONTENT_TYPE", "METRICS", "Metrics"]
