"""Tokenward as an image has it: what each request passes through is compiled."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import StartError

CHECKOUT = Path(__file__).parents[1]
PYTHON = CHECKOUT / ".compiled" / "venv" / "bin" / "python"
COMPILER = "cc"
PACKAGES = ("build-essential", "python3-dev")
"""Debian's, for what compiling takes."""


def compile_sources() -> None:
    """Install it, in a minute, where it is not there or of other sources. Raises StartError."""
    done = subprocess.run(
        [CHECKOUT / ".ci" / "compile"],
        env=os.environ | {"PYTHON": sys.executable},
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartError(f"Tokenward cannot be compiled:\n{done.stderr[-2000:]}")
