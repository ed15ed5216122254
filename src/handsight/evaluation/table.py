"""Tables of results: figures with intervals, paired differences, and what they do and do not show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from handsight.errors import HandsightError
from handsight.evaluation.intervals import Interval


@dataclass(frozen=True)
class Measure:
    """A column: what was measured and how it is written.

    Args:
        name: the column's heading.
        percent: a share in [0, 1], written in per cent; its differences are written in points.
        higher_is_better: False for an error.
        decimals: digits after the point, as written.
    """

    name: str
    percent: bool = True
    higher_is_better: bool = True
    decimals: int = 1

    def write(self, value: float) -> str:
        """Return a figure as it is printed, without its unit."""
        written = f"{value * 100 if self.percent else value:.{self.decimals}f}"
        if not float(written):
            written = written.lstrip("-")  # no −0.0
        return written.replace("-", "−")

    @property
    def heading(self) -> str:
        """The name with its unit."""
        return f"{self.name} (%)" if self.percent else self.name


@dataclass(frozen=True)
class Difference:
    """Row `first` less row `second` on one measure, paired on the same objects (or episodes, or seeds)."""

    first: str
    second: str
    measure: str
    interval: Interval


@dataclass(frozen=True)
class Published:
    """A figure from the literature: it is shown beside the results, never compared with them.

    Args:
        row: the row it belongs to.
        measure: what was measured, in the source's words.
        value: as printed there, with its unit.
        data_set: what it was measured on.
        source: where it stands.
    """

    row: str
    measure: str
    value: str
    data_set: str
    source: str


@dataclass(frozen=True)
class Table:
    """Results of one protocol.

    Args:
        title: what was measured on what.
        measures: the columns, in order.
        cells: row → measure's name → figure with interval; rows keep their order, a cell may be missing.
        over: what the intervals are over: `objects`, `episodes`, `seeds`.
        differences: paired differences between chosen rows.
        published: figures from the literature.
        notes: sentences that belong under the table.

    Raises:
        HandsightError: where a cell or a difference names a row or a measure that the table lacks.
    """

    title: str
    measures: tuple[Measure, ...]
    cells: Mapping[str, Mapping[str, Interval]]
    over: str
    differences: tuple[Difference, ...] = ()
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = {measure.name for measure in self.measures}
        named = [(row, name) for row, cells in self.cells.items() for name in cells]
        named += [(row, d.measure) for d in self.differences for row in (d.first, d.second)]
        for row, name in named:
            if row not in self.cells or name not in names:
                raise HandsightError(
                    f"a table got a figure for row {row!r}, measure {name!r}; it has rows "
                    f"{', '.join(self.cells)} and measures {', '.join(sorted(names))}"
                )

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows' names, in order."""
        return tuple(self.cells)

    def measure(self, name: str) -> Measure:
        """Return the column of that name."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise HandsightError(f"no measure {name!r}; there are {', '.join(m.name for m in self.measures)}")

    def to_json(self) -> str:
        """Return the table as JSON; `from_json` gives it back."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Table:
        """Read what `to_json` wrote."""
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(
                title=fields["title"],
                measures=tuple(Measure(**measure) for measure in fields["measures"]),
                cells={
                    row: {name: Interval(**interval) for name, interval in cells.items()}
                    for row, cells in fields["cells"].items()
                },
                over=fields["over"],
                differences=tuple(
                    Difference(**{**difference, "interval": Interval(**difference["interval"])})
                    for difference in fields["differences"]
                ),
                published=tuple(Published(**published) for published in fields["published"]),
                notes=tuple(fields["notes"]),
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise HandsightError(
                f"not a table of results ({error}); expected what Table.to_json wrote"
            ) from error

    def to_markdown(self) -> str:
        """Return a Markdown table: `mean [low, high]`, and published figures in columns of their own."""
        sets = list(dict.fromkeys((p.measure, p.data_set) for p in self.published))
        headings = ["", *(m.heading for m in self.measures), *(f"published: {m}, {s}" for m, s in sets)]
        lines = [_line(headings), _line(["---"] + ["---:"] * (len(headings) - 1))]
        for row, cells in self.cells.items():
            written = [_cell(measure, cells.get(measure.name)) for measure in self.measures]
            for key in sets:
                found = [p for p in self.published if p.row == row and (p.measure, p.data_set) == key]
                written.append("; ".join(f"{p.value} ({p.source})" for p in found) or "–")
            lines.append(_line([row, *written]))
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Return the figures as CSV, one line per row and measure; shares stay shares, not per cent."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["row", "measure", "mean", "low", "high", "level", "over"])
        for row, cells in self.cells.items():
            for name, i in cells.items():
                writer.writerow([row, name, i.mean, i.low, i.high, i.level, self.over])
        return out.getvalue()


def in_words(table: Table) -> list[str]:
    """Say for each difference what its interval shows, or that it shows nothing; then a caution."""
    sentences = [_sentence(difference, table.measure(difference.measure)) for difference in table.differences]
    if len(sentences) > 1:
        sentences.append(
            f"Each interval is over {table.over} and stands alone: none is widened for the {len(sentences)} "
            "comparisons made."
        )
    return sentences


def _sentence(difference: Difference, measure: Measure) -> str:
    interval, first, second = difference.interval, difference.first, difference.second
    unit = " points" if measure.percent else ""
    ends = f"{measure.write(interval.low)} to {measure.write(interval.high)}"
    level = f"{interval.level * 100:g} %"
    if not interval.excludes_zero:
        return f"The {level} interval ({ends}{unit}) does not tell {first} from {second} on {measure.name}."
    side = "above" if interval.mean > 0 else "below"
    size = f"{measure.write(abs(interval.mean))}{unit}"
    direction = "" if measure.higher_is_better else ", lower being better"
    claim = f"{first} is {side} {second} on {measure.name} by {size}"
    return f"{claim} ({level} interval of the difference {ends}){direction}."


def _cell(measure: Measure, interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{measure.write(interval.mean)} [{measure.write(interval.low)}, {measure.write(interval.high)}]"


def _line(entries: Iterable[str]) -> str:
    return "| " + " | ".join(entry.replace("|", "\\|") for entry in entries) + " |"
