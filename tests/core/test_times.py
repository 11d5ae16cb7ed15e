"""People read the local time of the machine, with its zone; files hold UTC."""

import time

import pandas as pd
import pytest

from ssrvae_core.times import day_text, local_time, time_text, with_local_times, zone
from ui.overview import runs_table
from ui.run_list.rows import row_of
from ui.runs import caption

MOMENT = 1_750_000_000.0  # 2025-06-15 15:06:40 UTC
LATE = 1_750_030_000.0  # 2025-06-15 23:26:40 UTC, the day after further east


@pytest.fixture(params=["Asia/Tokyo", "UTC", "America/New_York"])
def somewhere(request, monkeypatch):
    """The machine in another zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_a_time_is_local_and_says_its_zone(somewhere):
    expected = {
        "Asia/Tokyo": "2025-06-16 00:06:40 JST",
        "UTC": "2025-06-15 15:06:40 UTC",
        "America/New_York": "2025-06-15 11:06:40 EDT",
    }[somewhere]
    assert time_text(MOMENT, seconds=True) == expected
    assert time_text(MOMENT) == f"{expected[:16]} {expected[20:]}"
    assert with_local_times("2025-06-15T15:06:40Z epoch 3 done") == f"{expected} epoch 3 done"
    assert zone(local_time(MOMENT)) == expected[20:]


def test_lists_captions_and_tables_say_the_same_day(somewhere, finished, run_cli):
    run = type(finished)(
        finished.id, finished.path, finished.config, finished.status.model_copy(update={"updated": LATE})
    )
    day = {"Asia/Tokyo": "2025-06-16", "UTC": "2025-06-15", "America/New_York": "2025-06-15"}[somewhere]
    assert day_text(LATE) == day
    assert day in caption([run], 3, 3)
    table = runs_table([run], [])
    assert row_of(run)["exact"].startswith(day)
    assert table["Updated"][0] == pd.Timestamp(LATE, unit="s", tz="UTC")  # what is downloaded stays as files are


def test_what_is_no_time_is_unknown():
    for odd in (0, 1e300, -1e300, float("nan"), float("inf")):
        assert time_text(odd) == day_text(odd) == "unknown"
    assert with_local_times("2025-13-45T99:99:99Z") == "2025-13-45T99:99:99Z"
    assert runs_table([], []).empty
