"""A rival's own virtual environment, made when it is first asked for."""

import asyncio
import hashlib
import shutil
import sys
from pathlib import Path

from ..process import Argument, MissingError, ProgramError, output_of

APPS = Path(__file__).parent / "apps"

# Seconds, downloads included.
_MADE_WITHIN = 900.0


async def python_of(name: str, cache: Path) -> Path:
    """The interpreter that has what `NAME.txt` pins, under the cache folder.

    Where the requirements or this Python have changed since, it is made anew. Raises MissingError.
    """
    requirements = Path(__file__).with_name(f"{name}.txt")
    folder = cache / "venvs" / name
    python = folder / "bin" / "python"
    stamp = folder / "made-from"
    made_from = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == made_from:
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    try:
        await output_of([sys.executable, "-m", "venv", folder], within=_MADE_WITHIN)
        # No dependencies beside those pinned: the file is the whole of what is measured.
        pip: list[Argument] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        await output_of([*pip, "--no-deps", "-r", requirements], within=_MADE_WITHIN)
    except ProgramError as error:
        raise MissingError(f"the environment for {name} could not be made: {error}") from None
    stamp.write_text(made_from)  # last: no stamp, no environment
    return python
