#!/usr/bin/env python3
"""Goal: the page on what is stored says a bar is reached only when it is, by ratio where a peer is named."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from durable_report import judge, page, verdict  # noqa: E402
from durable_rows import ROWS, Bar, Row  # noqa: E402
from report import Samples  # noqa: E402
from report_test import run  # noqa: E402

BY_RATIO = Row("some", "publish", (Bar("rate", "per_second", 600, least=True, peer="limit", ratio=0.5, unit="/s"),), ("limit",))
BY_BOUND = Row("some", "publish", (Bar("CPU", "server_cpu_us", 1.5), Bar("rate", "per_second", 100, least=True)))


def samples_of(**reports):
    samples = Samples()
    for who, values in reports.items():
        for value in values:
            samples.add("some", who, value)
    return samples


def rates(*values):
    return [{"per_second": value} for value in values]


def the_ratio_decides_where_a_peer_is_named():
    assert verdict(BY_RATIO, samples_of(arena=rates(100), limit=rates(150))) is True  # though below 600
    assert verdict(BY_RATIO, samples_of(arena=rates(700), limit=rates(1500))) is False  # though above 600
    assert abs(judge(BY_RATIO, BY_RATIO.bars[0], samples_of(arena=rates(100), limit=rates(150)))[0] - 2 / 3) < 1e-9


def without_the_peer_nothing_is_reached():
    assert verdict(BY_RATIO, samples_of(arena=rates(700))) is None
    assert verdict(BY_RATIO, samples_of(limit=rates(700))) is None


def every_bar_of_a_row_must_hold():
    assert verdict(BY_BOUND, samples_of(arena=[{"server_cpu_us": 1.5, "per_second": 100}])) is True
    assert verdict(BY_BOUND, samples_of(arena=[{"server_cpu_us": 1.6, "per_second": 100}])) is False
    assert verdict(BY_BOUND, samples_of(arena=[{"server_cpu_us": 1.5, "per_second": 99}])) is False
    assert verdict(BY_BOUND, samples_of(arena=[{"server_cpu_us": 1.5}])) is None


def medians_decide_and_errors_do_not_count():
    assert verdict(BY_RATIO, samples_of(arena=rates(10, 90, 100), limit=rates(150))) is True
    lossy = samples_of(arena=[{"per_second": 1000, "error": "3 lost"}, *rates(10)], limit=rates(150))
    assert verdict(BY_RATIO, lossy) is False
    assert "- some, arena: 3 lost" in page([], [BY_RATIO], lossy, "")


def the_page_counts_and_keeps_what_was_written_by_hand():
    text = page(["- facts"], [BY_RATIO], samples_of(arena=rates(100), limit=rates(150)), "by hand\n")
    assert "Rows reached: 1 of 1." in text
    assert "| some | rate | 100 /s | ≥ 600 /s; ≥ 0.5 × limit | 0.67 × 150 /s | yes |" in text, text
    assert text.endswith("## Missed rows\n\nby hand\n")
    assert "1 not measured" in page([], [BY_RATIO], samples_of(arena=rates(1)), "")


def rows_are_told_apart_and_bars_can_be_judged():
    assert len({row.title for row in ROWS}) == len(ROWS)
    for row in ROWS:
        for bar in row.bars:
            assert (bar.bound is not None) or (bar.peer and bar.ratio is not None), row.title
            assert bar.peer is None or bar.peer in row.peers, row.title


if __name__ == "__main__":
    sys.exit(run([the_ratio_decides_where_a_peer_is_named, without_the_peer_nothing_is_reached, every_bar_of_a_row_must_hold,
                  medians_decide_and_errors_do_not_count, the_page_counts_and_keeps_what_was_written_by_hand,
                  rows_are_told_apart_and_bars_can_be_judged]))
