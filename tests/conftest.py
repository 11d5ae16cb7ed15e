"""What every test can rely on: nothing of the user's is read or written, and no test is timed."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests import shapes

shapes.install()  # before anything imports the package

TESTS = Path(__file__).parent
SLOWEST_FIRST = (
    "core/runs/test_jobs_killed.py",
    "browser/test_accessibility.py",
    "browser/test_dashboard.py",
    "browser/test_films.py",
    "core/test_estimator.py",
    "browser/test_training.py",
    "core/data/test_fuzz.py",
    "browser/test_learn_and_data.py",
    "browser/test_shown_names.py",
    "core/data/test_hdf5.py",
    "core/runs/test_cancelling.py",
    "core/runs/test_sweep.py",
    "ui/test_film_pages.py",
)
"""Files that take a worker about twenty seconds or more; begun last, one of them would be waited for by the others."""

# Hypothesis's own profile for shared machines: the same examples everywhere and no deadline.
settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory):
    """Keep the user's runs and settings out of the tests: an empty store, the CPU, and a dashboard that may edit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSRVAE_STORE", str(tmp_path_factory.mktemp("store")))
        patch.setenv("SSRVAE_DEVICE", "cpu")
        patch.delenv("SSRVAE_MODE", raising=False)
        yield


def pytest_collection_modifyitems(items):
    """Begin with the slowest files; ``make test`` has a worker take a whole file at a time."""
    order = {file: number for number, file in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(TESTS).as_posix(), len(order)))
