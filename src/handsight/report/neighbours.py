"""Nearest neighbours: pictures, and what an encoder finds most similar among other objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.report.markup import Element, element, paragraph
from handsight.report.page import Section
from handsight.report.pictures import Frame, check_frames, still

PICTURE_PX = 72


@dataclass(frozen=True)
class Neighbour:
    """A picture that was found.

    Args:
        frame: uint8 `[h, w, 3]`.
        category: what is seen.
        same_object: whether it is the query's own object.
        same_category: whether it is of the query's category.
    """

    frame: Frame
    category: str
    same_object: bool
    same_category: bool

    def __post_init__(self) -> None:
        check_frames(self.frame, 3, "a neighbour")


@dataclass(frozen=True)
class Query:
    """A picture that was asked with, uint8 `[h, w, 3]`, and what was found, nearest first."""

    frame: Frame
    category: str
    neighbours: Sequence[Neighbour]

    def __post_init__(self) -> None:
        check_frames(self.frame, 3, "a query")


def find_neighbours(
    embeddings: NDArray[np.floating],
    frames: Frame,
    categories: Sequence[str],
    objects: NDArray[np.int64],
    queries: Sequence[int],
    count: int = 6,
) -> list[Query]:
    """Find the most similar pictures by cosine, one per object, the query's own object left out.

    Args:
        embeddings: `[N, D]`, finite, standardised as the evaluation has them.
        frames: uint8 `[N, h, w, 3]`.
        categories: `[N]`.
        objects: `[N]`.
        queries: rows to ask with.
        count: how many to find for each.
    """
    lengths = {len(embeddings), len(frames), len(categories), len(objects)}
    if len(lengths) != 1:
        raise HandsightError(
            f"neighbours got {len(embeddings)} embeddings, {len(frames)} frames, {len(categories)} "
            f"categories and {len(objects)} objects; expected as many of each"
        )
    rows = np.asarray(embeddings, dtype=np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    found = []
    for query in queries:
        order = np.argsort(-(unit @ unit[query]), kind="stable")
        seen = {int(objects[query])}
        nearest: list[Neighbour] = []
        for row in order:
            if len(nearest) == count:
                break
            if int(objects[row]) not in seen:
                seen.add(int(objects[row]))
                same = categories[row] == categories[query]
                nearest.append(Neighbour(frames[row], categories[row], False, same))
        found.append(Query(frames[query], categories[query], nearest))
    return found


def neighbours_section(
    encoders: Mapping[str, Sequence[Query]], title: str = "Nearest neighbours", intro: str = ""
) -> Section:
    """Show queries with what each encoder finds; the same queries of several encoders stand together."""
    if not any(encoders.values()):
        return Section(title, (paragraph("No neighbours were looked for.", class_="note"),), missing=True)
    text = intro or (
        "On the left a picture of an object that no encoder was trained on; beside it the most similar "
        "pictures of other objects. ✓ marks the same category, ✗ another."
    )
    tally = element(
        "ul", *(element("li", _tally(name, queries)) for name, queries in encoders.items()), class_="notes"
    )
    groups = _by_query(encoders) if _alike(encoders) else _by_encoder(encoders)
    return Section(title, (paragraph(text), *groups, tally))


def _alike(encoders: Mapping[str, Sequence[Query]]) -> bool:
    first, *others = encoders.values()
    return all(
        len(queries) == len(first)
        and all(
            np.array_equal(a.frame, b.frame) and a.category == b.category
            for a, b in zip(first, queries, strict=True)
        )
        for queries in others
    )


def _by_query(encoders: Mapping[str, Sequence[Query]]) -> list[Element]:
    first = next(iter(encoders.values()))
    groups = []
    for number, query in enumerate(first):
        rows = [
            element("div", element("p", name, class_="encoder"), _row(queries[number]))
            for name, queries in encoders.items()
        ]
        groups.append(
            element("figure", _asked(query), element("div", *rows, class_="answers"), class_="query")
        )
    return groups


def _by_encoder(encoders: Mapping[str, Sequence[Query]]) -> list[Element]:
    parts: list[Element] = []
    for name, queries in encoders.items():
        parts.append(element("h3", name))
        for query in queries:
            answers = element("div", element("div", _row(query)), class_="answers")
            parts.append(element("figure", _asked(query), answers, class_="query"))
    return parts


def _asked(query: Query) -> Element:
    picture = still(query.frame, f"Query: {query.category}", PICTURE_PX * 2)
    return element("figcaption", picture, element("b", query.category), class_="asked")


def _row(query: Query) -> Element:
    items = []
    for neighbour in query.neighbours:
        kind, sign, words = _verdict(neighbour)
        picture = still(neighbour.frame, f"{neighbour.category}, {words}", PICTURE_PX)
        mark = element("span", sign, class_="sign", aria_hidden="true")
        items.append(element("li", picture, mark, element("span", neighbour.category), class_=kind))
    if not items:
        items.append(element("li", "nothing found"))
    return element("ol", *items, class_="found")


def _verdict(neighbour: Neighbour) -> tuple[str, str, str]:
    if neighbour.same_object:
        return "own", "=", "the same object"
    if neighbour.same_category:
        return "right", "✓", "the same category"
    return "wrong", "✗", "another category"


def _tally(name: str, queries: Sequence[Query]) -> str:
    shown = [neighbour for query in queries for neighbour in query.neighbours]
    right = sum(neighbour.same_category for neighbour in shown)
    return f"{name}: {right} of the {len(shown)} neighbours shown are of the query's category."
