"""The tests of the commands run them in this process where they can."""

import warnings

import pytest

from handsight import cli


@pytest.fixture(autouse=True)
def _warnings_as_they_were(monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)


@pytest.fixture
def handsight(capsys):
    """Run a command; gives exit status, what was printed and what was said on standard error."""

    def call(*arguments):
        capsys.readouterr()
        status = cli.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call
