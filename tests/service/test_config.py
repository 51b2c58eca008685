"""Settings: where they come from, and what is said about bad ones."""

from pathlib import Path

import pytest

from service.config import Settings, SettingsError, default_data_dir, load


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a file of settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flags_come_before_the_environment_and_that_before_the_file(elsewhere: Path) -> None:
    (elsewhere / "escalation.toml").write_text('port = 1\nworkers = 2\nhost = "::1"')
    environ = {"ESCALATION_PORT": "3", "ESCALATION_WORKERS": "4"}
    settings = load({"port": 5, "workers": None}, environ)
    assert (settings.port, settings.workers, settings.host) == (5, 4, "::1")


def test_nothing_set_is_the_defaults() -> None:
    assert load(environ={}) == Settings()
    assert Settings().data_dir == default_data_dir()


def test_set_but_empty_is_not_set() -> None:
    assert load(environ={"ESCALATION_DATABASE_URL": ""}).database_url is None


def test_paths_are_the_users(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load(environ={"ESCALATION_DATA_DIR": "~/data"}).data_dir == Path("/home/somebody/data")
    assert load(environ={"ESCALATION_DATA_DIR": "data"}).data_dir == elsewhere / "data"


def test_all_bad_values_are_told_at_once_with_where_they_were_set(elsewhere: Path) -> None:
    (elsewhere / "escalation.toml").write_text('prot = 1\nlog_format = "xml"')
    environ = {"ESCALATION_PORT": "http", "ESCALATION_CLOCK": "sundial"}
    with pytest.raises(SettingsError) as refusal:
        load({"workers": 0}, environ)
    for part in (
        "prot in escalation.toml: no such setting; did you mean port?",
        "log_format in escalation.toml=xml",
        "ESCALATION_PORT=http",
        "ESCALATION_CLOCK=sundial",
        "--workers=0",
    ):
        assert part in str(refusal.value)


def test_a_database_url_is_never_repeated_since_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError, match="ESCALATION_DATABASE_URL: not a URL like") as refusal:
        load(environ={"ESCALATION_DATABASE_URL": "mysql://me:secret@db"})
    assert "secret" not in str(refusal.value)


def test_a_named_file_must_be_there_and_be_toml(elsewhere: Path) -> None:
    with pytest.raises(SettingsError, match=r"names nowhere\.toml, which does not exist"):
        load(environ={"ESCALATION_CONFIG": "nowhere.toml"})
    (elsewhere / "bad.toml").write_text("port: 1")
    with pytest.raises(SettingsError, match=r"bad\.toml cannot be read as TOML"):
        load(environ={"ESCALATION_CONFIG": "bad.toml"})
