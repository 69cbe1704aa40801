"""A sweep in a process of its own, for tests that kill it or fill its disk.

`python -m tests.advisor.sweep.interrupted FOLDER kill|full|whole`: kill dies as the operating
system kills, after three batches; full may write no file larger than 20 kB.
"""

import os
import resource
import signal
import sys
from pathlib import Path

from advisor.settings import Settings
from advisor.sweep.run import sweep
from tests.advisor.sweep.worlds import FIRST, LAST, asked
from tests.advisor.worlds import market
from tools.errors import BadInput

VARY = ("stdev.mr_arm_z=0.8:1.5:0.1", "stdev.atr_multiplier_sl=1,1.5,2")


def main() -> None:
    """Run the sweep, and end as asked."""
    folder, end = Path(sys.argv[1]), sys.argv[2]
    batches = iter(range(3))

    def progress(done: int, total: int) -> None:
        if end == "kill" and next(batches, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    if end == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    request, settings, made = asked(*VARY, workers=1), Settings(), market(FIRST, LAST)
    if end == "full":
        limit = int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        sweep(request, settings, made, folder, progress)
    except BadInput as error:
        print(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
