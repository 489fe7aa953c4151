"""``python -m ib_bench``, which is ``ib-bench``; as in ``torchrun -m ib_bench search ...``."""

from __future__ import annotations

import sys

from ib_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
