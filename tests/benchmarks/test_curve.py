"""The curve is drawn from what was measured."""

import xml.etree.ElementTree as ET

from tests.benchmarks.bench import Figure, Sample
from tests.benchmarks.curve import drawn, measured
from tests.benchmarks.ours import CONNECTIONS, CURVE, PROCESSES

FIGURES = [
    Figure(name=each.name, title=each.title, unit=each.unit, samples=(Sample(rate=100.0 * (n + 1)),))
    for n, each in enumerate(CURVE)
]


def test_each_number_of_processes_is_a_line_with_a_point_for_each_number_of_connections() -> None:
    picture = ET.fromstring(drawn(FIGURES, "2 cores"))
    lines = [each.attrib["points"].split() for each in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points) for points in lines] == [len(CONNECTIONS)] * len(PROCESSES)
    heights = [float(point.split(",")[1]) for points in lines for point in points]
    assert heights == sorted(heights, reverse=True), "a higher rate stands higher"


def test_a_curve_with_a_point_missing_is_not_drawn() -> None:
    assert measured(FIGURES)
    assert not measured(FIGURES[1:])
