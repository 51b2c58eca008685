"""The measures of the review, counted anew from the history export, tickets and denials: plain Python over rows.

    python -m tests.service.replay.measures postgres://…        # each week of what a replay left there, and all of it

It shares no line with `sql/reports/`: those read escalations as they stand and history by its moves; this folds every
row of the export, oldest first, and counts what it sees.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import asyncpg
import msgspec

from service.export.lines import lines
from service.export.source import Source
from service.pages import Wanted
from service.reviews.measures import MEASURES, measured

Row = dict[str, Any]
TICKETS = """SELECT t.opened_at::text AS opened_at, c.tier FROM ticket t JOIN customer c ON c.id = t.customer_id
    WHERE t.opened_at IS NOT NULL"""
DENIALS = "SELECT at::text AS at, trigger, failed::text AS failed FROM denial"


@dataclass
class Life:
    """One escalation, as its rows tell."""

    rows: list[Row] = field(default_factory=list)
    stands: Row = field(default_factory=dict)
    highest: int = 0

    @property
    def tier(self) -> str:
        return str(self.stands["tier"])

    def when(self, name: str) -> datetime | None:
        return at(self.stands[name]) if self.stands.get(name) else None


def at(text: str) -> datetime:
    """An instant, as the export or the database writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def counted(
    rows: Iterable[Row], tickets: Iterable[Row], denials: Iterable[Row], since: datetime, until: datetime, now: datetime
) -> dict[str, list[Row]]:
    """Every measure of this window, as the API answers it. Tickets are {opened_at, tier}, denials {at, trigger,
    failed}."""

    def within(text: str | None) -> bool:
        return text is not None and since <= at(text) < until

    lives: defaultdict[str, Life] = defaultdict(Life)
    seen = list[Row]()
    for row in sorted(rows, key=lambda row: row["seq"]):
        life = lives[row["escalation_id"]]
        before = dict(life.stands)
        life.rows.append(row)
        life.stands.update(row["changed"])
        life.highest = max(life.highest, row["level"])
        if within(row["at"]):
            seen.append({**row, "before": before, "life": life, "place": len(life.rows)})
    opened = [life for life in lives.values() if within(life.stands["opened_at"])]
    ended = [life for life in lives.values() if within(life.stands.get("closed_at"))]
    called = [life for life in ended if life.highest > 0]
    return {
        "rate": _rate([t["tier"] for t in tickets if within(t["opened_at"])], [life.tier for life in opened]),
        "resolution": _resolution(called),
        "withdrawn": _withdrawn([life for life in ended if life.highest == 0]),
        "reasons": _reasons(seen),
        "satisfaction": _satisfaction(called),
        "attainment": _attainment(seen, now),
        "lateness": _lateness(seen),
        "denials": _denials([d for d in denials if within(d["at"])]),
        "coverage": _coverage(seen),
        "returns": _returns(opened, seen),
        "dismissed": _dismissed(seen),
        "handoffs": _handoffs(seen),
    }


def _of(rows: Sequence[Row], trigger: str) -> list[Row]:
    return [row for row in rows if row["trigger"] == trigger]


