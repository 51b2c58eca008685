"""The policy is total: what is missing or wrong is found, all of it at once. `domain.md`, "The default policy"."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from machines.document import SITUATIONS, TIERS, WORDED, Document
from machines.matrix import Policy, PolicyError, check, default_text, dump, load, parse
from tests.machines.cast import HOUR, MINUTE, NOW, POLICY

DAY = timedelta(days=1)


READ = tomllib.loads(default_text())


def document() -> dict[str, Any]:
    """The default's, to be changed."""
    return deepcopy(READ)


def findings(document: dict[str, Any]) -> list[str]:
    """What the check says of this policy file."""
    try:
        check(msgspec.convert(document, Document, strict=False))
    except PolicyError as error:
        return error.findings
    return []


def told_of(document: dict[str, Any]) -> list[str]:
    """What reading this file says."""
    with pytest.raises(PolicyError) as error:
        parse(_toml(document))
    return error.value.findings


def at(document: Any, path: str) -> tuple[Any, str]:
    *way, last = path.split("/")
    for name in way:
        document = document[int(name) if name.isdigit() and isinstance(document, list) else name]
    return document, last


def put(path: str, value: Any) -> list[str]:
    told = document()
    parent, last = at(told, path)
    parent[last] = value
    return findings(told)


def without(path: str) -> list[str]:
    told = document()
    parent, last = at(told, path)
    del parent[last]
    return findings(told)


def test_the_default_policy_is_whole():
    assert findings(document()) == []
    assert isinstance(parse(default_text()), Policy)


# What is missing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_missing_situation_is_found(situation):
    assert without(f"matrix/{situation}") == [f"matrix.{situation} is missing"]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_missing_cell_is_found(situation):
    told = document()
    del told["matrix"][situation]
    told["matrix"][situation] = {"kind": "manual"}
    assert told_of(told) == [f"matrix.{situation}.{tier} is missing" for tier in TIERS]


@pytest.mark.parametrize("n", "1234")
def test_a_missing_level_is_found(n):
    assert without(f"levels/{n}") == [f"levels.{n} is missing"]


@pytest.mark.parametrize("tier", TIERS)
def test_missing_updates_are_found(tier):
    assert without(f"updates/{tier}") == [f"updates.{tier} is missing"]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("priority", ["p0", "p1", "p2", "p3"])
def test_a_missing_sla_target_is_found(tier, priority):
    assert without(f"sla/{tier}/{priority}") == [f"sla.{tier}.{priority} is missing"]


def test_a_missing_tier_of_the_sla_is_four_findings():
    assert len(without("sla/starter")) == 4


@pytest.mark.parametrize("tier", TIERS)
def test_a_missing_calendar_is_found(tier):
    assert without(f"calendars/{tier}") == [f"calendars.{tier} is missing"]


@pytest.mark.parametrize("clock", ["first_response", "resolution"])
def test_a_missing_clock_is_found(clock):
    assert without(f"clocks/{clock}") == [f"clocks.{clock} is missing"]


@pytest.mark.parametrize("channel", ["reply", "call", "account_manager", "emergency"])
def test_a_missing_channel_is_found(channel):
    assert without(f"channels/{channel}") == [f"channels.{channel} is missing"]


# What is wrong ----------------------------------------------------------------------------------------------------


WRONG = """
matrix/p0_outage/starter/level          5      .level must be 0 (none) to 4, not 5
matrix/p0_outage/starter/level          -1     .level must be 0 (none) to 4, not -1
matrix/p0_outage/starter/within         -PT1S  .within must be between 0 and a year
matrix/p0_outage/starter/within         P400D  .within must be between 0 and a year
matrix/p1_unresolved/enterprise/after   -PT1H  .after must be between 0 and a year
matrix/security_flag/emergency/level    7      .level must be 0 (none) to 4, not 7
matrix/p1_unresolved/starter/within     PT1H   p1_unresolved.starter leads nowhere, so it can't promise a time
matrix/executive_visibility/starter/within PT1H .within must be PT0S: nobody waits for a manual reason
matrix/p0_outage/kind                   manual p0_outage is automatic, not manual
matrix/customer_request/kind            manual customer_request is customer, not manual
levels/1/respond_within                 -PT1H  .respond_within must be between 0 and a year
levels/2/name                           _      .name is blank
updates/starter/every                   PT1S   .every must be between a minute and a year
updates/starter/every                   P500D  .every must be between a minute and a year
sla/starter/p0/resolution               PT0S   must have spans above 0 and up to a year
sla/starter/p0/first_response           P2D    wants the first response after the resolution
repeats/reports                         1      .reports must be at least 2: one report is no repetition
repeats/within                          PT0S   .within must be above 0 and up to a year
repage/0/every                          PT1S   .every must be at least a minute
repage/1/until                          PT30M  .until must rise from band to band
"""


