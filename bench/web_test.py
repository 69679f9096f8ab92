#!/usr/bin/env python3
"""Goal: no answer but 2xx counts, whatever else h2load says; rows of the web can be judged and measured."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from durable_report import page  # noqa: E402
from report import Samples  # noqa: E402
from report_test import run  # noqa: E402
from web import WORDS, Measures  # noqa: E402
from web_rows import ROWS  # noqa: E402
from web_servers import told_by_h2load  # noqa: E402

TEXT = """starting benchmark...

finished in 2.05s, 24256.50 req/s, 10.99MB/s
requests: 48513 total, 48563 started, 48513 done, 48513 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 48513 2xx, 0 3xx, 0 4xx, 0 5xx
"""


def requests_and_their_rate_are_read():
    assert told_by_h2load(TEXT) == {"requests": 48513, "per_second": 24256.5}


def one_answer_of_another_kind_spoils_the_turn():
    for was, becomes in ((" 48513 2xx, 0 3xx, 0 4xx", " 48512 2xx, 0 3xx, 1 4xx"), ("48513 succeeded, 0 failed", "48512 succeeded, 1 failed"),
                         ("0 errored", "2 errored"), ("0 timeout", "1 timeout"), ("48513 done, 48513 succeeded", "0 done, 0 succeeded")):
        assert was in TEXT
        assert "error" in told_by_h2load(TEXT.replace(was, becomes)), becomes


def no_figures_are_an_error():
    assert "unreachable" in told_by_h2load("the host is\nunreachable\n")["error"]
    assert "error" in told_by_h2load("")


def rows_are_told_apart_and_can_be_judged_and_measured():
    assert len({row.title for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert hasattr(Measures, row.measure), row.title
        for bar in row.bars:
            assert bar.bound is not None or (bar.peer and bar.ratio is not None), row.title
            assert bar.peer is None or bar.peer in row.peers, row.title


def the_page_says_whose_it_is():
    samples = Samples()
    samples.add(ROWS[2].title, "arena", {"per_cpu_second": 70e3})
    samples.add(ROWS[2].title, "nginx", {"per_cpu_second": 100e3})
    text = page(["- facts"], [ROWS[2]], samples, "by hand\n", WORDS)
    assert text.startswith("# The web's doors"), text
    assert "| 70 k | ≥ 0.7 × nginx | 0.70 × 100 k | yes |" in text.replace("70.0 k", "70 k"), text


if __name__ == "__main__":
    sys.exit(run([requests_and_their_rate_are_read, one_answer_of_another_kind_spoils_the_turn, no_figures_are_an_error,
                  rows_are_told_apart_and_can_be_judged_and_measured, the_page_says_whose_it_is]))
