"""A gate of `bench history` holds where every case of it does."""

from tests.benchmarks.asked import Case
from tests.benchmarks.audits import Export, Found, Seen
from tests.benchmarks.bench import Figure, Sample
from tests.benchmarks.history import judged


def seen(kind: str, page: list[float], plain: list[float], filters: tuple[str, ...] = ("actor",)) -> Seen:
    return Seen(Case(filters, kind, "asc", None, ({},)), page, plain)


def test_a_page_holds_where_it_is_near_the_plain_connection_and_never_slow() -> None:
    (line,) = judged(Found(pages=[seen("most", [3.0, 4.0], [1.0, 1.0]), seen("never", [1.0], [0.1])]), [])
    assert (line.what, line.holds, line.gate) == ("page by actor", True, True)


def test_one_case_that_is_far_from_it_is_enough_to_miss() -> None:
    (line,) = judged(Found(pages=[seen("most", [3.0], [1.0]), seen("never", [6.0], [1.0])]), [])
    assert not line.holds
    (line,) = judged(Found(pages=[seen("most", [3.0], [1.0]), seen("some", [1.0, 1.0, 10.1], [9.0])]), [])
    assert (line.holds, line.which) == (False, "some, first, asc")


def test_as_of_is_judged_by_its_slowest_and_the_export_misses_honestly() -> None:
    found = Found(as_of={"all": [1.0, 20.0], "owner": [20.1]}, export=Export(100, 40.0, 100.0))
    assert [(line.holds, line.gate) for line in judged(found, [])] == [(True, True), (False, True), (False, False)]


def test_transitions_with_history_are_held_against_those_with_none() -> None:
    def figures(none: float, years: float) -> list[Figure]:
        rates = {"none": none, "years": years}
        return [Figure(name=n, title=n, unit="", samples=(Sample(rate=rate),)) for n, rate in rates.items()]

    assert [line.holds for line in judged(Found(), figures(100, 90))] == [True]
    assert [line.holds for line in judged(Found(), figures(100, 89))] == [False]
