"""The first import of the fork server; no other module imports it.

It leaves Ctrl-C to the command, and imports fast. The garbage collector is off in the server, so that it does not
touch, and thereby copy, the memory that workers share with it; workers switch it on again.
"""

from __future__ import annotations

import gc
import os
import signal

from ib_bench.importing import import_for_good
from ib_bench.user_code import guard

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
guard(os.getcwd())
gc.disable()
import_for_good("torchmetrics", extras=False)
