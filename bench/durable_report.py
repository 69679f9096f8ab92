"""From samples of what is stored to verdicts and the page. Nothing here measures anything."""
from dataclasses import dataclass

from report import table

ARENA = "arena"


def shown(bar, value):
    if value is None:
        return "–"
    value *= bar.scale
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {bar.unit}".strip()


def sign(bar):
    return "≥" if bar.least else "≤"


def holds(bar, value, bound):
    return value >= bound if bar.least else value <= bound


def judge(row, bar, samples):
    """(ratio or None, reached); reached is None when it could not be measured. With a ratio it decides, else the bound."""
    ours = samples.median(row.title, ARENA, bar.key)
    theirs = samples.median(row.title, bar.peer, bar.key) if bar.peer else None
    ratio = ours / theirs if ours is not None and theirs else None
    if ours is None:
        return None, None
    if bar.ratio is not None:
        return ratio, None if ratio is None else holds(bar, ratio, bar.ratio)
    return ratio, holds(bar, ours, bar.bound)


def verdict(row, samples):
    """True when every bar of the row is reached, None when one could not be measured."""
    all_of = [judge(row, bar, samples)[1] for bar in row.bars]
    return None if None in all_of else all(all_of)


def word(reached):
    return "–" if reached is None else "yes" if reached else "**no**"


def bar_lines(row, samples):
    lines = []
    for bar in row.bars:
        ratio, reached = judge(row, bar, samples)
        wanted = [f"{sign(bar)} {shown(bar, bar.bound)}"] if bar.bound is not None else []
        against = ""
        if bar.ratio is not None:
            wanted.append(f"{sign(bar)} {bar.ratio:g} × {bar.peer}")
        if bar.peer is not None:
            against = f"{'–' if ratio is None else f'{ratio:.2f}'} × {shown(bar, samples.median(row.title, bar.peer, bar.key))}"
        lines.append([row.title if bar is row.bars[0] else "", bar.what, shown(bar, samples.median(row.title, ARENA, bar.key)),
                      "; ".join(wanted), against, word(reached)])
    return lines


def bars_table(rows, samples):
    return table(["what", "figure", "arena", "bar", "÷ peer", "reached"], [line for row in rows for line in bar_lines(row, samples)])


def peers_table(rows, samples, columns):
    """Everybody's figures, bars or not. `columns`: (head, key, scale, unit)."""
    lines = []
    for row in rows:
        for who in (ARENA, *row.peers):
            cells = [samples.median(row.title, who, key) for _, key, *_ in columns]
            if any(cell is not None for cell in cells):
                lines.append([row.title, who, *["–" if c is None else f"{c * scale:,.2f}" for c, (*_, scale) in zip(cells, columns)]])
    return table(["what", "who", *[head for head, *_ in columns]], lines)


@dataclass(frozen=True)
class Words:
    """What a page of rows and bars says beside its figures."""
    title: str
    written_by: str
    bars: str  # above the table of bars
    figures: str  # above everybody's figures
    columns: tuple  # of them: (head, key, scale)


DURABLE = Words(
    "What is stored: Arena beside its peers and the disk",
    "Written by `script/bench --durable`; the last section by hand, in `bench/durable_missed.md`.",
    "Arena syncs before it acknowledges, always. Medians of the turns. Where a peer is named its ratio in this run decides, as the "
    "bar in figures is from another machine.",
    "Everybody's figures. Publishing: acknowledgements a second, CPU of the server for each, time to the acknowledgement; drain and "
    "replay: deliveries.",
    (("k/s", "per_second", 1e-3), ("CPU µs each", "server_cpu_us", 1), ("p50 µs", "latency_p50_us", 1), ("p99 µs", "latency_p99_us", 1)))


def page(facts, rows, samples, missed, words=DURABLE):
    reached = sum(verdict(row, samples) is True for row in rows)
    unmeasured = sum(verdict(row, samples) is None for row in rows)
    lines = [f"# {words.title}", "", words.written_by, "", *facts, "",
             f"Rows reached: {reached} of {len(rows)}" + (f", {unmeasured} not measured." if unmeasured else "."), "",
             words.bars, "", *bars_table(rows, samples), words.figures, "", *peers_table(rows, samples, words.columns)]
    errors = samples.errors()
    if errors:
        lines += ["Not counted:", "", *[f"- {t}, {s}: {e}" for t, s, e in errors], ""]
    return "\n".join([*lines, "## Missed rows", "", missed.strip(), ""])
