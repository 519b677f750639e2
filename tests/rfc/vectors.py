"""Test data of other projects. It is not in the repository: `TOKENWARD_VECTORS` names the folder that holds it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


def folder() -> Path:
    """Where the test data is; without it the test is skipped."""
    named = os.environ.get("TOKENWARD_VECTORS")
    if not named:
        pytest.skip("TOKENWARD_VECTORS does not name a folder of public test vectors.")
    return Path(named)


def load(path: str) -> Any:
    """What a JSON file of the test data says."""
    return json.loads(folder().joinpath(path).read_text(encoding="utf-8"))