@pytest.mark.parametrize("row", WRONG.strip().splitlines())
def test_what_makes_no_sense_is_found(row):
    path, value, finding = row.split(maxsplit=2)
    number = value.lstrip("-").isdigit()
    found = put(path, int(value) if number else value.replace("_", " "))
    assert any(line.endswith(finding) and line.startswith(path.split("/")[0]) for line in found), found


BUSINESS = {
    "zone": "Europe/Berlin",
    "hours": {"monday": ["09:00-12:30", "13:30-17:00"], "friday": ["22:00-24:00"]},
    "holidays": ["2026-12-25"],
    "origin": "default",
}
HOURS: list[tuple[dict[str, Any], str]] = [
    ({"zone": "Europe/Bonn"}, ".zone is no time zone that this machine knows: Europe/Bonn"),
    ({"zone": "../../etc"}, ".zone is no time zone that this machine knows: ../../etc"),
    ({"hours": {}}, ".hours is empty: its clocks would never run; leave it out, and they always do"),
    ({"hours": {"monday": []}}, ".hours is empty: its clocks would never run; leave it out, and they always do"),
    *(
        ({"hours": {"monday": periods}}, ".hours.monday must be periods one after the other, with time between them")
        for periods in (
            ["12:00-09:00"],
            ["09:00-09:00"],
            ["09:00-12:00", "11:00-13:00"],
            ["13:00-17:00", "09:00-12:00"],
        )
    ),
]


def test_business_hours_are_part_of_a_whole_policy():
    told = document()
    told["calendars"]["starter"] = BUSINESS
    assert findings(told) == []
    assert parse(_toml(told)).document.calendars["starter"].holidays == (date(2026, 12, 25),)
    assert (
        "calendars.starter: monday 09:00-12:30, 13:30-17:00; friday 22:00-24:00 in Europe/Berlin, but for 1 holidays"
        in parse(_toml(told)).defaults()
    )


@pytest.mark.parametrize(("wrong", "finding"), HOURS)
def test_a_calendar_by_which_no_clock_can_run_is_found(wrong, finding):
    assert put("calendars/starter", BUSINESS | wrong) == [f"calendars.starter{finding}"]


@pytest.mark.parametrize("period", ["9:00-17:00", "09:00-25:00", "09:00-24:01", "09:60-10:00", "09:00", "24:00-24:00"])
def test_a_period_is_two_times_of_a_day(period):
    told = document()
    told["calendars"]["starter"] = BUSINESS | {"hours": {"monday": [period]}}
    (found,) = told_of(told)
    assert found.startswith("calendars.starter.hours.monday.0")


@pytest.mark.parametrize("marks", [[0, 50], [50, 100], [75, 50], [50, 50]])
def test_warnings_rise_and_come_before_the_breach(marks):
    assert put("clocks/resolution/warns_at", marks) == [
        "clocks.resolution.warns_at must rise, between 1 and 99 percent"
    ]


def test_a_clock_that_stands_still_in_every_status_or_in_a_solved_one_is_found():
    found = put("clocks/resolution/paused_in", ["new", "open", "pending"])
    assert found == ["clocks.resolution.paused_in has both new and open: the clock would never run"]
    told = document()
    told["clocks"]["resolution"]["paused_in"] = ["solved"]
    assert [line.partition(":")[0] for line in told_of(told)] == ["clocks.resolution.paused_in.0"]


def test_a_policy_that_was_published_without_clocks_goes_by_the_defaults():
    old = msgspec.json.decode(dump(POLICY))
    del old["calendars"], old["clocks"]
    assert load(msgspec.json.encode(old), 1).document == POLICY.document


def test_a_level_without_authority_is_found():
    assert put("levels/2/authority", []) == ["levels.2.authority is empty"]


def test_an_unanswered_l4_is_paged_for_good():
    assert put("repage", []) == ["repage must end with a band that has no `until`: an unanswered L4 is paged for good"]
    told = document()
    told["repage"][-1]["until"] = "P9D"
    assert len(findings(told)) == 1


def test_a_band_after_one_without_an_end_is_never_reached():
    told = document()
    del told["repage"][1]["until"]
    assert findings(told) == ["repage.until may be left out of the last band alone"]


def test_a_level_that_is_none_and_a_situation_that_is_none_are_found():
    told = document()
    told["levels"]["5"] = told["levels"]["4"] | {"authority": ["rule_the_world"]}
    told["matrix"]["boredom"] = told["matrix"]["sla_breach"]
    assert findings(told) == ["levels.5 is unknown: levels are 1 to 4", "matrix.boredom is not a situation"]


