"""Every page of the console, once: what is asked of all pages is asked of those that stand here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page: its address, in which `{e}` is an escalation's id and `{t}` its ticket's; the heading by which it is
    known; and who looks at it, nobody where it is for whoever is not signed in."""

    path: str
    heading: str
    who: str | None = "lee"


PLACES = (
    Place("/sign-in", "Sign in", None),
    Place("/sign-in/oidc/back?state=another", "Not signed in", None),
    Place("/", "Board"),
    Place("/?state=l2&tier=enterprise", "Board"),
    Place("/?tier=gold", "Not filtered"),
    Place("/escalations/new?ticket={t}", "New escalation"),
    Place("/escalations/{e}", "Where it stands"),
    Place("/escalations/{e}/escalate", "What you can do", "mia"),
    Place("/escalations/nothing", "Not found"),
    Place("/matrix", "Matrix"),
    Place("/matrix/diff", "Matrix"),
    Place("/matrix/try?tier=enterprise&priority=p1&opened_at=2026-01-05T09:00:00Z", "Matrix"),
    Place("/matrix/moves", "Matrix", "root"),
    Place("/history", "History"),
    Place("/history?as_of=2199-01-01T00:00:00Z&level=9", "History"),
    Place("/reviews", "Weekly reviews"),
    Place("/reviews/2026-W01", "Review 2026-W01"),
)
