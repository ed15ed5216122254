"""A strict reading of a page, that every test of a section shares."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import pytest

from handsight.report import Report, Section

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Read(HTMLParser):
    """What a page holds; reading fails where it is not well formed or would ask for something outside."""

    open_tags: list = field(default_factory=list)
    tags: list = field(default_factory=list)
    words: list = field(default_factory=list)
    rows: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    def __hash__(self):
        return id(self)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        assert len(found) == len(attributes), f"{tag} says an attribute twice"
        self.tags.append((tag, found))
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            if name in found:
                assert found[name].startswith(("data:", "#")), f"{tag} asks for {found[name][:60]}"
        assert not any(name.startswith("on") for name in found)
        if tag == "img":
            assert found.get("alt"), "a picture without a text"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open_tags, f"</{tag}> closes nothing"
        assert self.open_tags.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if "style" in self.open_tags:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.words.append(data)
        if self.rows and {"td", "th"} & set(self.open_tags):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return "".join(self.words)

    def count(self, tag, class_=None):
        return sum(
            t == tag and (class_ is None or class_ in a.get("class", "").split()) for t, a in self.tags
        )


def read_html(html):
    page = Read()
    page.feed(html)
    page.close()
    assert page.open_tags == []
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names)), "an id stands twice"
    for tag, attributes in page.tags:
        if tag == "a":
            assert attributes["href"][1:] in names
    assert all(row for row in page.rows)
    assert page.count("caption") == page.count("table")
    return page


@pytest.fixture
def read():
    """Read a section or a report strictly."""

    def reading(what):
        report = Report("A page", (), (what,)) if isinstance(what, Section) else what
        return read_html(report.to_html())

    return reading


@pytest.fixture
def frames():
    """Give smooth random pictures, uint8 `[count, size, size, 3]`."""

    def make(count, size=32, seed=0):
        return np.random.default_rng(seed).integers(0, 255, (count, size, size, 3), dtype=np.uint8)

    return make
