"""Damage one small file of every format at random and read it, again and again: what happens, how soon, in what memory.

Usage: ``python benchmarks/fuzz.py [--seconds 60] [--seed 0] [--only NAME ...]``

Each format is read in a process of its own, for so many seconds. A line per format: how many files were read and how
many refused, tracebacks, crashes, the slowest file in processor time, and the peak of the memory. A file is given
up after :data:`PATIENCE` seconds, and counts as a hang.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, machine, report

PATIENCE = 120
"""Seconds, on a busy machine, after which a file counts as one that hangs."""


def main() -> None:
    """Fuzz every format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--work", nargs=2, metavar=("NAME", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], arguments.seconds, arguments.seed, int(arguments.work[1]))
        return
    report(benchmark="fuzz", seconds=arguments.seconds, seed=arguments.seed, **machine())
    from tests.core.data.small_files import small_files

    with tempfile.TemporaryDirectory() as room:
        names = [name for name in small_files(Path(room)) if not arguments.only or name in arguments.only]
    for name in names:
        report(format=name, **fuzzed(name, arguments.seconds, arguments.seed))


def fuzzed(name: str, seconds: float, seed: int) -> dict[str, object]:
    """Fuzz one format; after a crash or a hang, go on with the next file in another process."""
    found = {"read": 0, "refused": 0, "tracebacks": [], "crashes": [], "hangs": [], "slowest_s": 0.0, "peak_mb": 0}
    end, case = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        command = [sys.executable, __file__, "--seed", str(seed), "--seconds", str(end - time.monotonic())]
        process = subprocess.Popen(
            [*command, "--work", name, str(case)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        case, hung = follow(process, found, case)
        if hung:
            found["hangs"].append(case)
        elif process.returncode:
            found["crashes"].append([case, process.returncode])
        case += 1
    return found


def follow(process: subprocess.Popen[str], found: dict[str, object], case: int) -> tuple[int, bool]:
    """Add up what a process tells of each file; return the last one it began, and whether it had to be ended."""
    import selectors

    assert process.stdout is not None
    waiting = selectors.DefaultSelector()
    waiting.register(process.stdout, selectors.EVENT_READ)
    while waiting.select(timeout=PATIENCE):
        line = process.stdout.readline()
        if not line:
            process.wait()
            return case, False
        told = json.loads(line)
        case = told["case"]
        if "outcome" in told:
            if told["outcome"] in ("read", "refused"):
                found[told["outcome"]] += 1
            else:
                found["tracebacks"].append([case, told["outcome"]])
            found["slowest_s"] = round(max(found["slowest_s"], told["seconds"]), 3)
            found["peak_mb"] = max(found["peak_mb"], told["peak_mb"])
    process.kill()
    process.wait()
    return case, True


def work(name: str, seconds: float, seed: int, case: int) -> None:
    """Read one damaged file after the other, and tell of each before and after."""
    import numpy as np

    from ssrvae_core.config import UserError
    from ssrvae_core.data.readers import open_images
    from ssrvae_core.data.summary import summary
    from tests.core.data.small_files import damaged, small_files

    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as room:
        file, read = small_files(Path(room))[name]
        whole = file.read_bytes()
        while time.monotonic() < end:
            print(json.dumps({"case": case}), flush=True)
            file.write_bytes(damaged(whole, np.random.default_rng([seed, case])))
            began = time.process_time()  # other programs may keep the processor busy
            try:
                summary(open_images(read))
                outcome = "read"
            except UserError:
                outcome = "refused"
            except Exception as error:  # noqa: BLE001, which is what is looked for
                outcome = repr(error)[:200]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            told = {"case": case, "outcome": outcome, "seconds": time.process_time() - began, "peak_mb": peak}
            print(json.dumps(told), flush=True)
            case += 1


if __name__ == "__main__":
    main()
