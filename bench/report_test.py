#!/usr/bin/env python3
"""Goal: the page says a bar is reached only when it is, from runs that count, and keeps what was written by hand."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from report import BARE, Samples, page, verdict_word, verdicts  # noqa: E402
from rows import ROWS, Row  # noqa: E402

SERVERS = ["arena", "mosquitto", "nats"]
ROW = Row("some", ["pairs"], 0.2, {"mosquitto": 0.1, "nats": 0.5}, bare=["x"])


def told(cpu, **more):
    return dict({"server_cpu_us": cpu, "per_second": 1000, "latency_p50_us": 100, "latency_p99_us": 200}, **more)


def samples_of(**cpu):
    samples = Samples()
    for server, values in cpu.items():
        for value in values:
            samples.add(ROW.title, server, value if isinstance(value, dict) else told(value))
    return samples


def word(row, samples):
    return verdict_word(verdicts(row, samples))


def medians_of_turns_decide():
    assert word(ROW, samples_of(arena=[9, 1, 1], mosquitto=[10] * 3, nats=[2] * 3)) == "yes"
    assert word(ROW, samples_of(arena=[9, 9, 1], mosquitto=[10] * 3, nats=[2] * 3)).startswith("**no**")


def every_ratio_must_be_reached():
    assert word(ROW, samples_of(arena=[1], mosquitto=[10], nats=[1.9])) == "**no**: CPU ÷ nats"
    assert word(ROW, samples_of(arena=[1.1], mosquitto=[10], nats=[9])) == "**no**: CPU ÷ mosquitto"


def a_run_with_loss_does_not_count():
    lossy = dict(told(0.001), error="3 lost")
    samples = samples_of(arena=[lossy, lossy, 5], mosquitto=[10], nats=[2])
    assert word(ROW, samples).startswith("**no**")
    assert "some, arena: 3 lost" in page([], [ROW], samples, SERVERS, None, [], "")


def what_was_not_measured_is_not_reached():
    assert word(ROW, samples_of(arena=[1], mosquitto=[10])) == "–"
    assert word(ROW, samples_of(mosquitto=[10], nats=[2])) == "–"


def p99_is_held_to_the_best_peer():
    row = Row("some", ["pairs"], 9, {"mosquitto": 1}, p99_of=("mosquitto", "nats"))
    samples = samples_of(arena=[told(1, latency_p99_us=150)], mosquitto=[told(2)], nats=[told(2, latency_p99_us=100)])
    assert word(row, samples) == "**no**: p99"
    samples = samples_of(arena=[told(1, latency_p99_us=90)], mosquitto=[told(2)], nats=[told(2, latency_p99_us=100)])
    assert word(row, samples) == "yes"


def the_rate_is_held_to_the_peer():
    row = Row("some", ["connections"], 9, {"mosquitto": 1}, rates=("mosquitto",))
    assert word(row, samples_of(arena=[told(1, per_second=10)], mosquitto=[told(2, per_second=11)])) == "**no**: rate"
    assert word(row, samples_of(arena=[told(1, per_second=11)], mosquitto=[told(2, per_second=11)])) == "yes"


def the_page_keeps_what_was_written_by_hand():
    text = page(["- facts"], [ROW], samples_of(arena=[1], mosquitto=[10], nats=[2], **{BARE: [0.1]}), SERVERS,
                {"match_ns": 1500.0, "bytes": 250.0}, ["- reached: memory"], "by hand\n")
    assert text.endswith("## Missed rows\n\nby hand\n"), text[-60:]
    assert "1.50 µs, 250 B. Reached: **no**" in text
    assert "## A flood at the door\n\n- reached: memory\n" in text
    assert "| some | 1.000 | ≤ 0.2 | 10.0 | 2.000 | 0.100 | 0.100 (≤ 0.1) | 0.500 (≤ 0.5) | yes |" in text


def rows_are_told_apart():
    assert len({row.title for row in ROWS}) == len(ROWS)
    assert all(re.fullmatch(r"pairs|fanout|fanin|connections", row.load[0]) for row in ROWS)


def run(tests):
    """Says of each whether it holds; the exit code."""
    failed = 0
    for test in tests:
        try:
            test()
            print("ok", test.__name__.replace("_", " "))
        except AssertionError as error:
            failed += 1
            print("not ok", test.__name__.replace("_", " "), repr(error))
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run([medians_of_turns_decide, every_ratio_must_be_reached, a_run_with_loss_does_not_count,
                  what_was_not_measured_is_not_reached, p99_is_held_to_the_best_peer, the_rate_is_held_to_the_peer,
                  the_page_keeps_what_was_written_by_hand, rows_are_told_apart]))
