"""Recordings on the Hugging Face Hub: `user/name` where no such folder is."""

from __future__ import annotations

import re
from pathlib import Path

from handsight.errors import HandsightError
from handsight.recordings.layout import shown

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def folder_of(path: str | Path, revision: str | None = None) -> Path:
    """Return the local folder of a recording; `user/name` that is no folder is fetched from the Hub.

    Args:
        path: a folder, or the name of a data set on the Hub.
        revision: branch, tag or commit on the Hub; None for `main`.

    Raises:
        HandsightError: there is no such folder and it cannot be fetched.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise HandsightError(f"{shown(folder)} is a file; give the folder of a recording")
    if not isinstance(path, str) or _REPOSITORY.fullmatch(path) is None:
        raise HandsightError(
            f"{shown(folder)} does not exist; give the folder of a recording, or user/name on the Hub"
        )
    return _fetch(path, revision)


def _fetch(name: str, revision: str | None) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return Path(huggingface_hub.snapshot_download(name, repo_type="dataset", revision=revision))
    except errors.GatedRepoError:
        reason = "it asks for your agreement: accept its terms on its page and log in with `hf auth login`"
    except errors.RepositoryNotFoundError:
        reason = "the Hub has no such data set (or it is private: `hf auth login`)"
    except errors.RevisionNotFoundError:
        reason = f"it has no revision {revision!r}"
    except errors.LocalEntryNotFoundError:
        reason = "the Hub cannot be reached and no copy was fetched before; check the connection"
    except Exception as error:  # whatever the network does becomes one line
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    raise HandsightError(
        f"there is no folder {name}, and from the Hugging Face Hub it cannot be fetched: {reason}"
    )
