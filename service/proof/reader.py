"""The files of `verify-history`, read through once with a bar of progress on the screen."""

from __future__ import annotations

import gzip
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from service.proof.notes import Verifier
from service.proof.offline import Report, checkpoints, verify


def run(file: Path, notes: Path, key: str) -> Report:
    """What was found; raises OSError, UnicodeDecodeError, NoteError where a file or the key can't be read."""
    report = Report()
    heads = checkpoints(notes.read_text("utf-8"), Verifier(key), report)
    packed = file.suffix == ".gz"
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    with gzip.open(file, "rb") if packed else file.open("rb") as lines, bar:
        task = bar.add_task("", total=None if packed else file.stat().st_size)
        return verify(lines, heads, report, lambda read: bar.advance(task, read))
