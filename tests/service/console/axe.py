"""axe-core, which finds what keeps people out of a page. Tests alone use it; it is fetched, and not part of this.

python -m tests.service.console.axe      # with npm, once: into .axe/, which git ignores
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

VERSION = "4.14.1"
HELD = Path(__file__).parents[3] / ".axe" / f"axe-{VERSION}.min.js"
needed = pytest.mark.skipif(
    not HELD.exists(), reason=f"axe-core {VERSION} is not there: python -m tests.service.console.axe fetches it"
)
SERIOUS = ("serious", "critical")
ASK = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations.map(
    ({id, impact, help, nodes}) => ({id, impact, help, where: nodes.map((node) => node.target.join(" ")).slice(0, 5)})
))"""


@cache
def _script() -> str:
    return HELD.read_text("utf-8")


async def found(page: Any) -> list[str]:
    """What is seriously wrong with the page as it is shown now, each with its rule and where."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(_script())
    violations = await page.evaluate(ASK)
    return [f"{v['id']}: {v['help']}: {', '.join(v['where'])}" for v in violations if v["impact"] in SERIOUS]


async def found_in_either_light(page: Any) -> list[str]:
    """The same in the light and in the dark."""
    wrong: list[str] = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        wrong += [f"{scheme}: {each}" for each in await found(page)]
    return wrong


def fetch() -> None:
    """By npm, which checks what it is handed."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("there is no npm: install it, and try again")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}", "--silent"], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            HELD.parent.mkdir(exist_ok=True)
            HELD.write_bytes(member.read())
    print(HELD)


if __name__ == "__main__":
    fetch()
