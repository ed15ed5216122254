"""An encoder's folder: what is saved is what is loaded, and nothing else is taken for one."""

import json
import os

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file

from handsight.encoders import Encoder, folder, load_encoder
from handsight.errors import HandsightError

THIN = {"channels": (8, 8, 16, 24)}


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), dtype=np.uint8)


@pytest.fixture
def thin():
    torch.manual_seed(0)
    return Encoder("resnet18", 32, options=THIN)


def randomised(encoder):
    """Give batch norm statistics of its own, so that losing them would show."""
    with torch.no_grad():
        for name, buffer in encoder.trunk.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return encoder


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "resnet18", "options": THIN, "mean": (0.1234567891, 0.5, 0.4), "std": (0.3, 0.2, 0.1)},
        {"name": "vit_tiny_patch16_224", "fit": "crop"},
        {"name": "convnext_atto"},
        {"name": "torchvision/resnet18"},
    ],
    ids=lambda arguments: arguments["name"],
)
def test_round_trip_is_exact(arguments, frames, tmp_path):
    saved = randomised(Encoder(image_size=32, **arguments))
    saved.recipe = {"method": "simclr", "settings": {"temperature": 0.1, "heads": [1, 2]}}
    saved.scores = {"knn": 0.5}
    saved.save(tmp_path / "encoder")
    generator_before = torch.random.get_rng_state()
    loaded = load_encoder(tmp_path)  # a run folder is given as well as its encoder/
    assert torch.equal(torch.random.get_rng_state(), generator_before)
    assert loaded.metadata == saved.metadata
    assert not loaded.training
    wanted = saved.features(frames)
    assert all(torch.equal(value, wanted[tap]) for tap, value in loaded.features(frames).items())
    state = saved.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())


def test_metadata_says_everything(thin):
    assert thin.metadata["options"] == {"channels": [8, 8, 16, 24]}
    assert thin.metadata["embedding_size"] == 24
    thin.metadata["options"]["channels"].clear()
    assert thin.metadata["options"] == {"channels": [8, 8, 16, 24]}


def test_saving_twice_replaces_and_leaves_nothing_behind(thin, tmp_path, frames):
    thin.save(tmp_path)
    randomised(thin).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["encoder.json", "encoder.safetensors"]
    assert torch.equal(load_encoder(tmp_path).embed(frames), thin.embed(frames))


def test_a_failed_save_leaves_the_old_encoder(thin, tmp_path, frames, monkeypatch):
    thin.save(tmp_path)
    wanted = thin.embed(frames)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "fsync", full)
    with pytest.raises(HandsightError, match=r"cannot be saved in .*: No space left"):
        randomised(thin).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["encoder.json", "encoder.safetensors"]
    assert torch.equal(load_encoder(tmp_path).embed(frames), wanted)