def test_an_authority_is_listed_at_one_level():
    told = document()
    told["levels"]["3"]["authority"].append("pull_engineers")
    assert findings(told) == ["pull_engineers is listed at levels 2 and 3: list it at the lower"]


def test_all_findings_are_told_at_once():
    told = document()
    del told["matrix"]["sla_breach"], told["updates"]["starter"], told["levels"]["2"]
    told["repeats"]["reports"] = 0
    assert len(findings(told)) == 4
    with pytest.raises(PolicyError) as error:
        parse(_toml(told))
    assert str(error.value).count("\n") == 3


@pytest.mark.parametrize("text", ["name = ", 'name = "x"', 'colour = "red"'])
def test_what_is_no_policy_is_a_finding_too(text):
    with pytest.raises(PolicyError):
        parse(text)


def test_what_has_another_shape_is_found_all_of_it():
    told = document()
    told["matrix"]["sla_breach"]["starter"]["colour"] = "red"
    told["matrix"]["sla_breach"]["enterprise"]["level"] = "high"
    told["matrix"]["security_flag"]["emergency"] = {"level": 3}
    told["levels"]["1"]["respond_within"] = "soon"
    told["updates"]["gold"] = told["updates"]["starter"]
    told["repage"][0] = {"until": "PT1H"}
    told["colour"] = "red"
    del told["name"]
    found = told_of(told)
    assert [line.partition(": ")[0] for line in found] == [
        "colour is unknown",
        "name is missing",
        "levels.1.respond_within",
        "repage.0.every is missing",
        "matrix.sla_breach.enterprise.level",
        "matrix.sla_breach.starter.colour is unknown",
        "matrix.security_flag.emergency.origin is missing",
        "updates.gold",
    ]


# Look-ups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clock", "pauses"), [("first_response", ()), ("resolution", ("pending", "on_hold"))])
def test_pending_and_on_hold_pause_the_resolution_clock_and_both_warn(clock, pauses):
    told = POLICY.document.clocks[clock]
    assert (told.paused_in, told.warns_at, told.origin) == (pauses, (50, 75, 90), "default")


@pytest.mark.parametrize("tier", TIERS)
def test_clocks_always_run_by_default(tier):
    assert POLICY.document.calendars[tier].hours is None


SLA = """
enterprise   15m/4h 1h/8h 4h/2d 8h/5d
professional 1h/8h 4h/1d 8h/3d 1d/7d
starter      4h/1d 8h/3d 1d/7d 2d/14d
"""
UNIT = {"m": MINUTE, "h": HOUR, "d": DAY}


def span(text: str) -> timedelta:
    return int(text[:-1]) * UNIT[text[-1]]


@pytest.mark.parametrize("row", SLA.strip().splitlines())
def test_sla_first_response_and_resolution_for_p0_p1_p2_p3(row):
    tier, *cells = row.split()
    targets: Any = POLICY.document.sla[tier]
    for priority, cell in zip(("p0", "p1", "p2", "p3"), cells, strict=True):
        first, resolution = map(span, cell.split("/"))
        target = targets[priority]
        assert (target.first_response, target.resolution, target.origin) == (first, resolution, "default")


@pytest.mark.parametrize(("tier", "every"), [("enterprise", HOUR), ("professional", 4 * HOUR), ("starter", 24 * HOUR)])
def test_customer_updates(tier, every):
    assert POLICY.update_every(tier) == every


@pytest.mark.parametrize(("n", "within"), [(1, HOUR), (2, 2 * HOUR), (3, 4 * HOUR), (4, timedelta(0))])
def test_response_times(n, within):
    assert POLICY.respond_within(n) == within


def test_three_reports_within_30_days_are_a_repeated_contact():
    assert (POLICY.document.repeats.reports, POLICY.document.repeats.within) == (3, 30 * DAY)


def test_a_page_falls_into_the_band_of_when_the_last_one_came():
    for last, after in ((0, 5), (59, 5), (60, 15), (119, 15), (120, 60), (359, 60), (360, 240), (99999, 240)):
        assert POLICY.page_after(NOW, NOW + last * MINUTE) == NOW + (last + after) * MINUTE


DOCUMENTED = """
p0_outage enterprise professional starter · p1_unresolved enterprise professional starter
sla_breach enterprise professional starter · customer_request enterprise professional · repeated_contact starter
"""


