"""A report: one HTML page that holds everything it shows."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from handsight.errors import HandsightError
from handsight.report.markup import Element, element, paragraph, to_html
from handsight.report.style import STYLE


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Args:
        title: its heading, which the contents at the top link to.
        body: what stands under it.
        missing: a section that only says what is not there; it is drawn quietly and not linked to.
    """

    title: str
    body: Sequence[Element]
    missing: bool = False


@dataclass(frozen=True)
class Report:
    """What a page says.

    Args:
        title: of the page.
        lead: the sentences that stand first, each a paragraph.
        sections: in order.
        footer: one line at the end: what made it, when.
    """

    title: str
    lead: Sequence[str] = ()
    sections: Sequence[Section] = field(default=())
    footer: str = ""

    def to_html(self) -> str:
        """Return the page: one document that asks for nothing else."""
        return "<!doctype html>\n" + to_html(self._document()) + "\n"

    def _document(self) -> Element:
        names = _identifiers([section.title for section in self.sections])
        contents = [
            element("li", element("a", section.title, href=f"#{name}"))
            for name, section in zip(names, self.sections, strict=True)
            if not section.missing
        ]
        header = element(
            "header", element("h1", self.title), *(paragraph(sentence) for sentence in self.lead)
        )
        main = element("main")
        for name, section in zip(names, self.sections, strict=True):
            heading = element("h2", section.title, id=f"{name}-title")
            main.append(
                element(
                    "section",
                    heading,
                    *section.body,
                    id=name,
                    aria_labelledby=f"{name}-title",
                    class_="missing" if section.missing else None,
                )
            )
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", self.title),
            element("link", rel="icon", href="data:,"),
            element("style", STYLE),
        )
        body = element(
            "body",
            header,
            element("nav", element("ul", *contents), aria_label="Contents") if len(contents) > 1 else None,
            main,
            element("footer", paragraph(self.footer)) if self.footer else None,
        )
        return element("html", head, body, lang="en")


def write(report: Report, path: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        report: what it says.
        path: of the HTML file; folders above it are made.

    Returns:
        `path`.

    Raises:
        HandsightError: where it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(report.to_html(), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise HandsightError(
            f"cannot write {path} ({error.strerror or error}); give a file in a folder that can be written,"
            " or make room"
        ) from error
    return path


def missing_section(title: str, sentence: str) -> Section:
    """Say that something is not there, and how to get it."""
    return Section(title, (paragraph(sentence, class_="note"),), missing=True)


def _identifiers(titles: Sequence[str]) -> list[str]:
    """Return an id per title, each once."""
    found: list[str] = []
    for title in titles:
        base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        name, number = base, 2
        while name in found:
            name, number = f"{base}-{number}", number + 1
        found.append(name)
    return found
