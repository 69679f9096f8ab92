"""From samples to verdicts and the page. Nothing here measures anything."""
import statistics

from rows import CONNECTIONS, IDLE_BYTES_MAX, ROUTING_BYTES_MAX, ROUTING_NS_MAX, SCALING_ROW

BARE, ONE_THREAD = "bare", "arena, one thread"  # in the place of a server's name


def median(reports, key):
    """Of those that count; None when there is none."""
    values = [r[key] for r in reports or [] if "error" not in r and r.get(key) is not None]
    return statistics.median(values) if values else None


class Samples:
    """What came of each (row's title, server): a list of reports, one a turn."""

    def __init__(self):
        self.reports = {}

    def add(self, title, server, report):
        self.reports.setdefault((title, server), []).append(report)

    def median(self, title, server, key="server_cpu_us"):
        return median(self.reports.get((title, server)), key)

    def ratio(self, title, peer, key="server_cpu_us"):
        ours, theirs = self.median(title, "arena", key), self.median(title, peer, key)
        return ours / theirs if ours is not None and theirs else None

    def errors(self):
        return [(title, server, r["error"]) for (title, server), reports in self.reports.items() for r in reports
                if "error" in r]


def verdicts(row, samples):
    """[(what, measured, wanted, reached)]; reached is None when it could not be measured."""
    found = []

    def judge(what, measured, wanted, reached):
        found.append((what, measured, wanted, None if measured is None or wanted is None else reached()))

    for peer, most in row.ratios.items():
        value = samples.ratio(row.title, peer)
        judge(f"CPU ÷ {peer}", value, most, lambda v=value, m=most: v <= m)
    if not row.ratios:
        cpu = samples.median(row.title, "arena")
        judge("CPU", cpu, row.cpu_us, lambda: cpu <= row.cpu_us)
    for key, peers, what, best in (("latency_p99_us", row.p99_of, "p99", min), ("per_second", row.rates, "rate", max)):
        theirs = [v for v in (samples.median(row.title, peer, key) for peer in peers) if v]
        if not peers:
            continue
        ours, wanted = samples.median(row.title, "arena", key), best(theirs) if theirs else None
        judge(what, ours, wanted, lambda o=ours, w=wanted, b=best: o <= w if b is min else o >= w)
    return found


def verdict_word(found):
    results = [reached for *_, reached in found]
    if None in results or not results:
        return "–"
    return "yes" if all(results) else "**no**: " + ", ".join(what for what, _, _, reached in found if not reached)


def number(value):
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def rate(value):
    if value is None:
        return "–"
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *["| " + " | ".join(r) + " |" for r in rows], ""]


def ratio_cell(row, samples, peer):
    value, most = samples.ratio(row.title, peer), row.ratios.get(peer)
    return number(value) + (f" (≤ {most})" if most else "")


def cpu_table(rows, samples, servers):
    peers = [s for s in servers if s != "arena"]
    head = ["scenario", "arena", "bar", *peers, "bare", *[f"÷ {p} (bar)" for p in peers], "reached"]
    lines = []
    for row in rows:
        lines.append([row.title, number(samples.median(row.title, "arena")), f"≤ {row.cpu_us}",
                      *[number(samples.median(row.title, p)) for p in [*peers, BARE]],
                      *[ratio_cell(row, samples, p) for p in peers], verdict_word(verdicts(row, samples))])
    return table(head, lines)


def latency_cell(row, samples, server):
    p50, p99 = (samples.median(row.title, server, f"latency_p{p}_us") for p in (50, 99))
    return "–" if not p50 else f"{p50 / 1000:.2f} / {p99 / 1000:.2f}"


def throughput_table(rows, samples, servers):
    head = ["scenario", *[f"{s}, /s" for s in servers], *[f"{s}, ms" for s in servers]]
    return table(head, [[row.title, *[rate(samples.median(row.title, s, "per_second")) for s in servers],
                         *[latency_cell(row, samples, s) for s in servers]] for row in rows])


def memory_lines(rows, samples, servers):
    lines = []
    for row in rows:
        if not row.connections:
            continue
        values = {s: samples.median(row.title, s, "server_rss_bytes_per_client") for s in servers}
        if values.get("arena") is not None:
            told = ", ".join(f"{s} {v:,.0f} B" for s, v in values.items() if v is not None)
            reached = "yes" if values["arena"] <= IDLE_BYTES_MAX else "**no**"
            lines.append(f"Resident memory of each of {CONNECTIONS:,} idle connections, ≤ {IDLE_BYTES_MAX} B: {told}. "
                         f"Reached: {reached}.")
    return lines


def routing_lines(routing):
    if not routing:
        return ["Routing (10⁶ subscriptions, mixed wildcards): not measured."]
    reached = routing["match_ns"] <= ROUTING_NS_MAX and routing["bytes"] <= ROUTING_BYTES_MAX
    return [f"Routing (10⁶ subscriptions, mixed wildcards), ≤ {ROUTING_NS_MAX / 1000:g} µs a match (median), "
            f"≤ {ROUTING_BYTES_MAX} B a subscription: {routing['match_ns'] / 1000:.2f} µs, {routing['bytes']:.0f} B. "
            f"Reached: {'yes' if reached else '**no**'}."]


def scaling_lines(samples):
    one, all_threads = samples.median(SCALING_ROW, ONE_THREAD), samples.median(SCALING_ROW, "arena")
    if not one or not all_threads:
        return []
    return [f"Scaling ({SCALING_ROW}): {number(one)} µs with one thread, {number(all_threads)} µs with a thread per core "
            f"({all_threads / one:.2f} times; flat is 1)."]


def page(facts, rows, samples, servers, routing, flood, missed):
    """`facts`: lines about the machine and the run; `flood`: lines about a flood at the door; `missed`: the hand-written
    text on rows that are not reached."""
    lines = ["# Arena and its peers, side by side", "",
             "Written by `script/bench`; the last section by hand, in `bench/missed.md`.", "", *facts, "",
             "CPU of the server (user + system), in µs per delivered message or connection: medians. A row is reached when "
             "its ratios are; the bar in µs is from the machine where it was set. \"bare\" is a loop of batched sends to "
             "as many sockets, without any broker.", "", *cpu_table(rows, samples, servers),
             "Deliveries per second (the load program shares the machine's cores) and latency p50 / p99: medians. Of a "
             "full window, except at a fixed rate: there from the moment each message was due.", "",
             *throughput_table(rows, samples, servers)]
    for more in (memory_lines(rows, samples, servers), routing_lines(routing), scaling_lines(samples)):
        lines += [line for text in more for line in (text, "")]
    if flood:
        lines += ["## A flood at the door", "", *flood, ""]
    errors = samples.errors()
    if errors:
        lines += ["Not counted:", "", *[f"- {t}, {s}: {e}" for t, s, e in errors], ""]
    return "\n".join([*lines, "## Missed rows", "", missed.strip(), ""])
