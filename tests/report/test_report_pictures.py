"""Neighbours and maps: what is shown is what is near."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.report import (
    Clip,
    EmbeddingMap,
    Neighbour,
    Query,
    Report,
    choose_rows,
    clips_section,
    embed_2d,
    find_neighbours,
    map_section,
    neighbours_section,
    write,
)
from handsight.report.map import LABEL_PX, SIDE, spread_labels


def test_neighbours_are_the_nearest_by_cosine_one_an_object_and_never_the_own(frames):
    generator = np.random.default_rng(0)
    embeddings, objects = generator.normal(size=(40, 5)), np.repeat(np.arange(10), 4)
    names, pictures = [f"c{number % 3}" for number in objects], frames(40, 8)
    (query,) = find_neighbours(embeddings, pictures, names, objects, [6], count=5)
    similarity = [
        embeddings[6] @ row / np.linalg.norm(embeddings[6]) / np.linalg.norm(row) for row in embeddings
    ]
    best = {
        o: max(s for s, mine in zip(similarity, objects, strict=True) if mine == o)
        for o in set(objects.tolist()) - {1}
    }
    wanted = sorted(best, key=best.get, reverse=True)[:5]
    shown = [next(r for r in range(40) if np.array_equal(pictures[r], n.frame)) for n in query.neighbours]
    assert [int(objects[row]) for row in shown] == wanted
    assert [n.same_category for n in query.neighbours] == [names[row] == names[6] for row in shown]
    assert not any(n.same_object for n in query.neighbours)


def test_fewer_objects_than_asked_for(frames):
    (query,) = find_neighbours(np.eye(3), frames(3), ["a", "a", "b"], np.array([0, 0, 1]), [0], count=6)
    assert [n.category for n in query.neighbours] == ["b"]


def test_lengths_that_differ_are_refused(frames):
    with pytest.raises(
        HandsightError,
        match="got 3 embeddings, 2 frames, 3 categories and 3 objects; expected as many of each",
    ):
        find_neighbours(np.eye(3), frames(2), ["a"] * 3, np.arange(3), [0])


def neighbours(frames):
    pictures = frames(4, 16)
    found = [
        Neighbour(pictures[1], "mug", False, True),
        Neighbour(pictures[2], "cup", False, False),
        Neighbour(pictures[3], "mug", True, True),
    ]
    return Query(pictures[0], "mug", found)


def test_right_and_wrong_are_told_in_sign_and_word(read, frames):
    page = read(neighbours_section({"SimCLR": [neighbours(frames)]}))
    alts = [a["alt"] for tag, a in page.tags if tag == "img"]
    assert alts == ["Query: mug", "mug, the same category", "cup, another category", "mug, the same object"]
    assert [page.count("li", kind) for kind in ("right", "wrong", "own")] == [1, 1, 1]
    assert "✓mug✗cup=mug" in page.text
    assert "SimCLR: 2 of the 3 neighbours shown" in page.text


def test_the_same_queries_stand_together_and_others_apart(read, frames):
    query = neighbours(frames)
    together = read(neighbours_section({"a": [query], "b": [query]}))
    assert together.count("figure", "query") == 1
    other = Query(frames(1, 16, seed=9)[0], "cup", ())
    apart = read(neighbours_section({"a": [query], "b": [other]}))
    assert apart.count("figure", "query") == 2
    assert "nothing found" in apart.text
    assert "No neighbours were looked for." in read(neighbours_section({})).text
    assert "No neighbours were looked for." in read(neighbours_section({"a": []})).text


def test_a_map_keeps_clusters_apart_and_is_a_function_of_the_seed():
    generator = np.random.default_rng(0)
    cluster = np.repeat(np.arange(3), 20)
    features = np.eye(3)[cluster] @ generator.normal(size=(3, 12)) * 8 + generator.normal(size=(60, 12))
    points = embed_2d(features, seed=1)
    np.testing.assert_array_equal(points, embed_2d(features, seed=1))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(60) * 1e9
    assert (cluster[distance.argmin(axis=1)] == cluster).all()


def test_a_collapsed_encoder_has_a_map_too():
    assert np.isfinite(embed_2d(np.ones((12, 8)), 0)).all()
    assert np.isfinite(embed_2d(np.random.default_rng(0).normal(size=(12, 1)), 0)).all()


@pytest.mark.parametrize(
    "features", [np.zeros((2, 4)), np.zeros((2001, 4)), np.full((5, 4), np.nan), np.zeros(5)]
)
def test_features_without_a_map_are_refused(features):
    with pytest.raises(
        HandsightError, match=r"a map was asked of features .* expected 3 to 2000 finite rows"
    ):
        embed_2d(features, 0)


def test_rows_of_a_map_are_few_and_the_same_for_all():
    rows = choose_rows(5000, np.random.default_rng(3), most=100)
    assert len(set(rows.tolist())) == 100
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, choose_rows(5000, np.random.default_rng(3), most=100))
    assert choose_rows(7, np.random.default_rng(0)).tolist() == list(range(7))


def test_every_point_and_every_category_is_drawn_in_every_map(read, frames):
    generator = np.random.default_rng(0)
    names = [f"kind {number}" for number in range(26)] * 3
    maps = [EmbeddingMap(name, generator.normal(size=(78, 2)), names, frames(78, 8)) for name in ("a", "b")]
    page = read(map_section(maps))
    paths = [a for tag, a in page.tags if "points" in a.get("class", "")]
    assert len(paths) == 2 * 26
    assert sum(path["d"].count("M") for path in paths) == 2 * 78
    places = [float(number) for path in paths for number in re.findall(r"[\d.]+(?= |h)", path["d"])]
    assert 0 <= min(places) <= max(places) <= SIDE
    colours = {path["class"]: path["style"] for path in paths}
    assert len(set(colours.values())) == 26
    assert page.count("image") == 2 * 26
    assert all(page.text.count(f"kind {number}") >= 3 for number in range(26))  # two maps and the key


def test_a_map_of_one_point_and_of_none(read):
    one = EmbeddingMap("a", np.array([[5.0, 5.0]]), ["mug"])
    assert read(map_section([one, EmbeddingMap("b", np.zeros((0, 2)), [])])).count("svg", "map") == 2
    assert "No map was made." in read(map_section([])).text


@pytest.mark.parametrize(
    ("points", "names", "pictures", "message"),
    [
        (np.zeros((3, 2)), ["a"], None, r"got points \[3, 2\] and 1 categories"),
        (np.full((1, 2), np.inf), ["a"], None, "expected finite points"),
        (np.zeros((1, 2)), ["a"], np.zeros((2, 4, 4, 3), np.uint8), "got 2 thumbnails for 1 points"),
    ],
)
def test_maps_that_do_not_fit_are_refused(points, names, pictures, message):
    with pytest.raises(HandsightError, match=message):
        EmbeddingMap("a", points, names, pictures)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 24))
def test_labels_do_not_cover_each_other(seed, count):
    middles = np.random.default_rng(seed).uniform(60, SIDE - 60, (count, 2))
    middles[: count // 2] = middles[0]  # many on one spot
    names = ["category"] * count
    places = spread_labels(middles, names)
    assert ((places >= 0) & (places <= SIDE)).all()
    width, height = len("category") * LABEL_PX * 0.5, LABEL_PX
    apart = np.abs(places[:, None] - places[None])
    covered = (apart[..., 0] < width * 0.9) & (apart[..., 1] < height * 0.9)
    np.fill_diagonal(covered, False)
    assert covered.sum() / 2 <= 0.05 * count


def test_a_full_page_is_small(tmp_path):
    y, x = np.mgrid[:128, :128] / 128
    generator = np.random.default_rng(0)
    slopes = generator.uniform(1, 9, (240, 2))
    pictures = np.stack(
        [np.stack([x, y, np.sin(a * x + b * y) / 2 + 0.5], axis=2) * 255 for a, b in slopes]
    ).astype(np.uint8)
    names, objects = [f"kind {n % 24}" for n in range(240)], np.arange(240)
    embeddings = generator.normal(size=(240, 8))
    rows = ("random", "SimCLR", "SimCLR-TT", "AA-SimCLR", "supervised")
    queries = find_neighbours(embeddings, pictures, names, objects, range(6))
    points = np.random.default_rng(1).normal(size=(2000, 2))
    thumbnails = np.broadcast_to(pictures[:1], (2000, 128, 128, 3))
    maps = [EmbeddingMap(row, points, [names[n % 24] for n in range(2000)], thumbnails) for row in rows]
    clips = [
        Clip(pictures[8 * n : 8 * n + 8], names[n], "train", np.ones((7, 1)), "angle", film=pictures[:20])
        for n in range(6)
    ]
    sections = (clips_section(clips), neighbours_section(dict.fromkeys(rows, queries)), map_section(maps))
    page = write(Report("Full", (), sections), tmp_path / "index.html")
    assert page.stat().st_size < 4e6
