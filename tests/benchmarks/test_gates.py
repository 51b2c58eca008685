"""A gate is judged round by round."""

from tests.benchmarks.bench import Figure, Sample
from tests.benchmarks.gates import Verdict, judged, missed


def figure(name: str, *rates: float, p50: float | None = None) -> Figure:
    return Figure(name=name, title=name, unit="", samples=tuple(Sample(rate=rate, p50=p50) for rate in rates))


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    (verdict,) = judged([figure("ours", 100, 200, 900), figure("rows-pgbench", 100, 100, 300)])
    assert list(verdict.ratios) == [1, 2, 3]
    assert (verdict.ratio, verdict.holds, verdict.reached) == (2, True, True)


def test_a_missed_gate_counts_and_a_missed_aim_does_not() -> None:
    slow = judged([figure("ours", 50), figure("rows-pgbench", 100), figure("django", 10)])
    assert [verdict.holds for verdict in slow] == [False, None]
    assert missed(slow)
    assert not missed(judged([figure("ours", 100), figure("rows-pgbench", 100), figure("django", 99)]))


def test_of_latencies_less_is_better() -> None:
    (verdict,) = judged([figure("ours-one", 1, p50=2.0), figure("rows-one", 1, p50=1.0)])
    assert (verdict.ratio, verdict.reached) == (2.0, True)


def test_what_is_promised_of_every_single_one_is_judged_by_the_worst_round() -> None:
    def burst(*worst: float) -> list[Verdict]:
        samples = tuple(Sample(rate=1, notes={"worst_ms": each}) for each in worst)
        return judged([Figure(name="burst", title="", unit="", samples=samples)])

    (verdict,) = burst(20.0, 1000.0, 30.0)
    assert (verdict.ratio, verdict.holds) == (1000.0, True)
    assert missed(burst(20.0, 1000.1, 30.0))


def test_what_was_not_measured_is_not_judged() -> None:
    assert judged([figure("ours", 100), figure("rows-pgbench")]) == []
