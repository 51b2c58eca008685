"""The curve as a picture: transitions a second by how many speak at once, a line for each number of processes.

Plain SVG in both schemes, made by nothing but text: it is looked at in the README, where no script runs.
"""

from collections.abc import Sequence
from math import log2
from xml.sax.saxutils import escape

from .bench import Figure
from .ours import CONNECTIONS, CURVE, PROCESSES

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 34, 46
_COLOURS = ("#2563eb", "#c2410c", "#15803d")
_STYLE = """text { font: 13px system-ui, sans-serif; fill: #1f2937 } .grid { stroke: #d1d5db }
.title { font-weight: 600 }
.end { text-anchor: end } .mid { text-anchor: middle }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .grid { stroke: #374151 } .paper { fill: #111827 } }"""


def measured(figures: Sequence[Figure]) -> bool:
    """Whether the whole curve is there to be drawn."""
    return {each.name for each in CURVE} <= {each.name for each in figures if each.samples}


def drawn(figures: Sequence[Figure], machine: str) -> str:
    """The picture; `machine` says where it was measured, in a few words."""
    rates = {each.name: each.rate or 0.0 for each in figures}
    step = _step(max(rates[each.name] for each in CURVE))
    top = step * (int(max(rates[each.name] for each in CURVE) / step) + 1)

    def x(connections: int) -> float:
        return _LEFT + log2(connections) / log2(CONNECTIONS[-1]) * (_WIDTH - _LEFT - _RIGHT)

    def y(rate: float) -> float:
        return _HEIGHT - _BOTTOM - rate / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>']
    parts.append(_text(_LEFT, 20, f"Durable transitions a second over HTTP ({machine})", "title"))
    for rate in range(0, int(top) + 1, step):
        parts.append(f'<path class="grid" d="M{_LEFT} {y(rate):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y(rate) + 4, f"{rate:,}", "end"))
    parts += [_text(x(each), _HEIGHT - _BOTTOM + 20, str(each), "mid") for each in CONNECTIONS]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "connections that speak at once", "mid"))
    ends: list[float] = []
    for colour, processes in zip(_COLOURS, PROCESSES, strict=True):
        points = [(x(each), y(rates[f"curve-{processes}-{each}"])) for each in CONNECTIONS]
        line = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>' for across, up in points]
        at = points[-1][1] + 4
        while any(abs(at - other) < 16 for other in ends):
            at += 4
        ends.append(at)
        label = f"{processes} process{'es' if processes > 1 else ''}"
        parts.append(_text(_WIDTH - _RIGHT + 10, at, label, colour=colour))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _step(most: float) -> int:
    """Between two lines: a round number, so that there are four to eight of them."""
    return next(step for step in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if most / step <= 8)


def _text(x: float, y: float, said: str, kind: str = "", colour: str = "") -> str:
    look = (f' class="{kind}"' if kind else "") + (f' style="fill: {colour}"' if colour else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(said)}</text>'
