"""The public surface: what `import handsight` promises."""

import subprocess
import sys

import pytest

import handsight


def test_public_names_are_these_and_each_is_there():
    assert sorted(handsight.__all__) == [
        *("Augmentation", "Encoder", "Feature", "HandsightError", "Needs", "Recording", "Writer", "check"),
        *("collect", "export_encoder", "load_encoder", "load_segmenter", "methods", "pretrain", "worlds"),
    ]
    for name in handsight.__all__:
        assert getattr(handsight, name).__doc__, name
    assert handsight.methods.ActionAware.name == "action-aware"
    assert callable(handsight.export_encoder)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"handsight has no 'train'; it has Augmentation, "):
        _ = handsight.train


def test_importing_does_nothing():
    heavy = ("torch", "mujoco", "timm", "lightning")
    code = f"import sys, handsight; print([m for m in {heavy} if m in sys.modules])"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_recordings_are_read_written_and_checked_without_pytorch():
    code = "import sys, handsight as hs; hs.Recording, hs.Writer, hs.check; print('torch' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "False"
