"""`handsight pretrain`: bad input and interruptions."""

import shutil
import signal

from commands_samples import OWN_STREAMS, TINY, refused, start, wait_for

from handsight import load_encoder
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
    others = ", ".join(name for name in METHODS if name not in OWN_STREAMS)
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


ROOMS = [
    *("--world", "rooms", "--rooms.image-size", "75", "--image-size", "75", "--hidden", "8"),
    *("--encoder-options", '{"width": 0.1}', "--rounds", "1", "--force-rounds", "1", "--prefill", "4"),
    *("--locations", "2", "--attempts", "4", "--force-attempts", "2", "--updates", "[1, 1]"),
    *("--force-updates", "[1, 1]", "--frozen-rounds", "0", "--batch-size", "4", "--workers", "0"),
]


def test_an_agent_acts_in_rooms_while_it_learns(handsight, tmp_path):
    out = tmp_path / "run"
    status, said, told = handsight("pretrain", "learning-to-interact", *ROOMS, "--out", out)
    assert status == 0, told
    assert f"{out}: 2 steps done. Next: handsight segment PICTURE {out}" in said
    assert "acting at 4 locations, then learning begins" in told
    status, said, _ = handsight("info", out / "experience")
    assert "episodes   12 (12 frames" in said
    assert "learning-to-interact" in said.split("can train")[1]
    assert handsight("check", out / "experience")[0] == 0
    assert handsight("report", out)[0] == 0
    assert load_encoder(out).takes_depth


def test_where_to_learn_is_said_once(handsight, shapes_folder, tmp_path):
    place = "learns from recordings or in a world; give one of them: --data FOLDER, or --world rooms or thor"
    refused(handsight("pretrain", "learning-to-interact", "--out", tmp_path / "run"), place)
    both = [*ROOMS, "--data", shapes_folder, "--out", tmp_path / "run"]
    refused(handsight("pretrain", "learning-to-interact", *both), place)
    refused(
        handsight("pretrain", "learning-to-interact", *ROOMS, "--out", tmp_path / "run", "--dry-run"),
        "--dry-run times steps on recordings",
    )
    smaller = [entry if entry != "75" else "90" for entry in ROOMS[:4]] + ROOMS[4:]
    refused(
        handsight("pretrain", "learning-to-interact", *smaller, "--out", tmp_path / "run"),
        "rooms shows pictures of 90 pixels and learning-to-interact learns from 75; give both the same size",
    )
    assert not (tmp_path / "run").exists()
