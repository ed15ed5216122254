"""Results: a table with its intervals, the same as dots, and in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from handsight.evaluation.intervals import Interval
from handsight.evaluation.table import Measure, Table, in_words
from handsight.report.markup import Content, Element, element, folded, paragraph, table
from handsight.report.page import Section
from handsight.report.plots import SHORT_NAME, interval_plot, panels

SENTENCES_SHOWN = 6


def table_section(
    results: Table,
    *,
    title: str = "",
    intro: str = "",
    chance: Mapping[str, float] | None = None,
    references: Collection[str] = (),
    headline: Sequence[str] = (),
    counts: str = "",
    rows: str = "Encoder",
) -> Section:
    """Show a table of results.

    Args:
        results: what was measured.
        title: of the section; default: the table's own.
        intro: a paragraph above.
        chance: measure → what guessing scores, in the measure's own unit.
        references: rows that are there to compare with (they see labels, say) and cannot be the best.
        headline: measures that are drawn and shown first; default: the first of each family (`recall@1` of
            `recall@1, recall@5`).
        counts: a sentence on how much was measured: objects and frames.
        rows: what the rows are.
    """
    chance = dict(chance or {})
    shown = [m for m in results.measures if m.name in (headline or _families(results.measures))]
    others = [m for m in results.measures if m not in shown]
    best = {m.name: best_row(results, m, references) for m in results.measures}
    body: list[Element] = [paragraph(intro)] if intro else []
    body += [
        _figures(results, rows, shown, best, chance, references),
        element(
            "ul",
            *(element("li", sentence) for sentence in _notes(results, best, references, chance, counts)),
            class_="notes",
        ),
    ]
    body.append(_plots(results, shown, best, chance))
    body += _sentences(results)
    if others:
        body.append(
            folded(
                "All other measures",
                _figures(results, rows, others, best, chance, references),
                _plots(results, others, best, chance),
            )
        )
    if results.published:
        body.append(_published(results))
    return Section(title or results.title, body)


def best_row(results: Table, measure: Measure, references: Collection[str] = ()) -> str | None:
    """Return the row that is better than every other on a measure, by intervals of paired differences.

    A row whose difference from another was not measured, or does not exclude 0, is not called the best.
    """
    rows = [
        row
        for row, cells in results.cells.items()
        if row not in references and measure.name in cells and math.isfinite(cells[measure.name].mean)
    ]
    if len(rows) < 2:
        return None
    sign = 1 if measure.higher_is_better else -1
    best = max(rows, key=lambda row: sign * results.cells[row][measure.name].mean)
    beaten = set()
    for difference in results.differences:
        if difference.measure == measure.name and difference.interval.excludes_zero:
            side = sign * (1 if difference.interval.low > 0 else -1)
            if difference.first == best and side > 0:
                beaten.add(difference.second)
            elif difference.second == best and side < 0:
                beaten.add(difference.first)
    return best if beaten >= set(rows) - {best} else None


def _families(measures: Sequence[Measure]) -> list[str]:
    first: dict[str, str] = {}
    for measure in measures:
        first.setdefault(measure.name.partition("@")[0], measure.name)
    return list(first.values())


def _figures(
    results: Table,
    kind: str,
    measures: Sequence[Measure],
    best: Mapping[str, str | None],
    chance: Mapping[str, float],
    references: Collection[str],
) -> Element:
    rows: list[list[Content]] = []
    for row, cells in results.cells.items():
        name: Content = element("em", row) if row in references else row
        rows.append([name, *(_cell(m, cells.get(m.name), best[m.name] == row) for m in measures)])
    if any(m.name in chance for m in measures):
        guesses = [m.write(chance[m.name]) if m.name in chance else "–" for m in measures]
        rows.append(["chance", *guesses])
    headings = [
        kind,
        *(m.heading + ("" if m.higher_is_better else ", lower is better") for m in measures),
    ]
    return table(f"{results.title}: mean and interval over {results.over}", headings, rows, class_="figures")


def _cell(measure: Measure, interval: Interval | None, is_best: bool) -> Element:
    if interval is None or not math.isfinite(interval.mean):
        return element("span", "–" if interval is None else "not a number", class_="quiet")
    mean = element("strong" if is_best else "span", measure.write(interval.mean), class_="mean")
    return element("span", mean, " ", element("span", _ends(measure, interval), class_="ends"))


def _ends(measure: Measure, interval: Interval) -> str:
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return "no interval"
    return f"{measure.write(interval.low)} to {measure.write(interval.high)}"


def _plots(
    results: Table, measures: Sequence[Measure], best: Mapping[str, str | None], chance: Mapping[str, float]
) -> Element:
    drawings = []
    for measure in measures:
        scale = 100.0 if measure.percent else 1.0
        rows, told = {}, {}
        for row, cells in results.cells.items():
            interval = cells.get(measure.name)
            if interval is None:
                continue
            rows[row] = (interval.mean * scale, interval.low * scale, interval.high * scale)
            finite = math.isfinite(interval.mean)
            told[row] = (
                f"{measure.write(interval.mean)}, {_ends(measure, interval)}" if finite else "no figure"
            )
        if rows:
            marks = {"chance": chance[measure.name] * scale} if measure.name in chance else {}
            strong = frozenset({best[measure.name] or ""})
            drawings.append(interval_plot(measure.heading, rows, told, marks, strong))
    return panels(drawings, wide=any(len(row) > SHORT_NAME for row in results.rows))


def _notes(
    results: Table,
    best: Mapping[str, str | None],
    references: Collection[str],
    chance: Mapping[str, float],
    counts: str,
) -> list[str]:
    levels = sorted({i.level for cells in results.cells.values() for i in cells.values()})
    level = " or ".join(f"{value * 100:g} %" for value in levels)
    notes = [f"Small figures: {level} interval over {results.over}."] if levels else []
    if counts:
        notes.append(counts)
    if any(best.values()):
        notes.append(
            "Bold: the best, and told from every other row by the interval of their paired differences."
        )
    elif len(results.rows) > 1:
        notes.append(
            "No figure is bold: no row is told from every other by the interval of their paired differences."
        )
    if references:
        notes.append(f"In italics, to compare with: {', '.join(references)}. It cannot be the best here.")
    if chance:
        notes.append("Dashed in the drawings: what guessing scores.")
    return notes + list(results.notes)


def _sentences(results: Table) -> list[Element]:
    sentences = in_words(results)
    if not sentences:
        return []
    said, cautions = sentences[: len(results.differences)], sentences[len(results.differences) :]
    parts = [element("h3", "In words"), _list(said[:SENTENCES_SHOWN])]
    if rest := said[SENTENCES_SHOWN:]:
        parts.append(folded(f"{len(rest)} more differences", _list(rest)))
    return [*parts, *(paragraph(caution, class_="quiet") for caution in cautions)]


def _list(sentences: Sequence[str]) -> Element:
    return element("ul", *(element("li", sentence) for sentence in sentences), class_="words")


def _published(results: Table) -> Element:
    rows: list[list[Content]] = [[p.row, p.measure, p.value, p.data_set, p.source] for p in results.published]
    caption = "Figures from the literature, on other data: they are not compared with the results above"
    return table(caption, ["Method", "Measure", "Published", "Data", "Source"], rows, visible_caption=True)
