"""The commands one after another, from a world to an encoder in other hands."""

import json

import timm
import torch
from commands_samples import OWN_STREAMS, TINY

from handsight.encoders import load_encoder
from handsight.methods import METHODS


def test_from_a_world_to_an_exported_encoder(handsight, tmp_path):
    data, out = tmp_path / "turntable", tmp_path / "run"
    categories = '["mug", "chair", "car"]'
    status, said, _ = handsight(
        "collect",
        "turntable",
        "--out",
        data,
        "--count",
        "30",
        "--views",
        "4",
        "--image-size",
        "24",
        "--workers",
        "1",
        "--categories",
        categories,
    )
    assert status == 0
    assert "30 episodes" in said
    status, said, _ = handsight("info", data)
    assert status == 0
    assert "30 (120 frames" in said
    assert f"can train  {', '.join(name for name in METHODS if name not in OWN_STREAMS)}" in said
    assert handsight("check", data)[0] == 0
    pretrain = ["pretrain", "action-aware", "--data", data, "--out", out, "--steps", "3", *TINY]
    status, said, _ = handsight(*pretrain, "--dry-run")
    assert status == 0
    assert not out.exists()
    assert "3 steps of" in said
    assert handsight(*pretrain)[0] == 0
    assert handsight(*pretrain)[0] == 0  # again: nothing to do
    status, said, _ = handsight("evaluate", out)
    assert status == 0
    for row in ("random", "visual-only", "shuffled", "action-aware"):
        assert row in said
    assert (out / "controls" / "visual-only" / "encoder").is_dir()
    table = json.loads((out / "evaluation" / "objects.json").read_text())
    assert set(table["cells"]) == {"random", "visual-only", "shuffled", "action-aware"}
    assert handsight("report", out)[0] == 0
    assert "<html" in (out / "report" / "index.html").read_text()
    assert handsight("export", out, "--to", "timm")[0] == 0
    model = timm.create_model(
        "resnet18",
        checkpoint_path=str(out / "export-timm" / "model.safetensors"),
        num_classes=0,
        channels=[4, 4, 8, 8],
        stem_width=4,
    ).eval()
    images = torch.rand(2, 3, 16, 16)
    encoder = load_encoder(out)
    mean, std = encoder.preprocessing.mean.view(1, 3, 1, 1), encoder.preprocessing.std.view(1, 3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(model((images - mean) / std), encoder.embed(images), atol=1e-5, rtol=1e-5)
