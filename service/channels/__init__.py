"""Channels: the ways out. A file each, and a line each in `KINDS`; nothing else knows which there are.

A channel that an installation has set up is a *target* of the outbox, by its name. It says whether it can reach a
recipient, and hands one letter over at a time; it keeps no order, counts no tries and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from service.channels import apprise, email, help_desk, slack, webhook
from service.channels.letter import Address, Channel
from service.config import Settings, SettingsError

INBOX = "inbox"
"""The console's own: what lies in the outbox is what it shows, so whatever goes there has arrived."""
KINDS: dict[str, Callable[[Settings], Iterable[Channel]]] = {
    "apprise": apprise.channels,
    "email": email.channels,
    "help_desk": help_desk.channels,
    "slack": slack.channels,
    "webhook": webhook.channels,
}
"""Every kind, and what makes its channels from the settings (none where it is not set up)."""
ORDER = {
    "person": ("slack", "email", "webhook", "apprise"),
    "escalations": ("slack", "webhook", "apprise"),
    "customer": ("email", "webhook", "apprise"),
    "account_manager": ("email", "slack", "webhook", "apprise"),
    "help_desk": ("help_desk", "webhook", "apprise"),
}
"""Which kinds are asked for an audience, the first that reaches the recipient takes it."""


def from_settings(settings: Settings) -> tuple[Channel, ...]:
    """Every channel that is set up. Raises SettingsError where a setting can't be taken."""
    made = tuple(channel for make in KINDS.values() for channel in make(settings))
    names = [channel.name for channel in made]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"more than one channel is named {', '.join(doubled)}")
    return made


def choose(channels: Sequence[Channel], address: Address, passed: Sequence[str] = ()) -> str | None:
    """The target for a recipient, past those that refused it. The inbox where nothing reaches them; None where
    something did, and refused."""
    for kind in ORDER[address.audience]:
        for channel in channels:
            if channel.kind == kind and channel.name not in passed and channel.reaches(address):
                return channel.name
    return None if passed else INBOX
