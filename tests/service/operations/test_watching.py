"""Alert rules and dashboard: they name what is measured, all of it, and each alert goes off when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.metrics import Metrics

ROOM = Path(__file__).parents[3] / "service" / "operations"
RULES = yaml.safe_load((ROOM / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((ROOM / "dashboard.json").read_text("utf-8"))
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
]
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds."""


def measured() -> dict[str, set[str]]:
    """The name of every series that a node tells, and its labels."""
    registry = Metrics().registry
    found = {name: set(getattr(each, "_labelnames", ())) for name, each in registry._names_to_collectors.items()}
    return (
        found
        | {family.name: set() for family in registry.collect() if family.name.startswith("process_")}
        | {
            sample.name: set()
            for family in registry.collect()
            for sample in family.samples
            if "process_" in sample.name
        }
    )


def families() -> set[str]:
    """What is measured, without the endings of histograms and counters."""
    return {family.name for family in Metrics().registry.collect() if not family.name.startswith("process_")}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_an_expression_names_is_measured_and_has_those_labels(expression: str):
    names = measured()
    used = re.findall(r"\b((?:escalation|process)_[a-z_]+)(?:\{([^}]*)\})?", expression)
    assert used or "up{" in expression
    for name, matchers in used:
        assert name in names, name
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= names[name] | SCRAPED
    grouped = {label for text in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", text)}
    assert grouped <= {label for name, _ in used for label in names[name]} | SCRAPED


def test_all_that_is_measured_is_looked_at():
    looked_at = " ".join(EXPRESSIONS)
    assert {
        name for name in families() if not re.search(rf"\b{name}(_total|_bucket|_count|_sum)?\b", looked_at)
    } == set()


def test_every_alert_says_what_it_is_and_how_urgent():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_the_dashboards_panels_have_their_places_and_say_what_they_show():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set[tuple[int, int]]()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["targets"]


# What promtool says --------------------------------------------------------------------------------------------------

ASKED = 'escalation_request_seconds_count{job="escalation-matrix",instance="a",route="/v1/tickets/{id}",status="%s"}'
TIMED = 'escalation_request_seconds_bucket{job="escalation-matrix",instance="a",route="/v1/tickets/{id}",le="%s"}'
FULL = ("escalation_%s{instance='a'}", "escalation_%s_most{instance='a'}")
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "EscalationNodeDown": (
        {'up{job="escalation-matrix",instance="a"}': "0x40"},
        {'up{job="escalation-matrix",instance="a"}': "1x40"},
    ),
    "EscalationTimersLate": (
        {'escalation_timers_late_seconds{instance="a"}': "31x40"},
        {'escalation_timers_late_seconds{instance="a"}': "29x40"},
    ),
    "EscalationInvariantBroken": (
        {'escalation_audit_found{instance="a"}': "1x40"},
        {'escalation_audit_found{instance="a"}': "0x40"},
    ),
    "EscalationAuditorStandsStill": (
        {"escalation_audit_looked_timestamp_seconds": "60x40"},
        {"escalation_audit_looked_timestamp_seconds": "0+60x40"},
    ),
    "EscalationErrors": (
        {ASKED % 500: "0+2x40", ASKED % 200: "0+98x40"},
        {ASKED % 500: "0+1x40", ASKED % 200: "0+199x40"},
    ),
    "EscalationSlow": (
        {TIMED % "0.25": "0+90x40", TIMED % "2.5": "0+100x40", TIMED % "+Inf": "0+100x40"},
        {TIMED % "0.25": "0+100x40", TIMED % "2.5": "0+100x40", TIMED % "+Inf": "0+100x40"},
    ),
    "EscalationMessagesWait": (
        {'escalation_messages_oldest_seconds{target="email"}': "301x40"},
        {'escalation_messages_oldest_seconds{target="email"}': "299x40"},
    ),
    "EscalationMessagesParked": (
        {'escalation_message_seconds_count{kind="email",outcome="parked"}': "0x28 1x12"},
        {'escalation_message_seconds_count{kind="email",outcome="delivered"}': "0+1x40"},
    ),
    "EscalationQueueFills": (
        {FULL[0] % "commands_waiting": "600x40", FULL[1] % "commands_waiting": "1024x40"},
        {FULL[0] % "commands_waiting": "500x40", FULL[1] % "commands_waiting": "1024x40"},
    ),
    "EscalationReadsExhausted": (
        {FULL[0] % "reads": "8x40", FULL[1] % "reads": "8x40"},
        {FULL[0] % "reads": "7x40", FULL[1] % "reads": "8x40"},
    ),
    "EscalationConnectionsFill": (
        {FULL[0] % "connections": "900x40", FULL[1] % "connections": "1000x40"},
        {FULL[0] % "connections": "800x40", FULL[1] % "connections": "1000x40"},
    ),
    "EscalationMemory": (
        {'process_resident_memory_bytes{job="escalation-matrix",instance="a"}': "500000000x40"},
        {'process_resident_memory_bytes{job="escalation-matrix",instance="a"}': "150000000x40"},
    ),
    "EscalationHeartbeatNotHeard": (
        {'escalation_heartbeats_total{outcome="not_taken"}': "0+1x40"},
        {
            'escalation_heartbeats_total{outcome="heard"}': "0+1x40",
            'escalation_heartbeats_total{outcome="not_taken"}': "0x40",
        },
    ),
    "EscalationReplicaUnfit": (
        {'escalation_replica_reads_total{state="late"}': "0+1x40"},
        {'escalation_replica_reads_total{state="serves"}': "0+1x40"},
    ),
    "EscalationCallersRefused": (
        {ASKED % 429: "0+120x40"},
        {ASKED % 429: "0+30x40"},
    ),
}
"""For each alert, what is measured each minute while it goes off, and while it doesn't."""


def test_every_alert_is_tried():
    assert CASES.keys() == {rule["alert"] for rule in RULES}


def test_each_goes_off_when_it_should_and_not_before(tmp_path: Path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: it comes with Prometheus")
    tests = [_unit(alert, both[n], 1 - n) for alert, both in CASES.items() for n in (0, 1)]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [str(ROOM / "alerts.yml")], "tests": tests}))
    for words in (["check", "rules", str(ROOM / "alerts.yml")], ["test", "rules", "tests.yml"]):
        told = subprocess.run([promtool, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr


def _unit(alert: str, series: dict[str, str], goes_off: int) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    expected = [{"labels": "{}", "value": goes_off}] if goes_off else []
    return {
        "name": alert,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": "30m", "exp_samples": expected}],
    }
