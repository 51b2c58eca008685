"""History as files: whole, filtered like the list, harmless to what opens them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pytest
from pyarrow.parquet import read_table

from machines.history import Record, digest
from service.export import NEEDS, Source
from service.pages import Wanted
from tests.service.conftest import Service

NASTY = '=HYPERLINK("http://evil.example") <b>&"\'\x08 ]]>'
XES = "{http://www.xes-standard.org/}"


async def lives(service: Service) -> list[str]:
    """Two escalations, one of which somebody writes something nasty on."""
    one, to = await service.held("T-1")
    two = await service.opened("T-2")
    (await service.act(to, one, "note", text=NASTY)).ok(201)
    return [one, two]


async def exported(service: Service, query: str = "") -> bytes:
    """The whole body; its type is what was asked for."""
    told = await service.call("aud", "GET", f"/v1/history/export{query}")
    told.ok()
    return told.raw


async def history(service: Service, query: str = "") -> list[Any]:
    """What the list says."""
    return list((await service.call("aud", "GET", f"/v1/history?limit=500{query}")).ok()["items"])


async def test_lines_hold_all_that_the_hashes_are_over(service: Service):
    await lives(service)
    told = [json.loads(line) for line in (await exported(service)).splitlines()]
    assert [row["hash"] for row in told] == [row["hash"] for row in await history(service)]
    for row in told:
        record = msgspec.convert(row, Record, strict=False)
        assert digest(record) == row["hash"]
    assert [row["text"]["text"] for row in told if row["trigger"] == "note"] == [NASTY]


@pytest.mark.parametrize("name", ["ticket_id", "customer_id", "actor", "trigger", "from", "to", "escalation_id"])
async def test_every_filter_of_the_list_is_one_of_the_file(service: Service, name: str):
    await lives(service)
    values = {str(row[name]) for row in await history(service)} - {"None"}
    for value in values:
        told = [json.loads(line)["seq"] for line in (await exported(service, f"?{name}={value}")).splitlines()]
        assert told == [row["seq"] for row in await history(service, f"&{name}={value}")]


async def test_a_table_has_no_formula_in_it(service: Service):
    await lives(service)
    rows = list(csv.DictReader(io.StringIO((await exported(service, "?format=csv")).decode(), newline="")))
    wanted = await history(service)
    assert [row["hash"] for row in rows] == [row["hash"] for row in wanted]
    assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@\t\r\n")]
    (note,) = [row for row in rows if row["trigger"] == "note"]
    assert json.loads(note["detail"])["text"] == NASTY


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
async def test_what_people_named_like_a_formula_is_quoted_in_a_table(service: Service, begins: str):
    ticket, who = f'{begins}HYPERLINK("x")', f"{begins}cmd|'/c calc'!A0"
    await service.person(who, "agent")
    await service.ticket(quote(ticket, safe=""))
    await service.opened_on(ticket, who)
    rows = list(csv.DictReader(io.StringIO((await exported(service, "?format=csv")).decode(), newline="")))
    assert {row["ticket_id"] for row in rows} == {f"'{ticket}"}
    assert f"'{who}" in {row["actor"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell[:1] == begins]


async def test_a_log_for_process_mining_has_a_trace_for_each_escalation(service: Service):
    which = await lives(service)
    log = ET.fromstring(await exported(service, "?format=xes"))  # our own
    traces = {_value(trace, "concept:name"): trace for trace in log.findall(f"{XES}trace")}
    assert traces.keys() == set(which)
    for id_, trace in traces.items():
        events = [_value(event, "concept:name") for event in trace.findall(f"{XES}event")]
        assert events == [row["trigger"] for row in await history(service, f"&escalation_id={id_}")]


def _value(element: ET.Element, key: str) -> str:
    (found,) = [child.attrib["value"] for child in element if child.attrib.get("key") == key]
    return found


async def test_a_log_of_objects_names_every_object_that_its_events_are_about(service: Service):
    await lives(service)
    log = json.loads(await exported(service, "?format=ocel"))
    assert [event["type"] for event in log["events"]] == [row["trigger"] for row in await history(service)]
    about = {each["objectId"] for event in log["events"] for each in event["relationships"]}
    assert {thing["id"] for thing in log["objects"]} == about
    assert {thing["type"] for thing in log["objects"]} == {"escalation", "ticket", "customer", "person"}
    assert {event["type"] for event in log["events"]} <= {kind["name"] for kind in log["eventTypes"]}


async def test_a_data_frame_has_every_row_with_its_types(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["service.export.parquet"], "GROUP", 1)
    await lives(service)
    told = read_table(pa.BufferReader(await exported(service, "?format=parquet")))
    wanted = await history(service)
    assert [row["hash"] for row in told.to_pylist()] == [row["hash"] for row in wanted]
    for row, listed in zip(told.to_pylist(), wanted, strict=True):
        same = {name: value for name, value in listed.items() if name not in ("at", "detail")}
        assert {name: row[name] for name in same} == same
        assert row["at"] == datetime.fromisoformat(listed["at"])
        assert json.loads(row["detail"]) == listed["detail"]
    only = read_table(pa.BufferReader(await exported(service, "?format=parquet&trigger=note")))
    assert [json.loads(row["detail"])["text"] for row in only.to_pylist()] == [NASTY]


async def test_a_service_without_the_extra_says_how_to_get_it(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(NEEDS, "parquet", "pyarrow_that_is_not_there")
    told = await service.call("aud", "GET", "/v1/history/export?format=parquet")
    assert told.fields() == {"format"}
    assert "pip install 'escalation-matrix[parquet]'" in told.body["problems"][0]["message"]
    assert (await exported(service)) == b""


def test_the_extra_is_loaded_by_nobody_who_does_not_ask_for_it():
    asked = "import sys, service.app; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


@pytest.mark.parametrize("format_", ["ndjson", "csv", "xes", "ocel", "parquet"])
async def test_an_empty_history_is_a_whole_file_too(service: Service, format_: str):
    told = await exported(service, f"?format={format_}")
    if format_ == "xes":
        assert ET.fromstring(told).findall(f"{XES}trace") == []  # our own
    elif format_ == "ocel":
        assert json.loads(told)["events"] == []
    elif format_ == "parquet":
        assert read_table(pa.BufferReader(told)).num_rows == 0
    else:
        assert len(told.splitlines()) == (format_ == "csv")


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_pages_of_any_size_make_the_same_file(service: Service, limit: int):
    await lives(service)
    wanted, last = Wanted(), await service.db.fetchval("SELECT max(seq) FROM history")
    pool: Any = _Pool(service)
    source = Source(pool, wanted, last, limit)
    lines = "".join([text async for text, _ in source.lines()]).splitlines()
    rows = [row.hash async for page in source.rows() for row in page]
    chains = [(row.escalation_id, row.version) async for page in source.chains() for row in page]
    assert [json.loads(line)["hash"] for line in lines] == rows == [r["hash"] for r in await history(service)]
    assert chains == sorted(chains)
    assert len(chains) == len(rows)


class _Pool:
    """One connection for whoever asks."""

    def __init__(self, service: Service) -> None:
        self._conn = service.db

    async def acquire(self, timeout: float) -> Any:  # as a pool has it
        assert timeout > 0
        return self._conn

    async def release(self, conn: Any) -> None:
        assert conn is self._conn


async def test_rows_above_the_number_are_left_for_the_next(service: Service):
    await lives(service)
    pool: Any = _Pool(service)
    second = (await history(service))[1]["seq"]
    assert [n async for _, n in Source(pool, Wanted(), second).lines()] == [2]
