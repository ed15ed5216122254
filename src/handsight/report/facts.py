"""Facts: what was run, with what, where and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from handsight.report.markup import Content, Element, element, folded, paragraph, table
from handsight.report.page import Section


def facts_section(
    facts: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    title: str = "How this was made",
    of: str = "All settings (config.yaml)",
) -> Section:
    """Show facts as a table, and all settings folded away.

    Args:
        facts: name → value: command, versions, hardware, seeds, durations.
        settings: of the whole run, as `config.yaml` has them.
        title: of the section.
        of: what the settings are.
    """
    body: list[Element] = []
    rows: list[list[Content]] = [[name, str(value)] for name, value in facts.items()]
    if rows:
        body.append(table("What was run", ["What", "Value"], rows, class_="facts"))
    if settings:
        text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
        body.append(folded(of, element("pre", element("code", text), tabindex="0")))
    if not body:
        return Section(title, (paragraph("Nothing was written down.", class_="note"),), missing=True)
    return Section(title, body)


def in_time(seconds: float) -> str:
    """Return a duration in words, as in `1 h 04 min`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "not known"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
