"""Temporary directories."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["Folder"]


class Folder:
    """A temporary directory that goes with this object, or when the program ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="pimento-"))
        weakref.finalize(self, _remove, str(self.path), os.getpid())


def _remove(path: str, process: int) -> None:
    # A forked child has the object too, and the directory is its parent's.
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
