"""A reader of the feed that is killed: it writes down the id of each event that it heard, and goes on after the last.

    python tests/chaos/listener.py URL KEY FILE

Nothing but the standard library, so that it is there at once; it takes no care to end well.
"""

import sys
from pathlib import Path
from urllib.request import Request, urlopen


def listen(base: str, key: str, path: Path) -> None:
    """Until killed. A line that was torn by the last kill is none: that event is heard again."""
    kept = path.read_bytes() if path.exists() else b""
    kept = kept[: kept.rfind(b"\n") + 1]
    path.write_bytes(kept)
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    if kept:
        headers["Last-Event-ID"] = kept.split()[-1].decode()
    heard = b""
    with urlopen(Request(f"{base}/v1/events?after=0", headers=headers)) as told, path.open("ab", buffering=0) as file:
        for line in told:
            if line.startswith(b"id: "):
                heard = line[4:]
            elif line == b"\n" and heard:
                file.write(heard)
                heard = b""


if __name__ == "__main__":
    listen(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
