"""Elements of a page: a tree that the standard library writes, so that no name can become markup."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element as Element
from xml.etree.ElementTree import SubElement, tostring

Content = Element | str | None


def element(tag: str, *children: Content, **attributes: Any) -> Element:
    """Return an HTML or SVG element.

    Args:
        tag: its name.
        *children: elements and text, in order; None is left out.
        **attributes: a trailing underscore is dropped (`class_`), inner ones become hyphens (`stroke_width`);
            floats are written with two digits, None is left out, True is an attribute without a value.
    """
    made = Element(
        tag, {_name(key): _value(value) for key, value in attributes.items() if value not in (None, False)}
    )
    last: Element | None = None
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + printable(child)
            else:
                last.tail = (last.tail or "") + printable(child)
        else:
            made.append(child)
            last = child
    return made


def paragraph(text: str, class_: str | None = None) -> Element:
    """Return a paragraph of plain text."""
    return element("p", text, class_=class_)


def table(
    caption: str,
    headings: list[str],
    rows: list[list[Content]],
    class_: str | None = None,
    visible_caption: bool = False,
) -> Element:
    """Return a table whose first column names its rows, in a box that scrolls sideways."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    made = element(
        "table",
        element("caption", caption, class_=None if visible_caption else "unseen"),
        element("thead", head),
        class_=class_,
    )
    body = SubElement(made, "tbody")
    for first, *others in rows:
        body.append(
            element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))
        )
    return element("div", made, class_="wide", tabindex="0", role="region", aria_label=printable(caption))


def folded(summary: str, *children: Content) -> Element:
    """Return content that is shown when its summary is clicked."""
    return element("details", element("summary", summary), *children)


def printable(text: str) -> str:
    """Return text without characters that HTML does not allow: controls and lone surrogates."""
    kept = "".join(c if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f") else "\ufffd" for c in text)
    return kept.encode("utf-8", "replace").decode("utf-8")


def to_html(tree: Element) -> str:
    """Write an element out."""
    return tostring(tree, encoding="unicode", method="html")


def _name(key: str) -> str:
    key = key.rstrip("_")
    return key if key in ("viewBox",) else key.replace("_", "-")


def _value(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return printable(str(value))
