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


def test_a_mesh_that_is_cut_off_is_named_and_nothing_is_recorded(handsight, tmp_path):
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "cup.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2")
    out = tmp_path / "data"
    status, _, told = handsight("collect", "tabletop", "--out", out, "--objects-dir", tmp_path / "things")
    assert status == 2
    assert told.count("\n") == 1
    assert "cup.obj cannot be read as a mesh (line 6, 'f 1 2', is no face of three corners); mend it" in told
    assert not out.exists()
