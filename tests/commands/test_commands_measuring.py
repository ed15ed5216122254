"""`handsight evaluate`: what it measures, bad input and interruptions."""

import pytest
from commands_samples import TINY, refused


def test_a_run_that_is_not_there_and_an_odd_seed_are_refused(handsight, tmp_path):
    nowhere = tmp_path / "nowhere"
    refused(handsight("evaluate", nowhere), f"{nowhere} is not there; give the folder of a run")
    refused(handsight("evaluate", tmp_path, "--seed", "-3"), "--seed is -3; it starts at 0")


@pytest.mark.filterwarnings("default::UserWarning")
def test_real_robot_episodes_train_and_are_probed(handsight, real_data, tmp_path):
    data = real_data / "robot-teleop-lerobot-v3"
    if not data.is_dir():
        pytest.skip(f"{data} is not there")
    out = tmp_path / "robot"
    options = [
        "--data",
        data,
        "--images",
        "image",
        "--action",
        "actions",
        "--out",
        out,
        "--steps",
        "2",
        *TINY,
    ]
    status, _, said = handsight("pretrain", "action-aware", *options)
    assert status == 0, said
    assert "difference of 'action'" in said
    status, said, complained = handsight("evaluate", out)
    assert status == 0, complained
    for row in ("random", "visual-only", "shuffled", "time gap alone", "proprioception alone", "mean action"):
        assert row in said
    assert (out / "evaluation" / "inverse-dynamics.json").exists()
    assert (out / "evaluation" / "behaviour-cloning.json").exists()