def test_the_defaults_are_listed_and_what_the_document_says_is_not():
    written = {
        f"matrix.{situation}.{tier}"
        for row in DOCUMENTED.replace("\n", " · ").split(" · ")
        if row.strip()
        for situation, *tiers in [row.split()]
        for tier in tiers
    }
    cells = {f"matrix.{situation}.{tier}" for situation in SITUATIONS for tier in TIERS} | {
        "matrix.security_flag.emergency"
    }
    listed = [line.partition(":")[0] for line in POLICY.defaults()]
    assert {path for path in listed if path.startswith("matrix")} == cells - written
    assert {path for path in listed if path.startswith("updates")} == {f"updates.{tier}" for tier in TIERS}
    assert len([path for path in listed if path.startswith("sla")]) == 12
    assert {path for path in listed if path.startswith("calendars")} == {f"calendars.{tier}" for tier in TIERS}
    assert {path for path in listed if path.startswith("clocks")} == {"clocks.first_response", "clocks.resolution"}
    assert "calendars.starter: always" in POLICY.defaults()
    assert "clocks.resolution: paused in pending, on_hold, warns at 50 %, 75 %, 90 %" in POLICY.defaults()
    assert len(listed) == len(set(listed))
    assert "matrix.security_flag.starter: L2 within 0:15:00" in POLICY.defaults()
    assert "matrix.customer_request.starter: L1 no promise of time" in POLICY.defaults()
    assert "matrix.executive_visibility.starter: L3 at once" in POLICY.defaults()


def test_a_cell_that_leads_nowhere_is_listed_as_none():
    told = document()
    told["matrix"]["p1_unresolved"]["starter"]["origin"] = "default"
    assert "matrix.p1_unresolved.starter: none" in parse(_toml(told)).defaults()


def test_each_list_of_words_that_is_ours_is_among_the_defaults():
    listed = [line for line in POLICY.defaults() if line.startswith("words.")]
    assert len(listed) == len(POLICY.document.words)
    assert "words.revenue-together-en: 2 words of en for revenue_impact" in listed


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
@pytest.mark.parametrize("situation", WORDED)
def test_each_flag_has_words_in_each_language(situation, language):
    assert any(each.situation == situation and each.language == language for each in POLICY.document.words)


@pytest.mark.parametrize("situation", WORDED)
def test_a_flag_without_words_is_found(situation):
    told = document()
    told["words"] = [each for each in told["words"] if each["situation"] != situation]
    assert findings(told) == [f"words: none for {situation}"]


WRONG_WORDS = """
situation  sla_breach                  which is not found in words: security_flag and revenue_impact are
needs      0                           must need at least one of its words, and no more than it has
needs      3                           must need at least one of its words, and no more than it has
near       0                           must say by `near` how many characters apart, at least 1
language   ""                          must have a name and a language
words      [["loss"],["Loss","fall"]]  has 'Loss' in two of its words
words      [["loss"],[]]               has a word without forms, or a form of fewer than two characters
unless     ["x"]                       has a word without forms, or a form of fewer than two characters
name       "security-en"               has the name of words.0
"""


@pytest.mark.parametrize("line", WRONG_WORDS.strip().splitlines())
def test_a_wrong_list_of_words_is_found(line):
    field, value, said = line.split(maxsplit=2)
    told = document()
    i = next(i for i, each in enumerate(told["words"]) if each["name"] == "revenue-together-en")
    told["words"][i][field] = value if value.isidentifier() else msgspec.json.decode(value)
    assert [finding for finding in findings(told) if finding.endswith(said)] != []


def test_a_policy_of_before_there_were_words_is_still_read():
    told = msgspec.json.decode(dump(POLICY))
    del told["words"]
    assert load(msgspec.json.encode(told), 1).document.words == ()


def test_a_published_policy_is_read_back_as_it_was():
    again = load(dump(POLICY), 7)
    assert (again.document, again.version) == (POLICY.document, 7)
    assert dump(again) == dump(POLICY)
    assert load(dump(POLICY).encode(), 7).document == POLICY.document


def test_live_since_is_an_instant_of_the_file():
    told = parse("live_since = 2026-01-01T00:00:00Z\n" + default_text())
    assert str(told.document.live_since) == "2026-01-01 00:00:00+00:00"
    assert load(dump(told), 1).document == told.document


def test_a_naive_live_since_is_refused():
    with pytest.raises(PolicyError, match="live_since"):
        parse("live_since = 2026-01-01T00:00:00\n" + default_text())


def _toml(value: dict[str, Any]) -> str:
    """As TOML: msgspec has no writer, and a policy is tables of plain values."""
    return "\n".join(_lines(value, ""))


def _lines(table: dict[str, Any], path: str) -> list[str]:
    arrays = {k: v for k, v in table.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) and k not in arrays}
    lines = ([f"[{path}]"] if path else []) + [f"{k} = {_value(v)}" for k, v in plain.items()]
    for name, items in arrays.items():
        for item in items:
            lines += [f"[[{name}]]", *(f"{k} = {_value(v)}" for k, v in item.items())]
    for k, v in table.items():
        if isinstance(v, dict):
            lines += _lines(v, f"{path}.{k}" if path else k)
    return lines


def _value(value: Any) -> str:
    return msgspec.json.encode(value).decode()
