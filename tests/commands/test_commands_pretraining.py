"""`handsight pretrain`: bad input and interruptions."""

import shutil
import signal

from commands_samples import TINY, refused, start, wait_for

from handsight.methods import METHODS


def test_a_stream_that_the_method_needs_and_the_recording_lacks(handsight, shapes_folder, tmp_path):
    data = tmp_path / "copy"
    shutil.copytree(shapes_folder, data)
    options = ["--out", tmp_path / "run", "--steps", "1", *TINY]
    line = refused(
        handsight("pretrain", "action-aware", "--data", data, *options, "--stream", "gripper"),
        "no stream 'gripper'",
        "action-aware",
    )
    others = ", ".join(name for name in METHODS if name != "curious-robot")
    assert f"Methods that can train on it as it is: {others}" in line
    assert "it has: action, observation.state" in line
    refused(
        handsight("pretrain", "action-aware", "--data", data, *options, "--action", "arm"),
        "no stream 'arm'",
        "--action",
    )
    refused(
        handsight("pretrain", "simclr", "--data", data, *options, "--images", "wrist"),
        "wrist",
        "observation.images.camera",
    )
    refused(
        handsight("pretrain", "supervised", "--data", data, *options, "--label", "mood"), "no fact 'mood'"
    )


def test_a_batch_larger_than_the_data(handsight, shapes_folder, tmp_path):
    options = ["--data", shapes_folder, "--out", tmp_path / "run", "--steps", "1", *TINY[:-1], "100"]
    refused(
        handsight("pretrain", "simclr", *options),
        "a batch of 100 is larger than the data",
        "72 frames",
        "--batch-size 72",
    )
    assert not (tmp_path / "run").exists()


def test_ctrl_c_stops_pretraining_tidily_and_the_same_command_goes_on(shapes_folder, tmp_path):
    command = [
        "pretrain",
        "simclr",
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "run",
        "--steps",
        "2000",
        "--log-every",
        "1",
        *TINY,
    ]
    process = start(*command)
    try:
        wait_for(tmp_path / "run" / "log.jsonl", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "give the same command again to go on" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*.pt"))) == 1
