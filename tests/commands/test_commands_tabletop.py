import numpy as np

from handsight.recordings import Recording


def test_collect_tabletop_says_what_came_of_it(handsight, tmp_path):
    out = tmp_path / "data"
    chosen = '["grasp", "push", "poke"]'
    options = ["--out", out, "--image-size", 48, "--workers", 1, "--interactions", chosen]
    status, said, told = handsight("collect", "tabletop", *options, "--count", 6)
    assert status == 0, told
    assert "grasp: 2 episodes, " in said
    assert "poke: 2 episodes; " in said
    assert "discarded and done anew: " in said
    recording = Recording(out)
    assert sorted(recording.facts["interaction"]) == ["grasp"] * 2 + ["poke"] * 2 + ["push"] * 2
    assert np.isfinite(recording.stream("poke.voltage_v")[: recording.num_frames]).all()
    assert handsight("info", out)[0] == 0


def test_an_interaction_that_there_is_not_is_refused(handsight, tmp_path):
    status, _, told = handsight("collect", "tabletop", "--out", tmp_path / "x", "--interactions", '["lick"]')
    assert status == 2
    assert told.count("\n") == 1
    assert "--interactions was given" in told
