"""The page itself: well formed, self-contained, escaped, written whole."""

import os
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.report import (
    Clip,
    EmbeddingMap,
    Report,
    Section,
    clips_section,
    curves_section,
    facts_section,
    find_neighbours,
    map_section,
    missing_section,
    neighbours_section,
    write,
)
from handsight.report.facts import in_time
from handsight.report.markup import element, printable, to_html

EVIL = "<b>&\"'</title></style><script>alert(1)</script>"


def test_every_part_escapes_names(read, frames):
    embeddings = np.random.default_rng(0).normal(size=(6, 4))
    pictures, names = frames(6), [EVIL, EVIL, "mug", "mug", "cup", "cup"]
    queries = find_neighbours(embeddings, pictures, names, np.arange(6), [0], count=2)
    sections = [
        clips_section([Clip(pictures, EVIL, EVIL, np.ones((5, 2)), names=(EVIL, "y"), unit=EVIL)]),
        curves_section({EVIL: [{"step": 0, EVIL: 1.0}], "other": [{"step": 0, EVIL: 2.0}]}),
        neighbours_section({EVIL: queries}),
        map_section([EmbeddingMap(EVIL, embeddings[:, :2], names, pictures)]),
        facts_section({EVIL: EVIL}, {EVIL: EVIL}),
        missing_section(EVIL, EVIL),
    ]
    page = read(Report(EVIL, (EVIL,), sections, EVIL))
    assert page.count("script") == 0
    assert page.count("b") == page.count("figcaption", "asked") + page.count("figure", "clip")
    assert EVIL in page.text
    assert all("script" not in attributes for _, attributes in page.tags)


@given(st.text(max_size=60))
def test_any_text_survives(text):
    page = HTMLText()
    page.feed(to_html(element("p", text, title=text)))
    page.close()
    assert page.found == [printable(text)] * 2
    assert not set(page.found[0]) & set("\0\x1b\x85\ud800")


class HTMLText(HTMLParser):
    """Collects the title of the first tag and the text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = ["", ""]

    def handle_starttag(self, tag, attributes):
        assert tag == "p"
        self.found[0] += dict(attributes)["title"]

    def handle_data(self, data):
        self.found[1] += data


def test_contents_link_to_sections_that_say_something(read):
    body = (element("p", "hello"),)
    report = Report("T", (), (Section("Map", body), Section("Map", body), missing_section("Gone", "why")))
    page = read(report)
    assert [a["href"] for tag, a in page.tags if tag == "a"] == ["#map", "#map-2"]
    assert "why" in page.text


def test_an_empty_report_is_a_page(read):
    page = read(Report("Nothing yet"))
    assert page.count("h1") == 1
    assert page.count("nav") == 0


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report" / "index.html"
    assert write(Report("First"), path) == path
    before = path.read_text(encoding="utf-8")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(
        HandsightError, match=r"cannot write .*index.html \(No space left on device\); give a file"
    ):
        write(Report("Second"), path)
    assert path.read_text(encoding="utf-8") == before
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(HandsightError, match=r"cannot write .*; give a file in a folder that can be written"):
        write(Report("T"), tmp_path / "report" / "index.html")
    assert (tmp_path / "report").read_text() == "mine"


def test_facts_hold_what_was_given(read):
    page = read(facts_section({"seed": 7, "command": "handsight demo"}, {"method": {"name": "simclr"}}))
    assert ["seed", "7"] in page.rows
    assert "method:\n  name: simclr\n" in page.text
    assert read(facts_section({})).text.endswith("Nothing was written down.\n")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.44, "0.4 s"),
        (59, "59 s"),
        (59.7, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (3840, "1 h 04 min"),
        (float("nan"), "not known"),
    ],
)
def test_durations_in_words(seconds, words):
    assert in_time(seconds) == words
