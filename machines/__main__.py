"""Show the machine, from the rules that run: `python -m machines [--format table|mermaid|dot|svg]`.

The table is Markdown and aligned, so that the README holds it verbatim; the diagrams draw each move once and list
the triggers that leave the state as it is in a note beside it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import fields

from machines.escalation import NONE, RULES, Rule
from machines.values import LEVELS, State

LEVEL_GROUP = "levels"
"""The four levels as one place, which moves that any of them has lead to and from."""

# The table --------------------------------------------------------------------------------------------------------


def markdown_table() -> str:
    """The table as Markdown with aligned columns: trigger, from → to, who may, guards, fields."""
    rows = [("trigger", "from → to", "who may", "guards", "fields")]
    rows += [_row(rule) for rule in RULES.values()]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def _row(rule: Rule) -> tuple[str, str, str, str, str]:
    relations = [relation.phrase for guard in rule.guards for relation in guard.relations]
    guards = [f"`{guard.name}`" for guard in rule.guards if not guard.relations]
    return (
        f"`{rule.trigger}`",
        _from_to(rule),
        ", ".join(relations),
        ", ".join(guards) or "–",
        _fields(rule),
    )


def _fields(rule: Rule) -> str:
    """The fields that a caller gives; optional ones with a question mark."""
    if rule.fields is None:
        return "fired by the service itself"
    names = [f"`{f.name}`" if f.required else f"`{f.name}?`" for f in fields(rule.fields)]
    return ", ".join(names) or "–"


def _from_to(rule: Rule) -> str:
    if _stays(rule):
        return f"stays in {_spelled(list(rule.moves))}"
    by_dests: dict[tuple[str, ...], list[str]] = {}
    for source, dests in rule.moves.items():
        by_dests.setdefault(tuple(map(str, dests)), []).append(str(source))
    return "; ".join(
        f"{_spelled(sources)} → {_spelled(list(dests))}".removeprefix("none ") for dests, sources in by_dests.items()
    )


def _stays(rule: Rule) -> bool:
    return all(dests == (source,) for source, dests in rule.moves.items())


def _spelled(states: list[str]) -> str:
    """`l1–l4` for a run of levels, every other state by name, in the order of a life."""
    levels = [str(level) for level in LEVELS if level in states]
    run = f"{levels[0]}–{levels[-1]}" if len(levels) > 1 else "".join(levels)
    return ", ".join(dict.fromkeys(run if s in levels else str(s) for s in (NONE, *State) if s in states))


# Diagrams ---------------------------------------------------------------------------------------------------------


def _edges() -> dict[tuple[str, str], list[str]]:
    """Each move between states once, with all triggers that make it. Levels are one place, but among themselves."""
    edges: dict[tuple[str, str], list[str]] = {}
    for rule in RULES.values():
        if _stays(rule):
            continue
        for source, dests in rule.moves.items():
            for dest in dests:
                within = source in LEVELS and dest in LEVELS
                edge = (str(source), str(dest)) if within else (_place(source), _place(dest))
                if rule.trigger not in edges.setdefault(edge, []):
                    edges[edge].append(rule.trigger)
    return edges


def _place(state: str) -> str:
    return LEVEL_GROUP if state in LEVELS else str(state)


def _notes() -> dict[str, list[str]]:
    """The triggers that leave each place as it is; where not at every level, with the levels that have it."""
    notes: dict[str, list[str]] = {}
    for rule in RULES.values():
        if not _stays(rule):
            continue
        at_levels = [str(state) for state in LEVELS if state in rule.moves]
        for place in dict.fromkeys(_place(state) for state in rule.moves):
            some = place == LEVEL_GROUP and len(at_levels) < len(LEVELS)
            notes.setdefault(place, []).append(f"{rule.trigger} ({_spelled(at_levels)})" if some else rule.trigger)
    return notes


def mermaid() -> str:
    """A Mermaid state diagram, which GitHub draws."""
    lines = ["stateDiagram-v2", "    direction LR", f"    state {LEVEL_GROUP} {{"]
    lines += [f"        {level}" for level in LEVELS]
    edges = _edges()
    inner = [(a, b) for a, b in edges if a in LEVELS and b in LEVELS]
    lines += [f"        {a} --> {b} : {', '.join(edges[a, b])}" for a, b in inner]
    lines.append("    }")
    lines += [
        f"    {'[*]' if a == NONE else a} --> {b} : {', '.join(triggers)}"
        for (a, b), triggers in edges.items()
        if (a, b) not in inner
    ]
    lines.append(f"    {State.CLOSED} --> [*]")
    for place, triggers in _notes().items():
        lines += [f"    note right of {place}", *(f"        {line}" for line in _wrapped(triggers, 34)), "    end note"]
    return "\n".join(lines) + "\n"


def _wrapped(words: list[str], width: int) -> list[str]:
    lines = ["stays:"]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word + ("," if word != words[-1] else "")
    return lines


def dot() -> str:
    """Graphviz DOT: the levels are a cluster; what leaves a place as it is stands in it, in small letters."""
    notes = _notes()
    lines = [
        "digraph escalation {",
        "  compound=true; rankdir=LR; nodesep=0.5; ranksep=0.9;",
        '  node [shape=box, style="rounded,filled", fillcolor="#f4f6fb", color="#33415c", fontname="Helvetica"];',
        '  edge [color="#33415c", fontname="Helvetica", fontsize=11];',
        f'  {NONE} [shape=circle, label="", width=0.15];',
        f"  subgraph cluster_{LEVEL_GROUP} {{",
        f'    style=rounded; color="#9aa5b8"; fontname="Helvetica"; {_label("", notes[LEVEL_GROUP], 90)};',
        *(f"    {level};" for level in LEVELS),
        "  }",
        *(f"  {state} [{_label(state, notes.get(state, []), 30)}];" for state in State if state not in LEVELS),
    ]
    lines += [f"  {_end(a, b)} -> {_end(b, a)} [{_attributes(a, b, on)}];" for (a, b), on in _edges().items()]
    return "\n".join([*lines, "}"]) + "\n"


def _label(name: str, triggers: list[str], width: int) -> str:
    small = "<br/>".join(_wrapped(triggers, width)) if triggers else ""
    title = f"<b>{name}</b>" if name else ""
    return f'label=<{title}{"<br/>" if title and small else ""}<font point-size="9" color="#5b6780">{small}</font>>'


def _end(place: str, other: str) -> str:
    """The node at which an edge ends; the cluster's nearest one for the levels as a whole."""
    if place != LEVEL_GROUP:
        return place
    return str(LEVELS[0] if other == State.OPEN else LEVELS[-1])