def test_what_json_cannot_hold_is_refused_before_anything_is_written(thin, tmp_path):
    thin.scores = {"knn": float("nan")}
    with pytest.raises(HandsightError, match="cannot be written as JSON"):
        thin.save(tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_a_file_in_the_folders_place_is_refused(thin, tmp_path):
    (tmp_path / "encoder").write_text("notes")
    with pytest.raises(HandsightError, match="choose a folder"):
        thin.save(tmp_path / "encoder")
    assert (tmp_path / "encoder").read_text() == "notes"


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda at: (at / "encoder.json").unlink(), "holds no encoder.json"),
        (lambda at: (at / "encoder.safetensors").unlink(), "has no encoder.safetensors"),
        (lambda at: cut(at / "encoder.safetensors"), "cut off or damaged"),
        (lambda at: cut(at / "encoder.json"), "encoder.json cannot be read"),
        (lambda at: (at / "encoder.json").write_bytes(b"\xff\xfe"), "encoder.json cannot be read"),
        (lambda at: (at / "encoder.json").write_text("[]"), "describes no Handsight encoder"),
        (
            lambda at: (at / "encoder.json").write_text('{"format": "handsight-encoder"}'),
            "has encoder format None",
        ),
        (lambda at: change(at / "encoder.json", format_version=99), "this Handsight reads 1"),
        (lambda at: change(at / "encoder.json", fit="crop"), "are not of the same encoder"),
        (lambda at: change(at / "encoder.json", name=3), "are not of the same encoder"),
        (lambda at: save_file({}, at / "encoder.safetensors"), "are not of the same encoder"),
    ],
)
def test_damaged_folders_are_refused_in_one_line(thin, tmp_path, damage, message):
    thin.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(HandsightError, match=message) as caught:
        load_encoder(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(HandsightError, match=r"there is no .*nowhere; give an encoder folder"):
        load_encoder(tmp_path / "nowhere")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_timms_checkpoints_fill_the_trunk_and_their_classifier_is_left_out(suffix, frames, tmp_path):
    torch.manual_seed(1)
    theirs = timm.create_model("resnet18", num_classes=7, **THIN)
    path = tmp_path / f"theirs{suffix}"
    state = theirs.state_dict()
    if suffix == ".pth":
        torch.save(
            {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}, path
        )
    else:
        save_file(state, path)
    encoder = Encoder("resnet18", 32, options=THIN, weights=path)
    wanted = theirs.eval().forward_head(
        theirs.forward_features(encoder.preprocessing(torch.from_numpy(frames))), pre_logits=True
    )
    torch.testing.assert_close(encoder.embed(frames), wanted.detach(), rtol=1e-4, atol=1e-5)


def test_torchvisions_checkpoints_from_before_batch_counters_are_read(tmp_path):
    theirs = torchvision.models.resnet18(weights=None).state_dict()
    old = {name: value for name, value in theirs.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "resnet18.pth")
    for name in ("torchvision/resnet18", "resnet18"):
        encoder = Encoder(name, 32, weights=tmp_path / "resnet18.pth")
        assert torch.equal(encoder.trunk.layer4[1].conv2.weight, old["layer4.1.conv2.weight"])


def test_a_transformer_of_another_image_size_gets_its_position_embedding_resized(tmp_path):
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=64, num_classes=5)
    save_file(theirs.state_dict(), tmp_path / "vit.safetensors")
    encoder = Encoder("vit_tiny_patch16_224", 32, weights=tmp_path / "vit.safetensors")
    patches = encoder.trunk.pos_embed[:, 1:].unflatten(1, (2, 2)).permute(0, 3, 1, 2)
    source = theirs.pos_embed[:, 1:].unflatten(1, (4, 4)).permute(0, 3, 1, 2)
    wanted = torch.nn.functional.interpolate(source, size=(2, 2), mode="bicubic", antialias=True)
    torch.testing.assert_close(patches, wanted)


def test_an_encoder_begins_from_another(thin, tmp_path):
    randomised(thin).save(tmp_path / "run" / "encoder")
    for source in (
        tmp_path / "run",
        tmp_path / "run" / "encoder",
        tmp_path / "run/encoder/encoder.safetensors",
    ):
        twin = Encoder("resnet18", 48, options=THIN, weights=source, fit="crop")
        assert all(
            torch.equal(a, b)
            for a, b in zip(twin.state_dict().values(), thin.state_dict().values(), strict=True)
        )


def test_weights_of_another_network_are_refused_in_one_line(thin, tmp_path):
    thin.save(tmp_path)
    with pytest.raises(
        HandsightError,
        match=r"\(layer1.0.conv1.weight is \[8, 64, 3, 3\], .*; give name=resnet18 and options={.ch",
    ) as caught:
        Encoder("resnet18", 32, weights=tmp_path)
    assert "\n" not in str(caught.value)
    state = load_file(tmp_path / "encoder.safetensors")
    del state["conv1.weight"], state["layer1.0.conv1.weight"]
    save_file({**state, "projector.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    expected = (
        r"2 tensors missing \(conv1.weight, layer1.0.conv1.weight\), 1 tensors unknown \(projector.weight\)"
    )
    with pytest.raises(HandsightError, match=expected):
        Encoder("resnet18", 32, options=THIN, weights=tmp_path / "other.safetensors")


class Anything:
    """An object that only unpickling code could bring back."""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.pth", None, "there is no .*nothing is downloaded"),
        ("notes.txt", b"hello", "does not look like a checkpoint"),
        ("text.pth", b"hello", "cannot be read as a state dict"),
        ("text.safetensors", b"hello", "cannot be read as a state dict"),
        ("empty.pth", b"", "cannot be read as a state dict"),
    ],
)
def test_files_that_are_no_checkpoints_are_refused_in_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(HandsightError, match=message) as caught:
        Encoder("resnet18", 32, options=THIN, weights=tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": Anything()}, "cannot be read"),
        ([1, 2], "cannot be read"),
        ({"epoch": 3}, "holds no tensors"),
    ],
)
def test_pickled_objects_are_never_brought_to_life(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(HandsightError, match=message):
        Encoder("resnet18", 32, options=THIN, weights=tmp_path / "other.pth")
