"""What the browser tests share."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def chromium_path():
    """Path of the system's Chromium. Playwright's own download is not used, because it needs the network."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI"):
        pytest.fail("Chromium is missing, and on CI the browser tests must run: apt-get install chromium.")
    if path is None:
        pytest.skip("Chromium is not installed; 'apt-get install chromium' lets the browser tests run.")
    return path