def _attributes(a: str, b: str, triggers: list[str]) -> str:
    ends = [f"ltail=cluster_{LEVEL_GROUP}"] if a == LEVEL_GROUP else []
    ends += [f"lhead=cluster_{LEVEL_GROUP}"] if b == LEVEL_GROUP else []
    return ", ".join([f'label="{", ".join(triggers)}"', *ends])


def svg() -> str:
    """The drawing as SVG. Raises RuntimeError, with what to do about it, where `graphviz-pure` is not installed."""
    beside = Path(sys.executable).parent / "graphviz-pure"
    program = str(beside) if beside.exists() else shutil.which("graphviz-pure")
    if program is None:
        raise RuntimeError("An SVG needs graphviz-pure: `pip install graphviz-pure`, or take --format dot.")
    drawn = subprocess.run([program, "-Tsvg"], input=dot(), capture_output=True, text=True, check=True, timeout=30)
    return drawn.stdout


FORMATS: dict[str, Callable[[], str]] = {"table": markdown_table, "mermaid": mermaid, "dot": dot, "svg": svg}


def render(format: str = "table") -> str:  # noqa: A002  # the command's own word
    """The machine in one of the formats."""
    return FORMATS[format]()


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(
        prog="python -m machines", description="The state machine, from the code that runs."
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
    try:
        print(render(parser.parse_args().format), end="")
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
