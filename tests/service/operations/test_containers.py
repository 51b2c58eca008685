"""The image and the composition name what is there: paths, commands, routes and settings. They are built elsewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from service.config import FIELDS, Settings, load
from service.routes import all_routes

ROOT = Path(__file__).parents[3]
COMPOSITION = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICE = COMPOSITION["services"]["service"]


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions, stage by stage."""
    lines = [line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = list[list[tuple[str, str]]]()
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


BUILD, LAST = stages()


def test_two_stages_and_the_last_has_no_tools_and_is_nobody_special():
    assert [word for word, _ in LAST].count("COPY") == 1, "the environment that was built, and nothing else"
    assert ("COPY", "--from=build /app /app") in LAST
    user = next(rest for word, rest in reversed(LAST) if word == "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert "pip" not in " ".join(rest for _, rest in LAST)
    assert [word for word, _ in LAST].index("USER") < [word for word, _ in LAST].index("ENTRYPOINT")


def test_what_is_copied_is_there_and_is_all_that_the_package_has():
    copied = {name for word, rest in BUILD if word == "COPY" for name in rest.split()[:-1]}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = re.search(r"\[tool\.hatch\.build\.targets\.wheel\].*?packages = (\[.*?\])", pyproject, re.DOTALL)
    assert packages is not None
    assert set(json.loads(packages[1])) <= copied
    let_in = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {f"!{name}" for name in copied} == {line for line in let_in if line.startswith("!")}


def test_the_pins_are_the_locks(tmp_path: Path):
    (run,) = (rest for word, rest in BUILD if word == "RUN")
    made = run.split(" && ")[0].split(" > ")
    assert made[1].strip() == "pins.txt"
    told = subprocess.run(shlex.split(made[0]), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line for line in told.splitlines() if line.strip()]
    assert len(lines) == len(
        re.findall(r"^[a-z].*==", (ROOT / "requirements-test.lock").read_text("utf-8"), re.MULTILINE)
    )
    assert [line for line in lines if not re.match(r"[a-z0-9.-]+==[\w.]+( ; .+)?$", line)] == []
    extras = re.search(r'"\.\[(\w+)\]"', run)
    assert extras is not None
    assert f"\n{extras[1]} = [" in (ROOT / "pyproject.toml").read_text("utf-8")


def test_what_it_runs_is_the_products_own_command():
    told = dict(LAST)
    (name,) = json.loads(told["ENTRYPOINT"])
    assert f'\n{name} = "service.__main__:main"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert json.loads(told["CMD"]) == ["serve"]
    assert told["EXPOSE"] == "8080"
    assert told["STOPSIGNAL"] == "SIGTERM"


def test_its_health_is_asked_where_it_is_told_and_is_whether_it_lives():
    check = dict(LAST)["HEALTHCHECK"]
    words = json.loads(check[check.index("CMD ") + 4 :])
    compile(words[2], "healthcheck", "exec")
    assert "'/healthz'" in words[2]
    assert "/healthz" in {route.path for route in all_routes() if route.public}
    assert "ESCALATION_PORT" in words[2]


def environment() -> dict[str, str]:
    """What the image and the composition set."""
    image = dict(part.split("=", 1) for word, rest in LAST if word == "ENV" for part in rest.split())
    return {**image, **SERVICE["environment"]}


def test_every_variable_is_a_setting_and_can_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    ours = {name: value for name, value in environment().items() if name.startswith("ESCALATION_")}
    assert {name.removeprefix("ESCALATION_").lower() for name in ours} <= set(FIELDS)
    settings = load(environ=ours | {"ESCALATION_DATABASE_URL": "postgres://escalation:x@postgres/escalation"})
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)  # inside its own network
    assert settings.shutdown_within == Settings().shutdown_within


def test_it_has_time_to_leave_before_it_is_killed():
    leaves = float(SERVICE["environment"]["ESCALATION_LEAVES_AFTER"])
    within = float(SERVICE["environment"]["ESCALATION_SHUTDOWN_WITHIN"])
    assert float(SERVICE["stop_grace_period"].removesuffix("s")) > leaves + within


def test_the_service_writes_nothing_may_nothing_and_is_reached_from_here_alone():
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICE["ports"])
    assert "ports" not in COMPOSITION["services"]["postgres"]


def test_no_secret_is_in_it_and_the_database_is_waited_for():
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert "${POSTGRES_PASSWORD:?" in text
    assert SERVICE["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert {each.split(":")[0] for each in COMPOSITION["services"]["postgres"]["volumes"]} == set(
        COMPOSITION["volumes"]
    )
