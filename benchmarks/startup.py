"""Measure the seconds of ``import ssrvae_core`` and of ``python -m ssrvae_core list``.

Usage: ``python benchmarks/startup.py [--repeats 10]``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

from common import machine, report, spread

CHECK = """
import sys, time
began = time.perf_counter()
import ssrvae_core
print(time.perf_counter() - began, "torch" in sys.modules)
"""


def seconds_of(*command: str) -> float:
    """Return the wall time of a command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    report(benchmark="startup", machine=machine())
    imports = [
        subprocess.run([sys.executable, "-c", CHECK], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(arguments.repeats)
    ]
    report(
        command="import ssrvae_core",
        seconds=spread([float(seconds) for seconds, _ in imports]),
        imports_torch=any(torch == "True" for _, torch in imports),
    )
    with tempfile.TemporaryDirectory() as store:
        listing = [
            seconds_of(sys.executable, "-m", "ssrvae_core", "list", "--store", store) for _ in range(arguments.repeats)
        ]
    report(command="python -m ssrvae_core list", seconds=spread(listing))


if __name__ == "__main__":
    main()
