"""Everything else: whatever Apprise speaks (the extra `apprise`), as text and nothing more.

`apprise` in the settings lists ways out: a name, Apprise's URL, and which audiences it takes. Where a URL leads is the
operator's word: Apprise has no guard of ours at its sockets. It says whether a message was taken, not why it was not,
so what was not is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from service.channels.letter import Address, Channel, Later, Letter, Together
from service.config import AppriseTarget, Settings, SettingsError

_MENTION = re.compile(r"([@<])")


def channels(settings: Settings) -> Iterable[Channel]:
    """One for each way out that is set up. Raises SettingsError where Apprise is not there, or knows no such URL."""
    if not settings.apprise:
        return
    try:
        import apprise  # it takes a third of a second, and is an extra: only where it is used
    except ImportError:
        raise SettingsError(
            "ESCALATION_APPRISE is set, but Apprise is not installed: install escalation-matrix[apprise], or unset it"
        ) from None
    for each in settings.apprise:
        notifier = apprise.Apprise()
        if not notifier.add(each.url):
            raise SettingsError(f"ESCALATION_APPRISE: Apprise knows no such URL as that of {each.name!r}")
        yield AppriseChannel(each, notifier, apprise.NotifyFormat.TEXT)


def escape(text: str) -> str:
    """Text that mentions nobody, wherever it is shown."""
    return _MENTION.sub("\\1\u2060", text)


class AppriseChannel:
    """One way out."""

    kind = "apprise"
    together: Together = "collected"
    slots = 4

    def __init__(self, target: AppriseTarget, notifier: Any, as_text: Any) -> None:
        self._audiences, self._notifier, self._as_text = target.audiences, notifier, as_text
        self.name = f"apprise:{target.name}"

    def reaches(self, address: Address) -> bool:
        """Whoever belongs to an audience of its."""
        return address.audience in self._audiences

    async def send(self, letter: Letter) -> None:
        """Hand it to Apprise."""
        wording = letter.wording(escape)
        taken = await self._notifier.async_notify(body=wording.text, title=wording.subject, body_format=self._as_text)
        if not taken:
            raise Later("Apprise says that it was not taken")

    async def close(self) -> None:
        """Nothing is held."""
