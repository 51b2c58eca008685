"""The files of `verify-history`, read through once with a bar of progress on the screen."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from io import BufferedReader
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from service.proof.notes import Verifier
from service.proof.offline import Report, checkpoints, kept, merged, verify, verify_part
from service.proof.part import Part


def run(files: Sequence[Path], notes: Path, key: str, proof: Path | None = None) -> Report:
    """What was found, of an export and the archives of what is no more in it, or of one archive alone by its `proof`.

    Raises OSError, UnicodeDecodeError, NoteError where a file or the key can't be read, ValueError where the proof
    isn't one.
    """
    report, verifier = Report(), Verifier(key)
    heads = checkpoints(notes.read_text("utf-8"), verifier, report)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    packed = any(file.suffix == ".gz" for file in files)
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(file)) for file in files]
        bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        task = bar.add_task("", total=None if packed else sum(file.stat().st_size for file in files))
        read = partial(bar.advance, task)
        if proof is None:
            return verify(merged(opened), heads, report, read)
        part = msgspec.json.decode(proof.read_bytes(), type=Part)
        return verify_part(merged(opened), part, kept(part.note, verifier, heads, report), report, read)


def _opened(file: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")
