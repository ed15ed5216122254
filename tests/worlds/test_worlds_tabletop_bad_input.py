"""What goes wrong on the tabletop: meshes that are none, things that fall or explode, other angles."""

import itertools
import struct

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.worlds import collect
from handsight.worlds.tabletop import Tabletop, scenes
from handsight.worlds.tabletop import interactions as acts
from handsight.worlds.tabletop.bench import TABLE_M
from handsight.worlds.tabletop.interactions import Push

POINTS = [(x, y, z) for x in (-1, 1) for y in (-0.4, 0.4) for z in (-0.5, 0.5)]
FACES = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]
TRIANGLES = [[POINTS[number - 1] for number in (a, b, c)] for a, b, c, _ in FACES]
SMALL = {"image_size": 48, "finishes": "plain", "antialias": False, "interactions": ("push",)}


def obj(points=POINTS, faces=FACES):
    lines = ["v {} {} {}".format(*point) for point in points]
    lines += ["f " + " ".join(map(str, face)) for face in faces]
    return ("\n".join(lines) + "\n").encode()


def stl(triangles):
    each = (struct.pack("<12fH", 0, 0, 0, *np.ravel(triangle), 0) for triangle in triangles)
    return b"\0" * 80 + struct.pack("<I", len(triangles)) + b"".join(each)


NOT_A_NUMBER = [(float("nan"), 0, 0), *POINTS[1:]]
FLAT = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
MJCF = b'<mujoco><worldbody><body><geom type="box" size="1 nan 1"/></body></worldbody></mujoco>'

NO_MESHES = {
    "empty.obj": (b"", "it has no faces"),
    "empty.stl": (b"", "STL file '.*empty.stl' is empty"),
    "points.obj": (obj(faces=[]), "it has no faces"),
    "flat.obj": (obj(FLAT, [(1, 2, 3, 4)]), "coplanar vertices"),
    "triangle.stl": (stl(TRIANGLES[:1]), "at least 4 vertices required"),
    "line.obj": (obj([(x, 0, 0) for x in range(4)], [(1, 2, 3), (2, 3, 4)]), "collinear vertices"),
    "point.obj": (obj([(1, 1, 1)] * 8), "colocated vertices"),
    "grain.obj": (obj(1e-9 * np.array(POINTS)), "surface area is too small"),
    "nan.obj": (obj(NOT_A_NUMBER), "line 1, 'v nan 0 0', is no point of three finite numbers"),
    "inf.obj": (obj([(0, float("inf"), 0), *POINTS]), "line 1, 'v 0 inf 0', is no point"),
    "nan.stl": (stl([NOT_A_NUMBER[:3], *TRIANGLES]), "vertex coordinate 0 is not finite"),
    "nan.xml": (MJCF, "nan size in geom"),
    "words.obj": (b"v left up 0\n" + obj(), "line 1, 'v left up 0', is no point"),
    "cut-face.obj": (obj()[:-4], "line 14, 'f 2 6', is no face of three corners"),
    "cut-point.obj": (obj()[:20], "line 2, 'v -1', is no point of three finite numbers"),
    "cut.stl": (stl(TRIANGLES)[:-30], "has wrong size"),
    "cut-head.stl": (stl(TRIANGLES)[:60], "invalid header"),
    "beyond.obj": (obj(faces=[*FACES, (1, 2, 9)]), "vertex index 8 does not exist"),
}


@pytest.mark.parametrize("name", NO_MESHES)
def test_what_is_no_mesh_is_named_in_one_line_before_anything_is_recorded(tmp_path, monkeypatch, name):
    content, reason = NO_MESHES[name]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "whole.obj").write_bytes(obj())
    (tmp_path / "things" / name).write_bytes(content)
    with pytest.raises(HandsightError, match=reason) as said:
        Tabletop(objects_dir=tmp_path / "things", **SMALL)
    line = str(said.value)
    assert line.startswith(f"{tmp_path / 'things' / name} cannot be read as a mesh (")
    assert line.endswith("); mend it or take it away")
    assert "\n" not in line
    assert not list(elsewhere.iterdir())  # MuJoCo's log


@pytest.mark.parametrize("faces", [[*FACES, (1, 2, 8), (1, 4, 7)], FACES[:-2]], ids=["faces inside", "open"])
def test_a_mesh_that_is_no_closed_surface_is_played_with_as_its_hull(tmp_path, faces):
    (tmp_path / "thing.obj").write_bytes(obj(faces=faces))
    world = Tabletop(objects_dir=tmp_path, **SMALL)
    try:
        assert world.episode(1, 0).facts["moved_m"] > 0.005
    finally:
        world.close()


def test_what_falls_off_and_what_explodes_is_discarded_counted_and_reported(tmp_path, monkeypatch):
    """Of three pushes one goes over the table's edge and one leaves the object with a speed beyond all."""
    real, turns = acts.push, itertools.count()

    def push(bench, done):
        turn = next(turns) % 3
        if turn == 0:
            place, rotation = bench.pose(0)
            bench.put(0, np.array([TABLE_M - 0.03, 0, place[2]]), rotation)
            real(bench, Push(np.array([TABLE_M - 0.13, 0]), np.array([TABLE_M - 0.001, 0]), 0.012))
        elif turn == 1:
            bench._data.qvel[4:7] = 1e3
            bench.settle()
        else:
            real(bench, done)

    monkeypatch.setattr(scenes.acts, "push", push)
    world = Tabletop(objects_dir=None, categories=("mug",), **SMALL)
    collect(world, tmp_path / "out", 3, seed=1)
    recording = Recording(tmp_path / "out")
    discarded = np.asarray(recording.facts["discarded"])
    assert (discarded >= 2).all()
    assert next(turns) <= discarded.sum() + 3  # some were lost before the push
    assert all(np.asarray(recording.facts["moved_m"]) < TABLE_M)
    said = world.report(recording)
    assert f"discarded and done anew: {discarded.sum()} of {discarded.sum() + 3} interactions" in said


def test_the_world_tries_no_other_angle_than_the_18(monkeypatch):
    tried = []
    monkeypatch.setattr(scenes.acts, "grasp", lambda bench, number, place, angle: tried.append(angle))
    world = Tabletop(**SMALL | {"interactions": ("grasp",)})
    try:
        episodes = [world.episode(3, index) for index in range(60)]
    finally:
        world.close()
    bins = [episode.facts["angle_bin"] for episode in episodes]
    assert [acts.bin_of_angle(angle) for angle in tried] == bins
    assert len(set(bins)) > 12
    for episode, angle in zip(episodes, tried, strict=True):
        np.testing.assert_allclose(episode.frames["grasp.angle_rad"], angle, rtol=1e-6)
