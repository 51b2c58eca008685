"""Parsers of what comes from outside, fed for as long as one likes: whatever it is, it is read or refused, and soon.

    python -m tests.chaos.parsers --seed 1 --cases 100000

Subjects, mails, quoted texts, signatures, cursors, filters, Slack's forms, JSON, tokens, versions. No service and no
database is needed. The first case that a parser can't take is made as small as it gets.
"""

from __future__ import annotations

from cyclopts import App
from rich.console import Console

from tests.service.attacks.parsing import PARSERS, feed

app = App(name="python -m tests.chaos.parsers", help="Feed every parser whatever it is not meant for.")
console = Console(stderr=True)


@app.default
def main(*, seed: int = 1, cases: int = 100_000) -> None:
    """Feed them all, in turn; exits 1 where one of them can't take a case.

    Parameters
    ----------
    seed
        Decides what they are fed.
    cases
        How many cases, shared by all.
    """
    found = 0
    for name in PARSERS:
        try:
            feed(name, cases // len(PARSERS), seed)
        except Exception as error:  # each is told beside the others
            found += 1
            console.print(f"{name}: {type(error).__name__}: {error}", style="red", highlight=False, markup=False)
        else:
            console.print(f"{name}: {cases // len(PARSERS)} cases taken", highlight=False)
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    app()
