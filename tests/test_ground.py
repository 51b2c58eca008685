"""What a clone stands on: the locks name versions and hashes, and nothing of where they came from."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-test.lock")


def entries(lock: str) -> dict[str, str]:
    """The packages of a lock, each with its version and hashes."""
    found = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    return {entry.partition("==")[0]: entry for entry in found}


def asked(*extras: str) -> set[str]:
    """The packages that the project asks for: its dependencies, and those of these extras."""
    project = (ROOT / "pyproject.toml").read_text()
    lists = [
        re.search(rf"^{name} = \[(.*?)\]$", project, re.MULTILINE | re.DOTALL) for name in ("dependencies", *extras)
    ]
    return {name for found in lists if found for name in re.findall(r'"([a-z][a-z0-9-]+)(?:>=|<|;)', found[1])}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry_and_no_path(lock: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|^-e|@ |/", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_in_a_lock_has_its_version_and_hashes(lock: str) -> None:
    assert len(entries(lock)) > 30
    for entry in entries(lock).values():
        assert re.match(r"[a-z0-9.-]+==[\w.]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_locks_have_every_package_that_the_project_asks_for() -> None:
    assert len(asked("embedded")) > 10
    assert asked("embedded") <= entries("requirements.lock").keys()
    assert asked("embedded", "test", "dev") <= entries("requirements-test.lock").keys()


def test_the_tests_run_with_the_very_packages_of_the_product() -> None:
    assert entries("requirements.lock").items() < entries("requirements-test.lock").items()
