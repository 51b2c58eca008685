"""OWASP API7:2023, server side request forgery: nothing that a caller writes is fetched.

What operators and admins name (webhooks, calendars, the witness) and its private addresses:
`tests/service/channels/test_webhook.py`, `tests/service/rotas/test_keep.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from service.routes.examples import CONTACT, CUSTOMER, TICKET, TRANSITIONS
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def trap() -> AsyncIterator[tuple[str, list[str]]]:
    """An address on loopback, and who came there."""
    came: list[str] = []

    async def caught(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(caught, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    server.close()


async def test_no_url_that_a_caller_writes_anywhere_is_ever_fetched(
    shared_service: Service, trap: tuple[str, list[str]]
) -> None:
    url, came = trap
    host = url.removeprefix("http://").rstrip("/")
    markup = f'{url} <{url}|x> [x]({url}) <img src="{url}"> <!ENTITY x SYSTEM "{url}"> ${{jndi:ldap://{host}/a}}'
    facts = TICKET | {"subject": markup, "description": markup, "product": url, "tags": [url], "issue_key": url}
    (await shared_service.call("desk", "PUT", "/v1/tickets/T-1", facts | {"customer_id": "acme"})).ok()
    said = CONTACT | {"subject": markup, "body": markup, "sender": f"boss@{host}"}
    assert (await shared_service.call("desk", "POST", "/v1/tickets/T-1/contacts", said)).status == 201
    (await shared_service.call("desk", "PUT", "/v1/customers/c-1", CUSTOMER | {"name": markup})).ok()
    escalation = await shared_service.opened("T-2")
    (await shared_service.act("ann", escalation, "note", text=markup)).ok(201)
    mail = f"From: boss@acme.example\nSubject: [#T-1] x\nList-Unsubscribe: <{url}>\nX-Image-URL: {url}\n\n{markup}\n"
    told = await shared_service.call(
        "desk", "POST", "/v1/inbound/email", raw=mail.encode(), Content_Type="message/rfc822"
    )
    assert told.status in (201, 202)
    for name in ("Host", "X_Forwarded_Host", "Referer", "Origin", "X_Request_Id", "Last_Event_ID", "X_Callback_Url"):
        told_so: dict[str, Any] = {name: host if "ost" in name else url}
        await shared_service.call("ann", "GET", "/v1/history", **told_so)
    for trigger in ("update_customer", "escalate"):
        fields = {name: value for name, value in TRANSITIONS[trigger].items() if name != "trigger"}
        fields |= {"text": markup} if trigger == "update_customer" else {"reason": markup}
        await shared_service.act("ann", escalation, trigger, **fields)
    # Whatever had been begun meanwhile would be here before this connection of our own.
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
    await reader.read()
    writer.close()
    assert len(came) == 1
