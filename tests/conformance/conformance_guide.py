"""The examples of docs/guides/extending.md as modules: what the guide shows is what the suite goes over."""

import atexit
import importlib
import re
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "extending.md"


@cache
def blocks() -> list[str]:
    """Return the guide's Python, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@cache
def folder() -> Path:
    """Return a folder on `sys.path` with each block that begins with the name of a file."""
    kept = TemporaryDirectory(prefix="handsight-guide-")
    atexit.register(kept.cleanup)
    for block in blocks():
        name = re.match(r"# (\w+\.py)\n", block)
        if name is not None:
            (Path(kept.name) / name[1]).write_text(block, encoding="utf-8")
    sys.path.append(kept.name)
    return Path(kept.name)


def example(name: str) -> ModuleType:
    """Import one of the guide's files."""
    folder()
    return importlib.import_module(name)
