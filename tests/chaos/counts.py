"""What any run of the harness counts, whatever it breaks: what clients were told, and what checks found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.chaos.check import Checked
from tests.chaos.ledger import Ledger

KEPT = 200
"""Findings of each kind that JSON has."""


@dataclass
class Counts:
    """`left_unknown` changes were given up without an answer; `applied_unknown` of them had happened."""

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

    def counted(self) -> dict[str, Any]:
        """All of it, as JSON."""
        names = ("acknowledged", "refused", "unknown", "turned_away", "left_unknown", "applied_unknown", "lost")
        return {
            "seconds": round(self.seconds, 1),
            **{name: getattr(self, name) for name in (*names, "checks")},
            "sound": self.sound,
            "findings": self.findings[:KEPT],
            "wrong": self.wrong[:KEPT],
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """All of it, as rows of a table for people."""
        return [
            ("acknowledged", str(self.acknowledged), f"of {self.changes} changes, in {self.seconds:.0f} s"),
            ("refused", str(self.refused), "each with one denial, none of them there"),
            ("no answer, or unknown", str(self.unknown), "repeated under the same key, or left unknown"),
            ("turned away", str(self.turned_away), "nobody listened, or 503: it did not happen"),
            ("left unknown", str(self.left_unknown), f"{self.applied_unknown} of them had happened, once"),
            ("lost", str(self.lost), ""),
            ("findings", str(len(self.findings) + len(self.wrong)), f"V1 to V7, in {self.checks} checks"),
        ]
