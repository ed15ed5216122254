"""Modern networks under the methods: ViT-S/16 and ConvNeXt-T, fresh and from timm's checkpoint files."""

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from handsight import cli
from handsight.encoders import load_encoder
from handsight.methods import METHODS
from handsight.recordings import Recording
from handsight.training import Training, prepare, pretrain
from handsight.training.batches import Batches
from handsight.training.optimisation import make_optimiser

pytestmark = pytest.mark.filterwarnings("ignore:.*are enlarged to a short side of 32")

TINY = {
    "vit_small_patch16_224": {"depth": 2, "embed_dim": 24, "num_heads": 2},
    "convnext_tiny": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]},
}
"""Options of timm's that leave a few thousand weights."""


@pytest.mark.parametrize("name", TINY)
def test_the_real_network_takes_a_step(name, shapes):
    torch.manual_seed(0)
    method = METHODS["action-aware"](name, 32)
    assert sum(p.numel() for p in method.encoder.parameters()) > 20e6
    prepared = prepare(method, shapes, Training(batch_size=4, steps=1))
    batches = Batches(prepared.sampler, method, 0, prepared.fabric.device)
    drawn = batches.get(0, 0, 1, None)
    batches.close()
    optimiser = make_optimiser(method, prepared.settings)
    sum(next(method.losses(drawn)).values()).backward()
    watched = {key: p for key, p in method.encoder.named_parameters() if p.ndim > 1}
    before = {key: parameter.detach().clone() for key, parameter in watched.items()}
    optimiser.step()
    assert all(parameter.isfinite().all() for parameter in watched.values())
    still = [key for key, parameter in watched.items() if torch.equal(parameter, before[key])]
    assert not still


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", TINY)
def test_training_goes_on_from_a_timm_checkpoint_file(name, suffix, shapes_folder, tmp_path):
    torch.manual_seed(3)
    # As timm keeps it: at its own image size and with its classifier.
    theirs = timm.create_model(name, pretrained=False, num_classes=10, **arguments(name)).state_dict()
    path = tmp_path / f"weights{suffix}"
    save_file(theirs, path) if suffix == ".safetensors" else torch.save(theirs, path)
    torch.manual_seed(0)
    options = {"encoder": name, "image_size": 32, "encoder_options": TINY[name], "init": path}
    method = METHODS["simclr-tt"](**options)
    mine = method.encoder.trunk.state_dict()
    same = [key for key, value in mine.items() if key in theirs and value.shape == theirs[key].shape]
    assert len(same) >= len(mine) - 1  # a ViT's position embedding is resized
    assert all(torch.equal(mine[key], theirs[key]) for key in same)
    folder = pretrain(
        method, Recording(shapes_folder), out=tmp_path / "run", steps=2, batch_size=4, learning_rate=1e-6
    )
    learned = load_file(folder / "encoder" / "encoder.safetensors")
    key = next(key for key in same if key.endswith("weight"))
    assert not torch.equal(learned[key], theirs[key])
    torch.testing.assert_close(learned[key], theirs[key], atol=1e-5, rtol=0)


def arguments(name):
    return {key: tuple(value) if isinstance(value, list) else value for key, value in TINY[name].items()}


def test_the_command_line_takes_the_file(shapes_folder, tmp_path, capsys):
    name, path = "convnext_tiny", tmp_path / "weights.safetensors"
    torch.manual_seed(3)
    theirs = timm.create_model(name, pretrained=False, **arguments(name)).state_dict()
    save_file(theirs, path)
    command = ["pretrain", "byol", "--data", str(shapes_folder), "--out", str(tmp_path / "run")]
    command += [
        "--encoder",
        name,
        "--image-size",
        "32",
        "--encoder-options",
        str(TINY[name]).replace("'", '"'),
    ]
    command += ["--init", str(path), "--steps", "1", "--batch-size", "4", "--learning-rate", "1e-9"]
    assert cli.run([*command, "--projector-hidden", "8", "--projector-size", "4"]) == 0
    learned = load_encoder(tmp_path / "run").trunk.state_dict()
    torch.testing.assert_close(learned["stem.0.weight"], theirs["stem.0.weight"], atol=1e-7, rtol=0)
    assert cli.run([*command[:-6], "--out", str(tmp_path / "no"), "--init", str(tmp_path / "none.pth")]) == 2
    assert "there is no" in capsys.readouterr().err