def _share(part: int, whole: int, places: int = 4) -> float | None:
    if not whole:
        return None
    exactly = Decimal(part) / Decimal(whole)
    return float(exactly.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _nearest(spans: Iterable[timedelta], tenths: int) -> str | None:
    """The smallest of them within which at least so many tenths lie."""
    told = sorted(spans)
    return _iso(told[-(-len(told) * tenths // 10) - 1]) if told else None


def _iso(span: timedelta) -> str:
    micros = span // timedelta(microseconds=1)
    hours, rest = divmod(micros, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    seconds = f"{rest // 1_000_000}.{rest % 1_000_000:06}".rstrip("0").rstrip(".")
    told = f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0) + f"{seconds}S" * (rest > 0)
    return "PT" + (told or "0S")


def _grouped(items: Sequence[Any], *keys: Callable[[Any], Any]) -> Iterator[tuple[Any, list[Any]]]:
    """All of them, and the groups by each key."""
    yield None, list(items)
    for key in keys:
        groups: defaultdict[Any, list[Any]] = defaultdict(list)
        for item in items:
            groups[key(item)].append(item)
        yield from groups.items()


def _rate(tickets: Sequence[str], opened: Sequence[str]) -> list[Row]:
    by_ticket, by_opened = Counter(tickets), Counter(opened)
    found: list[tuple[str | None, int, int]] = [(None, len(tickets), len(opened))]
    found += [(tier, by_ticket[tier], by_opened[tier]) for tier in {*by_ticket, *by_opened}]
    return [{"tier": tier, "tickets": t, "escalations": e, "rate": _share(e, t)} for tier, t, e in found]


def _took(life: Life) -> timedelta:
    closed, opened = life.when("closed_at"), life.when("opened_at")
    assert closed is not None
    assert opened is not None
    return closed - opened


def _resolution(called: Sequence[Life]) -> list[Row]:
    groups: list[tuple[str | None, int | None, list[Life]]] = [(None, None, list(called))]
    by: dict[tuple[str | None, int | None], list[Life]] = defaultdict(list)
    for life in called:
        for key in ((life.tier, None), (None, life.highest), (life.tier, life.highest)):
            by[key].append(life)
    groups += [(tier, level, some) for (tier, level), some in by.items()]
    return [
        {
            "tier": tier,
            "level": level,
            "closed": len(some),
            "median": _nearest(map(_took, some), 5),
            "p90": _nearest(map(_took, some), 9),
        }
        for tier, level, some in groups
    ]


def _withdrawn(ended: Sequence[Life]) -> list[Row]:
    found: list[Row] = [{"tier": None, "criterion": None, "withdrawn": len(ended)}]
    for tier, count in Counter(life.tier for life in ended).items():
        found.append({"tier": tier, "criterion": None, "withdrawn": count})
    for (tier, criterion), count in Counter((life.tier, life.stands["criterion"]) for life in ended).items():
        found.append({"tier": tier, "criterion": criterion, "withdrawn": count})
    return found


def _reasons(seen: Sequence[Row]) -> list[Row]:
    began = Counter(row["detail"]["situation"] for row in seen if row["trigger"] in ("open", "add_situation"))
    rose = Counter(row["reason"] for row in _of(seen, "escalate"))
    return [
        {"kind": kind, "reason": reason, "count": count, "share": _share(count, sum(counts.values()))}
        for kind, counts in (("situation", began), ("escalate", rose))
        for reason, count in counts.items()
    ]


def _satisfaction(called: Sequence[Life]) -> list[Row]:
    found = []
    for tier, some in _grouped(called, lambda life: life.tier):
        scores = [life.stands["csat"] for life in some if life.stands.get("csat") is not None]
        found.append(
            {
                "tier": tier,
                "closed": len(some),
                "answered": len(scores),
                "response_rate": _share(len(scores), len(some)),
                "mean": _share(sum(scores), len(scores), 2),
                "scores": [scores.count(n) for n in range(1, 6)],
            }
        )
    return found


CALLS = ("engage", "escalate", "step_down", "resume")


def _attainment(seen: Sequence[Row], now: datetime) -> list[Row]:
    answers = []
    for row in seen:
        if row["trigger"] not in CALLS or "handoff" not in row["changed"]:
            continue
        due = at({**row["before"], **row["changed"]}["respond_by"])
        later = row["life"].rows[row["place"] :]
        end = next((each for each in later if each["trigger"] in ("accept", "escalate", "de_escalate")), None)
        answers.append((row["level"], _how(end, due, now)))
    found = []
    for level, some in _grouped(answers, lambda answer: answer[0]):
        how = Counter(answer for _, answer in some)
        counts = {name: how[name] for name in ("in_time", "late", "missed", "ended", "waiting")}
        attained = _share(how["in_time"], how["in_time"] + how["late"] + how["missed"])
        found.append({"level": level, "called": len(some), **counts, "attainment": attained})
    return found


def _how(end: Row | None, due: datetime, now: datetime) -> str:
    if end is None:
        return "missed" if due <= now else "waiting"
    if end["trigger"] == "accept":
        return "in_time" if at(end["at"]) <= due else "late"
    return "missed" if due <= at(end["at"]) else "ended"


def _lateness(seen: Sequence[Row]) -> list[Row]:
    found = []
    for tier, some in _grouped(_of(seen, "engage"), lambda row: row["life"].tier):
        due = [(at(row["at"]), at(row["before"]["engage_by"])) for row in some if row["before"]["engage_by"]]
        late = [engaged - by for engaged, by in due if engaged > by]
        found.append(
            {
                "tier": tier,
                "promised": len(due),
                "unpromised": len(some) - len(due),
                "late": len(late),
                "share": _share(len(late), len(due)),
                "median": _nearest(late, 5),
                "p90": _nearest(late, 9),
                "longest": _iso(max(late)) if late else None,
            }
        )
    return found


def _denials(denials: Sequence[Row]) -> list[Row]:
    triggers = Counter(denial["trigger"] for denial in denials)
    failed = Counter(
        guard for denial in denials for guard in {f["guard"] for f in denial["failed"]} or {"no_such_move"}
    )
    found: list[Row] = [{"trigger": None, "guard": None, "count": len(denials)}]
    found += [{"trigger": trigger, "guard": None, "count": count} for trigger, count in triggers.items()]
    return found + [{"trigger": None, "guard": guard, "count": count} for guard, count in failed.items()]


def _coverage(seen: Sequence[Row]) -> list[Row]:
    skipped = Counter(level for row in seen for level in row["detail"].get("coverage_gap", ()))
    offers = (row["changed"]["handoff"] for row in seen if row["changed"].get("handoff"))
    nobody = Counter(offer["level"] for offer in offers if offer["status"] == "offered" and offer.get("to") is None)
    found: list[Row] = [{"level": None, "skipped": skipped.total(), "nobody": nobody.total()}]
    levels = {*skipped, *nobody}
    return found + [{"level": level, "skipped": skipped[level], "nobody": nobody[level]} for level in levels]


def _returns(opened: Sequence[Life], seen: Sequence[Row]) -> list[Row]:
    follows = sum(life.stands.get("follows") is not None for life in opened)
    share, resumed = _share(follows, len(opened)), len(_of(seen, "resume"))
    return [{"opened": len(opened), "follows": follows, "share": share, "resumed": resumed}]


def _dismissed(seen: Sequence[Row]) -> list[Row]:
    began = Counter(row["detail"]["situation"] for row in seen if row["trigger"] in ("open", "add_situation"))
    gone, words = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for row in _of(seen, "dismiss_situation"):
        situation = row["detail"]["situation"]
        gone[situation] += 1
        words[situation].update({word["word"] for word in row["detail"].get("words", ())})
    return [
        {"situation": name, "begun": began[name], "dismissed": gone[name], "words": dict(words[name])}
        for name in {*began, *gone}
    ]


def _handoffs(seen: Sequence[Row]) -> list[Row]:
    found = []
    for level, some in _grouped([*_of(seen, "accept"), *_of(seen, "decline")], lambda row: row["level"]):
        accepted, declined = _of(some, "accept"), _of(some, "decline")
        by_clock = [row for row in declined if row["actor"] == "clock"]
        found.append(
            {
                "level": level,
                "accepted": len(accepted),
                "unbriefed": sum(row["changed"]["handoff"]["brief"]["by"] == "clock" for row in accepted),
                "declined": len(declined) - len(by_clock),
                "passed_on": len(by_clock),
            }
        )
    return found


# Both, side by side -----------------------------------------------------------------------------------------------


def different(told: Row, wanted: dict[str, list[Row]]) -> list[str]:
    """Where an answer of the API is not what was counted; the order of rows is for people, and not compared."""
    found = []
    for name in MEASURES:
        is_, must = ({json.dumps(row, sort_keys=True) for row in rows[name]} for rows in (told, wanted))
        found += [f"{name}: answered, not counted: {row}" for row in sorted(is_ - must)]
        found += [f"{name}: counted, not answered: {row}" for row in sorted(must - is_)]
    return found


def exported(text: bytes) -> list[Row]:
    """The rows of an export."""
    return [json.loads(line) for line in text.splitlines()]


def weeks(rows: Sequence[Row]) -> list[tuple[datetime, datetime]]:
    """Each ISO week in which something happened, and the whole time."""
    if not rows:
        return []
    first, last = at(min(row["at"] for row in rows)), at(max(row["at"] for row in rows))
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    monday, found = day - timedelta(days=first.weekday()), list[tuple[datetime, datetime]]()
    while monday <= last:
        found.append((monday, monday + timedelta(days=7)))
        monday += timedelta(days=7)
    return [*found, (found[0][0], found[-1][1])]


async def compare(url: str) -> tuple[int, list[str]]:
    """How many windows of this database were compared, and where they differ."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1, server_settings={"timezone": "UTC"})
    try:
        last = await pool.fetchval("SELECT coalesce(max(seq), 0) FROM history")
        parts = [part async for part in lines(Source(pool, Wanted(), last))]
        rows = exported(b"".join(parts))
        tickets = [dict(row) for row in await pool.fetch(TICKETS)]
        denials = [{**row, "failed": json.loads(row["failed"])} for row in await pool.fetch(DENIALS)]
        found, windows = list[str](), weeks(rows)
        for since, until in windows:
            async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
                told = await measured(conn, since, until)
            wanted = counted(rows, tickets, denials, since, until, told.told_at)
            differ = different(msgspec.json.decode(msgspec.json.encode(told)), wanted)
            found += [f"{since:%Y-%m-%d}: {each}" for each in differ]
            print(f"{since:%Y-%m-%d} to {until:%Y-%m-%d}: {told.rate[0].escalations} opened, {len(differ)} differ")
    finally:
        await pool.close()
    return len(windows), found


def main(url: str) -> None:
    """Print each window; exit 1 where one differs."""
    windows, found = asyncio.run(compare(url))
    for each in found[:50]:
        print(each)
    print(f"{windows} windows, each of {len(MEASURES)} measures: {len(found)} rows differ")
    if found or not windows:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1])
