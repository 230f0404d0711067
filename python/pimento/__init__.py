"""Neural networks on analog in-memory-computing chips: train them, fabricate thousands of chips, let each tune itself.

``sweep`` runs an experiment and gives a ``Result``; ``check`` says what it would do; ``train`` trains the network of
one point; ``design`` searches the points of a sweep for the best under constraints. ``Data`` takes images from memory, ``from_onnx`` and ``from_torch`` take networks. ``Crossbar`` multiplies one
matrix on one chip with every stage visible. The program is here too: ``pimento`` on the command line, or
``python -m pimento``.

Work runs on threads of its own without the interpreter's lock, so other Python threads go on, and several may call
at once. A process that was forked after Pimento has computed cannot compute (``ForkError``): use the start methods
"spawn" or "forkserver" of multiprocessing.
"""

from ._arrays import Crossbar, Product, mvm
from ._builder import Experiment
from ._chip import Chip, ChipLayer
from ._data import Data
from ._designs import Designs, design
from ._errors import (
    CapacityError,
    DeviceError,
    Error,
    ForkError,
    InputError,
    InternalError,
    Mistake,
    PimentoWarning,
)
from ._keras import from_keras
from ._native import __version__
from ._network import Network, from_onnx, from_torch
from ._result import Result, Table, open_run, report
from ._run import Check, Training, check, sweep, train

__all__ = [
    "CapacityError",
    "Check",
    "Chip",
    "ChipLayer",
    "Crossbar",
    "Data",
    "Designs",
    "DeviceError",
    "Error",
    "Experiment",
    "ForkError",
    "InputError",
    "InternalError",
    "Mistake",
    "Network",
    "PimentoWarning",
    "Product",
    "Result",
    "Table",
    "Training",
    "__version__",
    "check",
    "design",
    "from_keras",
    "from_onnx",
    "from_torch",
    "mvm",
    "open_run",
    "report",
    "sweep",
    "train",
]
