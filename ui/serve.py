"""Start the dashboard: ``python -m ui.serve ADDRESS PORT [--check]``; what does not fit is said before it starts."""

from __future__ import annotations

import argparse
import functools
import importlib
import signal
import socket
import sys
from pathlib import Path

from ssrvae_core.config import UserError
from ssrvae_core.invocation import serving_argument
from ssrvae_core.runs.mode import is_viewer

APP = Path(__file__).parents[1] / "app.py"
LAST_PORT = 65535
SLOW = (
    "pandas",
    "ssrvae_core.figures",
    "ssrvae_core.reports.gather",
    "ssrvae_core.runs.comparison",
    "ssrvae_core.runs.jobs",
)
"""What every page needs and takes long to import, with plotly among it."""
GRACE = 3
"""Seconds in which answers on their way may still arrive when the server is told to stop."""


def check(address: str, port: str) -> None:
    """Refuse a mode, an address or a port that the dashboard cannot be served with.

    Raises
    ------
    UserError
        In a sentence that names the argument.
    """
    is_viewer()
    if not port.isdecimal() or not 0 < int(port) <= LAST_PORT:
        raise UserError(
            f"PORT is '{port}'; give a number from 1 to {LAST_PORT}, such as {serving_argument('PORT', 8502)}."
        )
    try:
        family, *_, place = socket.getaddrinfo(address, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just left is free
            probe.bind(place)
    except UnicodeError as error:
        raise UserError(
            f"ADDRESS is '{address}', which is not an address; give one such as "
            f"{serving_argument('ADDRESS', '127.0.0.1')}."
        ) from error
    except OSError as error:
        raise UserError(
            f"The dashboard cannot listen on {address}, port {port} ({error.strerror}); name another port, such as "
            f"{serving_argument('PORT', int(port) % LAST_PORT + 1)}, or another address."
        ) from error


def main() -> None:
    """Check, and serve."""
    parser = argparse.ArgumentParser(description="Start the dashboard.")
    parser.add_argument("address")
    parser.add_argument("port")
    parser.add_argument("--check", action="store_true", help="only say whether it could be started")
    arguments = parser.parse_args()
    try:
        check(arguments.address, arguments.port)
    except UserError as error:
        sys.exit(f"Error: {error}")
    if not arguments.check:
        serve(arguments.address, arguments.port)


def serve(address: str, port: str) -> None:
    """Import what pages need, and run Streamlit until it is told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until Streamlit listens for it, Ctrl-C simply ends this
    import uvicorn
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    PagesManager.uses_pages_directory = False  # or the first visitor's page begins without ``app.py``, see ui/entry.py
    for name in SLOW:  # or the first visitor would wait for it
        importlib.import_module(name)
    # A browser may open a connection in the moment of the end and say nothing on it: Streamlit would wait forever.
    uvicorn.Config = functools.partial(uvicorn.Config, timeout_graceful_shutdown=GRACE)  # type: ignore[misc, assignment]
    cli.main(["run", str(APP), "--server.address", address, "--server.port", port])


if __name__ == "__main__":
    main()
