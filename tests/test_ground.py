"""What a clone stands on: the lock names versions and hashes, and nothing of where they came from."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_lock_names_no_registry_and_no_path() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|^-e|@ |/", text, re.MULTILINE)


def test_everything_in_the_lock_has_its_version_and_hashes() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    assert len(entries) > 30
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[\w.]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_has_every_package_that_the_project_asks_for() -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[0].partition("dependencies")[2]
    asked = set(re.findall(r'"([a-z][a-z0-9-]+)(?:>=|<|;)', project))
    assert len(asked) > 15
    assert asked <= locked, asked - locked
