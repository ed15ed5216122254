"""Figures of streams and pictures, against numpy over the whole."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handsight.recordings import Feature, Recording, Writer, check, stats
from handsight.recordings.episode_rows import EpisodeRows
from handsight.recordings.stats import (
    MAP_NUMBERS,
    PictureFigures,
    Total,
    from_lists,
    over_all,
    streams_figures,
    to_lists,
)

ELEMENTS = st.floats(-1e6, 1e6, width=32)


@given(
    st.lists(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(3)), elements=ELEMENTS),
        min_size=1,
        max_size=5,
    )
)
def test_episodes_add_up_to_the_whole(episodes):
    total = Total()
    for values in episodes:
        total.add(from_lists(to_lists(streams_figures({"stream": values})["stream"])))
    figures = total.figures()
    whole = np.concatenate(episodes).astype(np.float64)
    np.testing.assert_allclose(figures["mean"], whole.mean(axis=0), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(figures["std"], whole.std(axis=0), rtol=1e-6, atol=1e-3)
    np.testing.assert_array_equal(figures["min"], whole.min(axis=0))
    np.testing.assert_array_equal(figures["max"], whole.max(axis=0))
    assert figures["count"].tolist() == [len(whole)]


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 3)), elements=ELEMENTS))
def test_quantiles_of_one_episode_are_numpys(values):
    figures = streams_figures({"stream": values})["stream"]
    for name, share in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        np.testing.assert_allclose(figures[name], np.quantile(values, share, axis=0), rtol=1e-12, atol=1e-9)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_small_pictures_are_counted_whole(frames):
    counted = PictureFigures()
    for frame in frames:
        counted.add(frame)
    figures = counted.figures()
    pixels = frames.reshape(-1, 3) / 255
    assert figures["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(figures["mean"].ravel(), pixels.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(figures["std"].ravel(), pixels.std(axis=0), atol=1e-7)
    np.testing.assert_allclose(figures["min"].ravel(), pixels.min(axis=0))
    np.testing.assert_allclose(figures["max"].ravel(), pixels.max(axis=0))
    median = np.quantile(pixels, 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(figures["q50"].ravel(), median)
    assert figures["count"].tolist() == [len(frames)]


def test_large_pictures_are_thinned_evenly():
    ramp = np.broadcast_to(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (480, 640, 3))
    counted = PictureFigures()
    counted.add(ramp)
    np.testing.assert_allclose(counted.figures()["mean"].ravel(), ramp.mean() / 255, atol=0.02)


def test_streams_taken_together_or_a_few_columns_at_a_time_give_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    streams = {
        "one": generator.normal(size=(6, 1)),
        "grid": generator.normal(size=(6, 2, 3)).astype(np.float32),
        "flag": generator.integers(0, 2, (6, 1)).astype(bool),
        "count": generator.integers(0, 9, (6, 4), dtype=np.int16),
    }
    together = streams_figures(streams)
    monkeypatch.setattr(stats, "_VALUES", 13)  # two columns of six
    apart = streams_figures(streams)
    for name, values in streams.items():
        assert together[name].keys() == apart[name].keys()
        for key, value in together[name].items():
            np.testing.assert_array_equal(apart[name][key], value)
            assert value.shape == ((1,) if key == "count" else values.shape[1:])
        np.testing.assert_allclose(together[name]["std"], values.astype(float).std(axis=0), atol=1e-12)
        np.testing.assert_array_equal(together[name]["max"], values.max(axis=0))


def test_figures_that_some_episodes_lack_are_null_there_and_counted_elsewhere():
    figures = [streams_figures({"hand": np.full((2, 1), float(e))}) for e in range(3)]
    figures[1] = {}
    del figures[2]["hand"]["q50"]
    rows = EpisodeRows({}, {})
    for e, taken in enumerate(figures):
        rows.add({"episode_index": e, "tasks": ["push"]}, taken)
    table = rows.table()
    assert table.column("stats/hand/mean").to_pylist() == [[0.0], None, [2.0]]
    assert table.column("stats/hand/count").to_pylist() == [[2], None, [2]]
    assert "stats/hand/q50" not in table.column_names
    assert rows.totals()["hand"]["mean"].tolist() == [1.0]
    assert rows.totals()["hand"]["count"].tolist() == [4]


def test_maps_have_figures_over_all_their_numbers_however_they_are_taken(monkeypatch):
    maps = np.random.default_rng(1).normal(size=(5, 40, 30)).astype(np.float32)
    hands = np.arange(15.0).reshape(5, 3)
    together = streams_figures({"depth_m": maps, "hand": hands})
    assert list(together) == ["depth_m", "hand"]
    assert together["hand"]["mean"].tolist() == hands.mean(axis=0).tolist()
    figures, whole = together["depth_m"], maps.astype(np.float64)
    for name, wanted in (
        ("min", whole.min()), ("max", whole.max()), ("mean", whole.mean()), ("std", whole.std()),
        ("q01", np.quantile(whole, 0.01)), ("q90", np.quantile(whole, 0.9)),
    ):  # fmt: skip
        assert figures[name].shape == (1, 1)
        np.testing.assert_allclose(figures[name], wanted, rtol=1e-9)
    assert figures["count"].tolist() == [5]
    monkeypatch.setattr(stats, "_VALUES", 2 * 40 * 30)  # two frames at a time
    apart = streams_figures({"depth_m": maps})["depth_m"]
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(apart[name], figures[name], rtol=1e-9)


def test_figures_of_each_number_of_a_map_as_others_write_them_are_taken_together():
    maps = np.random.default_rng(2).normal(size=(7, 1, 40, 30))
    apart = {
        "min": maps.min(axis=0), "max": maps.max(axis=0), "mean": maps.mean(axis=0), "std": maps.std(axis=0),
        "count": np.array([7]),
    }  # fmt: skip
    together = over_all(apart, Feature("float64", (1, 40, 30)))
    assert together.keys() == apart.keys()
    for name, wanted in (
        ("min", maps.min()),
        ("max", maps.max()),
        ("mean", maps.mean()),
        ("std", maps.std()),
    ):
        assert together[name].shape == (1, 1, 1)
        np.testing.assert_allclose(together[name], wanted, rtol=1e-9)
    assert together["count"].tolist() == [7]
    narrow = {name: value[..., 0, 0, :3] if value.ndim > 1 else value for name, value in apart.items()}
    assert over_all(narrow, Feature("float64", (3,))) is narrow


def test_a_recording_of_maps_is_not_outgrown_by_its_figures(tmp_path):
    features = {"mask": Feature("bool", (2, 40, 40)), "few": Feature("float32", (MAP_NUMBERS,))}
    generator = np.random.default_rng(3)
    with Writer(tmp_path / "maps", features, 1) as writer:
        for _ in range(3):
            frame = {"mask": generator.random((2, 40, 40)) > 0.5, "few": np.zeros(MAP_NUMBERS, np.float32)}
            writer.add_frame(frame)
            writer.save_episode()
    taken = json.loads((tmp_path / "maps/meta/stats.json").read_text())
    assert np.shape(taken["mask"]["mean"]) == (1, 1, 1)
    assert np.shape(taken["few"]["mean"]) == (MAP_NUMBERS,)
    assert check(tmp_path / "maps") == []
    # Figures of each number, as this Handsight's forerunners wrote them, are gone on with.
    old = {
        name: np.full((2, 40, 40), value).tolist() for name, value in (("min", 0), ("max", 1), ("mean", 0.5))
    }
    old |= {"std": np.full((2, 40, 40), 0.5).tolist(), "count": [3]}
    (tmp_path / "maps/meta/stats.json").write_text(json.dumps(taken | {"mask": old}))
    assert check(tmp_path / "maps") == []
    with Writer(tmp_path / "maps", features, 1) as writer:
        writer.add_frame({"mask": np.ones((2, 40, 40), bool), "few": np.zeros(MAP_NUMBERS, np.float32)})
        writer.save_episode()
    taken = json.loads((tmp_path / "maps/meta/stats.json").read_text())
    assert taken["mask"]["count"] == [4]
    np.testing.assert_allclose(taken["mask"]["mean"], [[[0.625]]])
    assert Recording(tmp_path / "maps").num_episodes == 4
