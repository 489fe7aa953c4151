"""``python -m ib_bench``, which is ``ib-bench``; as in ``torchrun -m ib_bench search ...``."""

from __future__ import annotations

import os
import sys

if sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]  # python -m looks in the working folder first, for anything; commands look there for models alone

from ib_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
