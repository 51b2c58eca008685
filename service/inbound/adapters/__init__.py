"""Adapters: a help desk's own payload as the facts of a ticket. One file each, listed here by the name in its route.

An adapter is a function from the payload (JSON, an object) to what it tells of a ticket, None where it is about none.
Where it raises KeyError, ValueError or TypeError, the payload is not what that help desk sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.inbound.adapters.freshdesk import freshdesk
from service.inbound.adapters.jira import jira
from service.inbound.adapters.opsgenie import opsgenie
from service.inbound.adapters.pagerduty import pagerduty
from service.inbound.adapters.told import Told
from service.inbound.adapters.zammad import zammad
from service.inbound.adapters.zendesk import zendesk

ADAPTERS: dict[str, Callable[[dict[str, Any]], Told | None]] = {
    "zammad": zammad,
    "zendesk": zendesk,
    "freshdesk": freshdesk,
    "pagerduty": pagerduty,
    "jira": jira,
    "opsgenie": opsgenie,
}
