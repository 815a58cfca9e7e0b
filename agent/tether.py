"""Run a server that is not ours as if it were: it leaves when its owner does, however that happens.

Run as a script (`tether.py COMMAND…`) by `agent.vllm_server`; it imports nothing of ours. Standard input stays
open as long as the owner lives. At its end, or at SIGTERM, the command's whole process group is ended: vLLM
computes in processes of its own, which would otherwise keep the card's memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_S = 10.0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the command to leave; then end what is left of its group."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_with_owner(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of standard input, then end the command."""
    while os.read(0, 4096):
        pass
    end(process)


def main() -> int:
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=end_with_owner, args=(process,), daemon=True).start()
    try:
        ended = process.wait()
        return 128 - ended if ended < 0 else ended  # a signal, told as shells do
    finally:
        end(process)


if __name__ == "__main__":
    sys.exit(main())
