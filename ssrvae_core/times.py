"""Times as people read them: the local time of this machine, with its zone. Files hold Unix times and UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNKNOWN = "unknown"

_STAMP = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def local_time(unix: float | None = None) -> datetime | None:
    """Return a Unix time, by default now, as a local time with its zone; None where it cannot be written as one.

    Parameters
    ----------
    unix : float, optional
        Seconds since 1970, UTC; 0 stands for a time that was never set.
    """
    try:
        return datetime.now().astimezone() if unix is None else datetime.fromtimestamp(unix).astimezone()
    except (OverflowError, ValueError, OSError):  # of a damaged file
        return None


def time_text(unix: float | None = None, *, seconds: bool = False) -> str:
    """Return a Unix time, by default now, to the minute or the second, with the zone."""
    time = local_time(unix)
    if time is None or unix == 0:
        return UNKNOWN
    return f"{time:{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} {zone(time)}"


def day_text(unix: float) -> str:
    """Return the local day of a Unix time."""
    time = local_time(unix)
    return UNKNOWN if time is None or unix == 0 else f"{time:%Y-%m-%d}"


def zone(time: datetime | None = None) -> str:
    """Return the name of the local zone at a time, by default now."""
    return (time or datetime.now().astimezone()).tzname() or "local time"


def with_local_times(text: str) -> str:
    """Return lines of a log with the times, which are UTC in the file, as local ones."""

    def local(found: re.Match[str]) -> str:
        try:
            moment = datetime.strptime(found[0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:  # looks like a time, and is none
            return found[0]
        return time_text(moment.timestamp(), seconds=True)

    return _STAMP.sub(local, text)
