import numpy as np
import pytest
import torch
from PIL import Image

from handsight.cli import run
from handsight.encoders import Encoder
from handsight.methods.segmenter import Segmenter
from handsight.objectives.interaction import InteractionHeads

SIZE = 90


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    encoder = Encoder("unet-interaction", SIZE, options={"width": 0.1})
    Segmenter(encoder, InteractionHeads(encoder.tap_shape("map")[0], hidden=8, coordinate_scale=0.5)).save(
        folder
    )
    return folder


@pytest.fixture
def picture(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "view.png"
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save(path)
    np.save(tmp_path / "depth.npy", np.full((60, 80), 1.2, np.float32))
    Image.fromarray(np.full((60, 80), 1200, np.uint16)).save(tmp_path / "depth.png")
    return path


def test_things_are_listed_and_drawn(trained, picture, capsys):
    assert run(["segment", str(picture), str(trained), "--threshold", "0.01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    drawn = picture.with_name("view-things.png")
    count = len(lines) - 1
    assert count > 0
    assert lines[-1] == f"{count} things, red light, green medium, blue heavy: {drawn}"
    scores = [float(line.split()[1]) for line in lines[:-1]]
    assert scores == sorted(scores, reverse=True)
    assert {line.split()[2] for line in lines[:-1]} <= {"light", "medium", "heavy"}
    sheet = np.asarray(Image.open(drawn))
    half = (sheet.shape[1] - 6) // 2
    before, after = sheet[:, :half], sheet[:, -half:]
    original = np.asarray(Image.open(picture))
    scale = len(before) // 60
    np.testing.assert_array_equal(before[::scale, ::scale], original)
    assert (before != after).any()


def test_depth_in_metres_and_in_millimetres_say_the_same(trained, picture, capsys):
    said = []
    for depth in (["depth.npy"], ["depth.png", "--depth-scale", "0.001"]):
        name, *rest = depth
        out = picture.with_name(f"{name}-things.png")
        arguments = ["--depth", str(picture.with_name(name)), *rest, "--threshold", "0.01", "--out", str(out)]
        assert run(["segment", str(picture), str(trained), *arguments]) == 0
        said.append(capsys.readouterr().out.splitlines()[:-1])
        assert out.exists()
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--threshold", "1.5"], "threshold is 1.5; give a score between 0 and 1"),
        (
            ["--depth", "depth.png"],
            "holds whole numbers (uint16); say how many metres a unit is: --depth-scale 0.001",
        ),
        (["--depth", "depth.png", "--depth-scale", "1"], "it looks like millimetres: divide by 1000"),
        (["--depth", "none.npy"], "none.npy is not there; give a file of depths"),
        (["--depth", "small.npy"], "has shape [3, 3], the picture [60, 80]; give a depth for every pixel"),
        (["--depth", "text.npy"], "is no depth that can be read; give .npy, or a 16-bit PNG"),
        (["--depth", "empty.npy"], "is no depth that can be read; give .npy, or a 16-bit PNG"),
        (["--depth", "vast.png"], "is no depth that can be read; give .npy, or a 16-bit PNG"),
        (["--depth", "words.npy"], "words.npy holds <U3; give a depth, metres or whole numbers"),
        (["--depth", "several.npy"], "several.npy holds several arrays; give a depth"),
        (
            ["--depth-scale", "0.001"],
            "--depth-scale is 0.001, and there is no --depth; give both, or neither",
        ),
        (["--depth", "depth.png", "--depth-scale", "0"], "--depth-scale is 0; give metres to a unit, as in"),
        (
            ["--out", "things"],
            "things cannot be drawn to; give a PNG or JPEG in a folder that is there: --out",
        ),
        (["--out", "none/things.png"], "none/things.png cannot be drawn to; give a PNG or JPEG"),
    ],
)
def test_bad_input_is_told_in_a_line(extra, said, trained, picture, capsys, monkeypatch):
    np.save(picture.with_name("small.npy"), np.ones((3, 3), np.float32))
    picture.with_name("text.npy").write_text("no numbers")
    picture.with_name("empty.npy").write_bytes(b"")
    np.save(picture.with_name("words.npy"), np.full((60, 80), "far"))
    with open(picture.with_name("several.npy"), "wb") as file:
        np.savez(file, one=np.ones((60, 80)), other=np.ones((60, 80)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)  # as if it had 180 million pixels
    Image.fromarray(np.ones((120, 100), np.uint8)).save(picture.with_name("vast.png"))
    monkeypatch.chdir(picture.parent)
    assert run(["segment", str(picture), str(trained), *extra]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert error.count("\n") == 0


def test_of_sixteen_bits_the_upper_eight_are_seen(trained, picture, capsys):
    grey = np.asarray(Image.open(picture))[:, :, 0]
    said = []
    for name, values in (("8.png", grey), ("16.png", grey.astype(np.uint16) << 8)):
        Image.fromarray(values).save(picture.with_name(name))
        assert run(["segment", str(picture.with_name(name)), str(trained), "--threshold", "0.01"]) == 0
        said.append(capsys.readouterr().out.splitlines()[:-1])
    assert said[0] == said[1] != []


def test_what_is_no_picture_and_what_tells_no_things(trained, picture, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("a table")
    assert run(["segment", str(tmp_path / "notes.txt"), str(trained)]) == 2
    assert "notes.txt cannot be read as an image (it is none of the known image" in capsys.readouterr().err
    Encoder("resnet18", 32, options={"channels": [4, 4, 8, 8], "stem_width": 4}).save(
        tmp_path / "plain" / "encoder"
    )
    assert run(["segment", str(picture), str(tmp_path / "plain")]) == 2
    assert (
        "its encoder was trained without telling things apart; give a run of learning-to-interact"
        in capsys.readouterr().err
    )
