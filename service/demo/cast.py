"""The cast: who plays in the demo, and the customers that the incidents belong to."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from machines.values import ROLE_LEVEL, Role, Tier
from service.demo.incidents import Incident


class Member(Struct, frozen=True):
    """A principal with an API key; people are on the roster too. `level` is None for those who have none."""

    id: str
    name: str
    role: Role

    @property
    def level(self) -> int | None:
        """0 (the agent) to 4; None for a service, an auditor, an admin."""
        return ROLE_LEVEL.get(self.role)


CAST = (
    Member("help-desk", "The help desk's own software", "service"),
    Member("ada-admin", "Ada, who looks after the roster", "admin"),
    Member("otto-auditor", "Otto, who may read everything", "auditor"),
    Member("ines", "Ines", "agent"),
    Member("jonas", "Jonas", "agent"),
    Member("leila", "Leila", "agent"),
    Member("marco", "Marco", "agent"),
    Member("nadia", "Nadia", "agent"),
    Member("petr", "Petr", "agent"),
    Member("lead-amir", "Amir, Support Team Lead", "lead"),
    Member("lead-birgit", "Birgit, Support Team Lead", "lead"),
    Member("lead-chen", "Chen, Support Team Lead", "lead"),
    Member("manager-dora", "Dora, Engineering Manager", "manager"),
    Member("manager-emil", "Emil, Engineering Manager", "manager"),
    Member("manager-farah", "Farah, Engineering Manager", "manager"),
    Member("director-greta", "Greta, Director of Support", "director"),
    Member("director-hugo", "Hugo, Director of Engineering", "director"),
    Member("vp-irina", "Irina, VP Engineering", "executive"),
    Member("vp-jamal", "Jamal, VP Support", "executive"),
)
DESK, ADMIN, AUDITOR = "help-desk", "ada-admin", "otto-auditor"
PEOPLE = tuple(member for member in CAST if member.level is not None)


def at_level(level: int) -> tuple[str, ...]:
    """Who is of this level, by id."""
    return tuple(member.id for member in PEOPLE if member.level == level)


def level_of(person: str) -> int:
    """A person's level."""
    return next(member.level or 0 for member in PEOPLE if member.id == person)


class Customer(Struct, frozen=True):
    """A location of the incidents, as a customer."""

    id: str
    name: str
    tier: Tier
    contact: str
    account_manager: str | None


def customer_of(incident: Incident) -> Customer:
    """The customer of an incident. Addresses end in `.example`: they reach nobody, by RFC 2606."""
    known = incident.location != "?"
    name = f"Location {incident.location}" if known else "Location unknown"
    slug = name.lower().replace(" ", "-")
    manager = f"am-{slug}" if incident.tier == "enterprise" else None
    return Customer(slug, name, incident.tier, f"it@{slug}.example", manager)


def customers_of(incidents: Iterable[Incident]) -> tuple[Customer, ...]:
    """Each customer of these incidents once, by id."""
    found = {customer.id: customer for customer in map(customer_of, incidents)}
    return tuple(found[name] for name in sorted(found))
