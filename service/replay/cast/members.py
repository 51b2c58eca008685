"""Who is in the cast, and their roles: they play; the tickets are whatever is replayed."""

from __future__ import annotations

from msgspec import Struct

from machines.values import ROLE_LEVEL, Role


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
