import os
import struct
from pathlib import Path

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.worlds.meshes import read_objects
from handsight.worlds.shelf import MeshShelf
from handsight.worlds.turntable import Turntable

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], float)
FACES = [
    [0, 1, 3],
    [0, 3, 2],
    [4, 6, 7],
    [4, 7, 5],
    [0, 4, 5],
    [0, 5, 1],
    [2, 3, 7],
    [2, 7, 6],
    [0, 2, 6],
    [0, 6, 4],
    [1, 5, 7],
    [1, 7, 3],
]
OBJ = "".join("v {} {} {}\n".format(*corner) for corner in CUBE) + "".join(
    "f {} {} {}\n".format(*(np.array(face) + 1)) for face in FACES
)
MJCF = """<mujoco>
  <compiler meshdir="elsewhere"/>
  <include file="../shared.xml"/>
  <asset><mesh name="seen" file="meshes/seen.stl"/><mesh name="hull" file="meshes/hull.stl"/></asset>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body pos="0 0 10"><geom type="mesh" mesh="seen"/><geom type="mesh" mesh="hull" group="3"/>
      <body pos="0 0 4" euler="0 90 0"><geom type="cylinder" size="0.5 1"/></body></body>
  </worldbody>
</mujoco>"""

BALL = """<mujoco><asset><mesh name="dent" file="dent.stl"/></asset>
  <worldbody><geom type="sphere" size="2"/><geom type="mesh" mesh="dent"/></worldbody></mujoco>"""


def stl(scale=1.0):
    triangles = CUBE[np.array(FACES)] * scale
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *triangle.ravel(), 0) for triangle in triangles)
    return b"\0" * 80 + struct.pack("<I", len(triangles)) + body


@pytest.fixture
def folder(tmp_path):
    """One object of each format, and a category of two objects."""
    (tmp_path / "block.obj").write_text(OBJ)
    (tmp_path / "Brick.STL").write_bytes(stl())
    for name in ("crate/one", "crate/two"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "model.obj").write_text(OBJ)
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot/object.xml").write_text(MJCF)
    (tmp_path / "shared.xml").write_text("<mujoco><worldbody><light pos='0 0 3'/></worldbody></mujoco>")
    (tmp_path / "robot/seen.stl").write_bytes(stl())
    (tmp_path / "robot/hull.stl").write_bytes(stl(1.5))
    (tmp_path / "robot/stray.stl").write_bytes(stl(2))
    (tmp_path / "ball.xml").write_text(BALL)
    (tmp_path / "dent.stl").write_bytes(stl())
    (tmp_path / "notes.txt").write_text("not a mesh")
    return tmp_path


def extent(mesh_object):
    points = np.concatenate([part.mesh.vertices for part in mesh_object.parts])
    return points.min(0), points.max(0)


def test_obj_stl_and_mjcf_are_read(folder):
    objects = {group[0].category: group for group in read_objects(folder)}
    assert {category: len(group) for category, group in objects.items()} == {
        "Brick": 1,
        "ball": 1,
        "block": 1,
        "crate": 2,
        "robot": 1,
    }
    for category in ("block", "Brick"):
        low, high = extent(objects[category][0])
        np.testing.assert_allclose(high - low, [1, 2, 3], atol=1e-5)
        np.testing.assert_allclose(low, [0, 0, 0], atol=1e-5)
        assert objects[category][0].triangles_n == 12
    assert len({mesh_object.seed for group in objects.values() for mesh_object in group}) == 6


def test_mjcf_shows_what_is_seen_where_it_is(folder):
    (robot,) = (group[0] for group in read_objects(folder) if group[0].category == "robot")
    assert len(robot.parts) == 2
    cube, can = (part.mesh.vertices for part in robot.parts)
    np.testing.assert_allclose([cube.min(0), cube.max(0)], [[0, 0, 10], [1, 2, 13]], atol=1e-5)
    np.testing.assert_allclose([can.min(0), can.max(0)], [[-1, -0.5, 13.5], [1, 0.5, 14.5]], atol=0.02)


def test_up_turns_the_objects(folder):
    (block,) = (group[0] for group in read_objects(folder, up="y") if group[0].category == "block")
    low, high = extent(block)
    np.testing.assert_allclose([low, high], [[0, -3, 0], [1, 0, 2]], atol=1e-5)


def test_the_turntable_shows_them(folder):
    world = Turntable(image_size=24, views=3, objects_dir=folder)
    try:
        clips = [world.episode(0, index) for index in range(6)]
        assert [clip.facts["category"] for clip in clips] == [
            "Brick",
            "ball",
            "block",
            "crate",
            "robot",
            "Brick",
        ]
        assert clips[0].facts["object"] == clips[5].facts["object"]
        assert not np.array_equal(
            clips[0].frames["observation.images.camera"], clips[5].frames["observation.images.camera"]
        )
    finally:
        world.close()
    chosen = Turntable(objects_dir=folder, categories=("crate",))
    taken = {chosen._shelf.take(0, index)[0].seed for index in range(4)}
    assert len(taken) == 2


def test_splits_are_by_object_where_there_are_several(folder):
    shelf = MeshShelf(folder, "z", ("crate", "block"), 1)
    taken = [shelf.take(0, clip) for clip in range(80)]
    by_object = {}
    for shown, split in taken:
        by_object.setdefault((shown.category, shown.seed), set()).add(split)
    for (category, _), splits in by_object.items():
        assert len(splits) == (1 if category == "crate" else 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.obj", "v 0 0\nf 1 2 3\n", "broken.obj cannot be read as a mesh"),
        ("broken.stl", "solid nonsense", "broken.stl cannot be read as a mesh"),
        ("empty.obj", "", "empty.obj cannot be read as a mesh"),
        ("flat.obj", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "flat.obj cannot be read as a mesh"),
        (
            "odd.xml",
            "<mujoco><worldbody><geom type='cube'/></worldbody></mujoco>",
            "odd.xml cannot be read as a mesh",
        ),
        ("cut.xml", "<mujoco><worldbody>", "cut.xml is not XML"),
        ("bare.xml", "<mujoco><worldbody/></mujoco>", "bare.xml shows nothing"),
        (
            "lost.xml",
            "<mujoco><asset><mesh name='m' file='gone.stl'/></asset>"
            "<worldbody><geom type='mesh' mesh='m'/></worldbody></mujoco>",
            "lost.xml uses .*gone.stl, which is not there; put it into ",
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content, message):
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / name).write_text(content)
    with pytest.raises(HandsightError, match=message) as caught:
        read_objects(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_meshes_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(
        HandsightError, match=r"objects_dir .* holds no OBJ, STL or MJCF; each file or sub-folder"
    ):
        read_objects(tmp_path)
    with pytest.raises(HandsightError, match=r"objects_dir .*readme.txt is not a folder"):
        read_objects(tmp_path / "readme.txt")


def test_real_meshes():
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("HANDSIGHT_REAL_DATA", root / "../shared/data")) / "object-meshes"
    if not folder.is_dir():
        pytest.skip(f"no real meshes at {folder}")
    objects = read_objects(folder)
    assert len(objects) == 15
    assert {len(group) for group in objects} == {1}
    assert min(group[0].triangles_n for group in objects) > 1000
    world = Turntable(image_size=32, views=2, objects_dir=folder, categories=("mug", "elephant"))
    try:
        frames = world.episode(0, 1).frames["observation.images.camera"]
        assert frames.std() > 5
        assert world.episode(0, 1).facts["category"] == "elephant"
    finally:
        world.close()
