"""Recordings by their name on the Hub; nothing here reaches the network."""

import os

import huggingface_hub
import pytest
from huggingface_hub import errors
from recordings_samples import write

from handsight.errors import HandsightError
from handsight.recordings.recording import Recording


def test_a_name_is_fetched(tmp_path, monkeypatch):
    root = write(tmp_path / "snapshot", 2)
    asked = []

    def download(name, **options):
        asked.append((name, options))
        return str(root)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert Recording("ann/cups", revision="v2").num_episodes == 2
    assert asked == [("ann/cups", {"repo_type": "dataset", "revision": "v2"})]


def test_a_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("fetched"))
    write(tmp_path / "ann/cups", 1)
    monkeypatch.chdir(tmp_path)
    assert Recording("ann/cups").num_episodes == 1


@pytest.mark.parametrize("path", ["nothing", "a/b/c", "./a/b", "~/no such thing", "a b/c"])
def test_other_paths_never_go_out(path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(
        HandsightError, match="does not exist; give the folder of a recording, or user/name on the Hub"
    ):
        Recording(path)


def of_the_hub(kind):
    """Return an error of the Hub's; their constructors differ between its versions."""
    return kind.__new__(kind)


FAILURES = [
    (
        lambda: errors.LocalEntryNotFoundError("offline"),
        "the Hub cannot be reached and no copy was fetched before",
    ),
    (lambda: of_the_hub(errors.RepositoryNotFoundError), "the Hub has no such data set"),
    (lambda: of_the_hub(errors.GatedRepoError), "it asks for your agreement"),
    (lambda: of_the_hub(errors.RevisionNotFoundError), "it has no revision 'v2'"),
    (lambda: OSError("disk\nis full"), "cannot be fetched: disk$"),
]


@pytest.mark.parametrize(("failure", "message"), FAILURES)
def test_failures_are_one_line(failure, message, monkeypatch):
    def download(*_, **__):
        raise failure()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(
        HandsightError, match="there is no folder ann/cups, and from the Hugging Face Hub .*" + message
    ):
        Recording("ann/cups", revision="v2")


def test_being_offline_is_one_line(monkeypatch, tmp_path):
    """The real client, told to stay offline."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", os.fspath(tmp_path))
    with pytest.raises(
        HandsightError, match="there is no folder ann/cups-of-nobody, and from the Hugging Face Hub"
    ):
        Recording("ann/cups-of-nobody")
