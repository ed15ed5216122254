"""Options: on the command line, in YAML, in help, and those that there are not."""

import pytest
import torch
import yaml
from commands_samples import TINY, refused

from handsight import cli
from handsight.encoders import load_encoder
from handsight.methods import METHODS


def test_configuration_goes_out_and_comes_back_in(handsight, shapes_folder, tmp_path):
    options = [
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "run",
        "--steps",
        "1",
        "--temperature",
        "0.3",
        *TINY,
    ]
    with pytest.raises(SystemExit):
        cli.run(["pretrain", "simclr", *map(str, options), "--print-config"])


def test_yaml_gives_the_same_run_as_options(handsight, shapes_folder, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "data": [str(shapes_folder)],
                "out": str(tmp_path / "yaml"),
                "image_size": 16,
                "encoder_options": {"channels": [4, 4, 8, 8], "stem_width": 4},
                "batch_size": 12,
                "steps": 2,
                "augmentation": {"hue": 0.1},
            }
        )
    )
    assert handsight("pretrain", "simclr", "--config", file)[0] == 0
    options = [
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "options",
        "--steps",
        "2",
        "--augmentation.hue",
        "0.1",
        *TINY,
    ]
    assert handsight("pretrain", "simclr", *options)[0] == 0
    first, second = (load_encoder(tmp_path / name).state_dict() for name in ("yaml", "options"))
    for key, value in first.items():
        assert torch.equal(value, second[key])


def test_help_names_options_with_hyphens(handsight, capsys):
    assert handsight()[0] == 0
    status, said, _ = handsight("--help")
    assert status == 0
    for command in cli.COMMANDS:
        assert f"  {command} " in said
    with pytest.raises(SystemExit) as left:
        cli.run(["pretrain", "action-aware", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "--batch-size" in said
    assert "--batch_size" not in said
    assert "shuffle-actions" in said


def test_unknown_commands_methods_and_options(handsight, shapes_folder, tmp_path):
    refused(handsight("colect"), "there is no command 'colect'", "collect, ingest, info")
    refused(
        handsight("pretrain", "alexnet"),
        "there is no method 'alexnet'",
        ", ".join(METHODS),
    )
    refused(handsight("pretrain"), "takes a method: simclr")
    refused(handsight("collect", "kitchen"), "there is no world 'kitchen'; there are turntable")
    refused(handsight("ingest", "vhs"), "there is no format 'vhs'")
    refused(
        handsight("info", shapes_folder, "--colour", "red"),
        "unrecognized arguments: --colour red",
        "`handsight info --help`",
    )
    line = refused(
        handsight("pretrain", "simclr", "--data", shapes_folder, "--out", tmp_path / "x", "--steps", "many"),
        "--steps",
        "many",
    )
    assert "\n" not in line
    refused(
        handsight("pretrain", "simclr", "--data", shapes_folder),
        "`handsight pretrain simclr` needs --out",
        "`handsight pretrain simclr --help`",
    )


@pytest.mark.parametrize(
    ("command", "named"),
    [(["pretrain", "simclr"], "handsight pretrain simclr"), (["info"], "handsight info")],
)
def test_an_unknown_option_of_a_file_is_said_with_the_file(handsight, tmp_path, command, named):
    file = tmp_path / "mine.yaml"
    file.write_text("stepz: 3\n")
    refused(
        handsight(*command, "--config", file),
        f"{file} (--config) has stepz, which is no option of `{named}`",
        f"`{named} --help` lists the options",
    )


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        (["--count", "many"], "--count was given many: it takes a whole number."),
        (["--workers", "1.5"], "--workers was given 1.5: it takes a whole number."),
        (["--interactions", "grasp"], """was given grasp: it takes a list, as in '["this", "that"]'."""),
        (["--interactions", '["juggle"]'], "was given juggle: it takes one of 'grasp', 'push', 'poke',"),
        (["--grasp-spread-m", "wide"], "--grasp-spread-m was given wide: it takes a number."),
    ],
)
def test_what_an_option_takes_is_said_in_words(handsight, tmp_path, options, takes):
    line = refused(handsight("collect", "tabletop", "--out", tmp_path / "data", *options), takes)
    assert "class" not in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        (["--learning-rate", "fast"], "--learning-rate was given fast: it takes a number."),
        (["--steps", "few"], "--steps was given few: it takes a whole number."),
        (["--encoder-options", "[1]"], """was given [1]: it takes names with values, as in '{"this": 1}'."""),
    ],
)
def test_what_an_option_takes_that_may_be_left_out_is_said_in_words(handsight, tmp_path, options, takes):
    line = refused(handsight("pretrain", "simclr", "--data", "d", "--out", tmp_path / "run", *options), takes)
    assert "class" not in line


@pytest.mark.parametrize(
    "command", [["export"], ["study"], ["evaluate"], ["ingest", "images"], ["collect", "rooms"]]
)
def test_help_names_types_as_one_writes_them(capsys, command):
    with pytest.raises(SystemExit):
        cli.run([*command, "--help"])
    said = capsys.readouterr().out
    assert "type: " in said
    assert "<class" not in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory); give a YAML file of options"),
        (b"", "holds no options with values; give a YAML file of options"),
        (b"- 1\n", "holds no options with values"),
        (b"{{{", "is not YAML (while parsing a flow node); give a YAML file of options"),
        (b"\xff\x00\x12", "is not YAML ("),
    ],
)
@pytest.mark.parametrize("spelt", ["--config {}", "--config={}"])
def test_a_configuration_that_is_none_is_refused_by_name(handsight, tmp_path, content, message, spelt):
    file = tmp_path / "options.yaml"
    if content is not None:
        file.write_bytes(content)
    given = spelt.format(file).split()
    refused(handsight("collect", "turntable", *given), f"--config {file} {message}")
