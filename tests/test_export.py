"""Export: what timm makes of the files is what the encoder says."""

import json
import re

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from handsight.encoders import Encoder, load_encoder
from handsight.errors import HandsightError
from handsight.export import export

THIN = {"channels": (8, 8, 16, 24)}
ENCODERS = {
    "resnet18": {"options": THIN, "fit": "crop", "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.3)},
    "resnet18.a1_in1k": {"options": THIN},
    "vit_tiny_patch16_224": {"fit": "crop"},
    "convnext_atto": {},
    "torchvision/resnet18": {},
}


@pytest.fixture
def photograph():
    """A picture with structure at all scales, wider than high."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((160, 120))
    return Image.fromarray((np.asarray(coarse) * 0.8 + rng.integers(0, 50, (120, 160, 3))).astype(np.uint8))


@pytest.mark.parametrize("name", ENCODERS)
def test_timm_loads_the_folder_and_says_the_same(name, photograph, tmp_path, monkeypatch):
    torch.manual_seed(0)
    encoder = Encoder(name, 48, **ENCODERS[name])
    encoder.save(tmp_path / "run" / "encoder")
    folder = export(tmp_path / "run", "timm", tmp_path / "exported")
    monkeypatch.chdir(tmp_path)
    model = timm.create_model("local-dir:exported", pretrained=True).eval()
    wanted = encoder.embed([photograph])

    exact = encoder.preprocessing(torch.from_numpy(np.array(photograph))[None])
    with torch.no_grad():
        torch.testing.assert_close(model(exact), wanted, rtol=1e-4, atol=1e-5)
        transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
        got = model(transform(photograph)[None])
    assert (
        got - wanted
    ).norm() < 0.03 * wanted.norm()  # PIL rounds to whole grey values, the encoder does not

    call = re.search(
        r"`(timm\.create_model\([^`]*checkpoint_path[^`]*\))`", (folder / "README.md").read_text()
    )
    assert call
    by_hand = eval(call[1], {"timm": timm}).eval()
    with torch.no_grad():
        torch.testing.assert_close(by_hand(exact), wanted, rtol=1e-4, atol=1e-5)


def test_what_takes_depth_takes_it_as_timms_fourth_channel(photograph, tmp_path, monkeypatch):
    encoder = Encoder("resnet18", 48, options={**THIN, "in_chans": 4})
    folder = export(encoder, "timm", tmp_path / "exported")
    monkeypatch.chdir(tmp_path)
    image = torch.from_numpy(np.array(photograph))[None]
    depth_m = torch.full((1, 120, 160), 1.4)
    seen = torch.cat([encoder.preprocessing(image), torch.full((1, 1, 48, 48), 1.4)], dim=1)
    call = re.search(r"`(timm\.create_model\([^`]*)`", (folder / "README.md").read_text())
    assert call
    for model in (timm.create_model("local-dir:exported", pretrained=True), eval(call[1], {"timm": timm})):
        with torch.no_grad():
            got = model.eval()(seen)
        torch.testing.assert_close(got, encoder.embed(image, depth_m=depth_m), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [THIN, {**THIN, "in_chans": 4}], ids=["colours", "depth"])
def test_the_readmes_own_lines_run(options, photograph, tmp_path, monkeypatch):
    encoder = Encoder("resnet18", 48, options=options)
    folder = export(encoder, "timm", tmp_path / "exported")
    monkeypatch.chdir(tmp_path)
    photograph.save("image.png")
    lines = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert lines
    names = {}
    exec(lines[1], names)
    assert names["embedding"].shape == (1, encoder.embedding_size)


def test_the_description_keeps_what_is_known(tmp_path):
    encoder = Encoder("resnet18", 48, options=THIN)
    encoder.scores = {"knn": 0.7}
    export(encoder, "timm", tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["handsight"] == encoder.metadata


def test_safetensors_are_the_trunks_weights_and_a_description(tmp_path):
    encoder = Encoder("resnet18", 48, options=THIN)
    export(encoder, "safetensors", tmp_path)
    state = load_file(tmp_path / "encoder.safetensors")
    assert all(torch.equal(state[name], value) for name, value in encoder.trunk.state_dict().items())
    assert load_encoder(tmp_path).metadata == encoder.metadata


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(HandsightError, match="no export to 'onnx'; the formats are safetensors, timm"):
        export(Encoder("resnet18", 48, options=THIN), "onnx", tmp_path)


@pytest.mark.parametrize(("to", "there"), [("timm", "README.md"), ("safetensors", "encoder.json")])
def test_files_that_are_there_are_not_replaced(tmp_path, to, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(HandsightError, match=f"has {there} already"):
        export(Encoder("resnet18", 48, options=THIN), to, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_network_that_timm_lacks_is_refused(tmp_path):
    encoder = Encoder("torchvision/resnet18", 48, options={"zero_init_residual": True})
    with pytest.raises(HandsightError, match="timm has no network that is torchvision/resnet18 with options"):
        export(encoder, "timm", tmp_path)


def test_a_trunk_that_was_changed_is_refused(tmp_path):
    encoder = Encoder("resnet18", 48, options=THIN)
    encoder.trunk.layer4 = torch.nn.Identity()
    with pytest.raises(HandsightError, match="timm's resnet18 is not the network in this encoder"):
        export(encoder, "timm", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_broken_weights_are_refused(tmp_path):
    encoder = Encoder("resnet18", 48, options=THIN)
    with torch.no_grad():
        encoder.trunk.conv1.weight.fill_(float("nan"))
    with pytest.raises(HandsightError, match="not finite"):
        export(encoder, "timm", tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(HandsightError, match="cannot be written"):
        export(Encoder("resnet18", 48, options=THIN), "timm", tmp_path / "file" / "folder")
