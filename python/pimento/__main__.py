"""The command line: ``python -m pimento``, and the program ``pimento``."""

import os
import sys

from . import _native
from ._machine import _silence_layer


def main() -> int:
    """Runs the command line of this process."""
    _silence_layer()
    code = _native.command_line(["pimento", *sys.argv[1:]])
    # The program has written all it had to say, and its handler of Ctrl-C stays: nothing of Python is left to do.
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
