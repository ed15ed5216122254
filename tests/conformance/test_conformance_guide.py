"""The guide is true: its blocks run in their order, and what they define goes through the suites beside."""

import ast
import subprocess
import sys

import pytest
from conformance_guide import GUIDE, blocks, folder

FILES = [block for block in blocks() if block.startswith("# ")]
OTHERS = [block for block in blocks() if block not in FILES]


def test_every_block_is_run():
    assert len(FILES) == 4
    assert len(OTHERS) == 3
    for block in blocks():
        ast.parse(block)


@pytest.mark.parametrize("number", range(len(OTHERS)))
@pytest.mark.filterwarnings("ignore:.*are enlarged")
def test_the_guide_runs(number, tmp_path, monkeypatch):
    folder()
    monkeypatch.chdir(tmp_path)
    exec(compile(OTHERS[number], f"{GUIDE.name}, block {number}", "exec"), {"__name__": "guide"})


def test_the_guides_examples_keep_the_rules_of_the_code():
    """They are what others copy."""
    settings = ["--config", str(GUIDE.parents[2] / "pyproject.toml"), "--no-cache"]
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings, str(folder())],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_files_that_the_guide_points_at_are_there():
    text = GUIDE.read_text(encoding="utf-8")
    root = GUIDE.parents[2]
    places = {part for part in text.split("`") if part.endswith(".py") and "/" in part}
    assert len(places) >= 7
    for place in places:
        assert (root / place).exists() or (root / "src" / place).exists(), place
