"""Words: how many of the texts that people called a security matter each list of the policy finds, and how many others.

Real bug reports with labels, and a real help desk's conversations without any. Beside the lists stand two plain ones,
read anywhere in a text, which is what one would do without further thought.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from machines.asked import Found, Heard, Report
from machines.document import WordList
from machines.matrix import default_text, parse
from machines.values import Ticket
from service.hearing.words import Finder, find

from .process import ROOT

DATA = ROOT.parent / "shared" / "data"
LABELLED = {"ambari": "security-reports-ambari.csv.gz", "camel": "security-reports-camel.csv.gz"}
CONVERSATIONS = "helpdesk-conversations.csv.gz"
PLAIN = {
    "plain, narrow": ("security", "vulnerability", "attack", "exploit", "permission", "unauthorized"),
    "plain, wide": (
        *("security", "secure", "vulnerability", "attack", "exploit", "permission", "permissions", "unauthorized"),
        *("password", "passwords", "authentication", "authorization", "credentials", "certificate", "encryption"),
        *("ssl", "tls", "token", "access", "leak", "login", "injection", "privilege", "sensitive", "root", "admin"),
    ),
}
POLICY = parse(default_text())


@dataclass(frozen=True)
class Text:
    """What a customer wrote first, and whether people called it a security matter (None: nobody was asked)."""

    id: str
    subject: str
    body: str
    security: bool | None = None

    @property
    def found(self) -> tuple[Found, ...]:
        """What the policy's lists find in it."""
        return find(POLICY, Report(Ticket(self.id, subject=self.subject, description=self.body)))


@dataclass(frozen=True)
class Count:
    """How often a list spoke on a set, where it should and where it should not; `wanted` is how often it should."""

    name: str
    set: str
    right: int
    wrong: int
    wanted: int

    @property
    def precision(self) -> float | None:
        """Of what it found, the share that people had called so; None where it found nothing or nobody was asked."""
        spoken = self.right + self.wrong
        return self.right / spoken if spoken and self.wanted else None

    @property
    def recall(self) -> float | None:
        """Of what people had called so, the share that it found."""
        return self.right / self.wanted if self.wanted else None


def missing() -> list[str]:
    """The files that are not beside this checkout."""
    return [name for name in (*LABELLED.values(), CONVERSATIONS) if not (DATA / name).is_file()]


def reports(name: str) -> list[Text]:
    """The labelled reports of a project. Their summary is a title, four blanks and a description."""
    found = []
    for row in _rows(LABELLED[name]):
        subject, _, body = row["summary"].partition("    ")
        found.append(Text(row["id"], subject, body, row["security"] == "1"))
    return found


def conversations() -> list[tuple[Text, list[Heard]]]:
    """Each ticket's first words, and all that was said after them, by whom."""
    tickets: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for row in _rows(CONVERSATIONS):
        told = tickets.setdefault(row["issueid"], {}).setdefault(row["comment_seq"], [])
        told.append((row["author_role"], row["actionbody"]))
    found = []
    for issue, comments in tickets.items():
        spoken = [
            Heard(
                *(f"{issue}/{seq}", issue, None, "reply", "somebody"),
                "customer" if lines[0][0] == "reporter" else "agent",
                body="\n".join(text for _, text in lines),
            )
            for seq, lines in comments.items()
        ]
        first = spoken[0] if spoken[0].author_role == "customer" else None
        found.append((Text(issue, "", (first.body or "") if first else ""), spoken[1 if first else 0 :]))
    return found


def count() -> list[Count]:
    """Each list on each set, all lists of a flag together, and the plain ones."""
    sets = {name: reports(name) for name in LABELLED}
    sets["both"] = [text for texts in sets.values() for text in texts]
    spoken = {name: [(text, text.found) for text in texts] for name, texts in sets.items()}
    found = []
    for name, texts in spoken.items():
        for each in ("security_flag", *_lists("security_flag")):
            said = [text for text, words in texts if any(each in (word.situation, word.list) for word in words)]
            found.append(_counted(each, name, said, sets[name]))
        for each, words in PLAIN.items():
            plain = Finder((WordList(each, "security_flag", "en", tuple((word,) for word in words), "default"),))
            said = [text for text in sets[name] if plain.find([("subject", f"{text.subject}\n{text.body}")])]
            found.append(_counted(each, name, said, sets[name]))
    return [*found, *_of_conversations()]


def _of_conversations() -> Iterator[Count]:
    told = conversations()
    spoken = [{name for word in _all(*each) for name in (word.situation, word.list)} for each in told]
    for situation in ("security_flag", "revenue_impact"):
        for name in (situation, *_lists(situation)):
            yield Count(name, "conversations", 0, sum(name in said for said in spoken), 0)


def _all(first: Text, more: Sequence[Heard]) -> Iterator[Found]:
    yield from first.found
    for each in more:
        yield from find(POLICY, each)


def _counted(name: str, of: str, said: Sequence[Text], texts: Sequence[Text]) -> Count:
    right = sum(text.security is True for text in said)
    return Count(name, of, right, len(said) - right, sum(text.security is True for text in texts))


def _lists(situation: str) -> list[str]:
    return [each.name for each in POLICY.document.words if each.situation == situation]


def _rows(name: str) -> Iterator[dict[str, str]]:
    csv.field_size_limit(2**31 - 1)
    with gzip.open(DATA / name, "rt", encoding="utf-8", errors="replace", newline="") as file:
        yield from csv.DictReader(file)


def print_words(console: Console, counts: Sequence[Count]) -> None:
    """A table: a row for each list that found anything, and a column for each set."""
    sets = list(dict.fromkeys(each.set for each in counts))
    table = Table(title="words: precision / recall (right of found)", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in sets:
        table.add_column(name, justify="right", no_wrap=True)
    by = {(each.name, each.set): each for each in counts}
    for name in dict.fromkeys(each.name for each in counts if each.right + each.wrong):
        table.add_row(name, *(_cell(by.get((name, each))) for each in sets))
    console.print(table)
    silent = sorted({each.name for each in counts} - {each.name for each in counts if each.right + each.wrong})
    console.print(f"Found nothing anywhere: {', '.join(silent)}.", style="dim")
    console.print("Nobody labelled the conversations: shown is in how many of them a list speaks.", style="dim")


def _cell(each: Count | None) -> str:
    if each is None:
        return ""
    if not each.wanted:
        return str(each.wrong)
    precision = f".{each.precision * 100:02.0f}" if each.precision is not None and each.precision < 1 else ""
    precision = precision or ("–" if each.precision is None else "1")
    return f"{precision} / .{(each.recall or 0) * 100:02.0f} ({each.right} of {each.right + each.wrong})"


def document(counts: Sequence[Count]) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "words": [
            {
                **asdict(each),
                "precision": each.precision,
                "recall": each.recall,
            }
            for each in counts
        ]
    }


def run(console: Console, json: Path) -> int:
    """Count, show and keep; without the data it says so, and measures nothing."""
    if gone := missing():
        console.print(f"words: skipped, for {DATA} has no {', '.join(gone)}", markup=False)
        return 0
    counts = count()
    print_words(console, counts)
    json.parent.mkdir(parents=True, exist_ok=True)
    json.write_bytes(msgspec.json.format(msgspec.json.encode(document(counts)), indent=2) + b"\n")
    console.print(f"{json}", style="dim", highlight=False)
    return 0
