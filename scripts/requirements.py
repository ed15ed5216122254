"""Print what pyproject.toml requires, development included, a line each: what `make` installs."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
print(*project["project"]["dependencies"], *project["dependency-groups"]["dev"], sep="\n")
