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
)
