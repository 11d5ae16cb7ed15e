"""What every test can rely on: nothing of the user's is read or written, and no test is timed."""

import pytest
from hypothesis import settings

from tests import shapes

shapes.install()  # before anything imports the package

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
