"""History as files that others open: lines of JSON, tables, and the formats of process mining, each streamed page by
page with constant memory.

A format is a file here and a line in `FORMATS`.
"""

from service.export.lines import lines
from service.export.ocel import ocel
from service.export.parquet import parquet
from service.export.source import Source
from service.export.table import table
from service.export.xes import xes

FORMATS = {
    "ndjson": ("application/x-ndjson", lines),
    "csv": ("text/csv; charset=utf-8", table),
    "xes": ("application/xml", xes),
    "ocel": ("application/json", ocel),
    "parquet": ("application/vnd.apache.parquet", parquet),
}
"""By name: the kind of content, and what makes its parts from a source."""
NEEDS = {"parquet": "pyarrow"}
"""Formats that need a package which comes with an extra of the format's name."""

__all__ = ["FORMATS", "NEEDS", "Source"]
