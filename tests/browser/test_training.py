"""A training in a real browser: started, watched, left alone, found again, cancelled and resumed."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from ssrvae_core.runs import RunStore
from ssrvae_core.runs.jobs import JobQueue
from tests.browser.shared import PATIENCE, assert_no_sideways_scrolling, script_runs, until_idle, until_still

pytestmark = pytest.mark.slow

EPOCHS = 20_000  # more than it gets to, however slow the browser is
LONG = 4 * PATIENCE
TINY = {"Train per class": 12, "Validation per class": 8, "Fewest steps": 1, "Epochs": EPOCHS}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty store; what was started in it is cancelled at the end."""
    store = RunStore(tmp_path_factory.mktemp("training"))
    yield store
    queue = JobQueue(store)
    while live := [job for job in queue.list() if job.state in {"queued", "running"}]:
        for job in live:
            queue.cancel(job.id)
        time.sleep(0.1)


def fill(page, label, value):
    """Type a number into a field, and wait until the page has taken it."""
    field = page.get_by_role("spinbutton", name=label, exact=True)
    until_idle(page)
    until_still(page)  # or what is typed may be lost when its field is made again
    with script_runs(page):
        field.fill(str(value))
        field.press("Enter")


def epoch_of(page):
    """Wait until an epoch is shown on the progress bar, and return it."""
    bar = page.get_by_text(re.compile(rf"epoch \d+ of {EPOCHS}")).first
    expect(bar).to_be_visible(timeout=LONG)
    return int(re.search(r"epoch (\d+) of", bar.inner_text())[1])


def test_a_training_is_started_watched_left_found_again_cancelled_and_resumed(open_page, store):
    page = open_page("train")
    page.get_by_text("All settings").click()
    for label, value in TINY.items():
        fill(page, label, value)
    fill(page, "Labels per class", 4)
    expect(page.get_by_text(re.compile("16 labelled and 32 unlabelled images, 20,?000 epochs"))).to_be_visible()
    page.get_by_role("button", name="Start training").click()

    expect(page.get_by_role("progressbar").first).to_be_in_viewport(timeout=LONG)  # without scrolling back to it
    expect(page.get_by_role("button", name="Start training")).to_be_hidden()

    first = epoch_of(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=LONG)
    expect(page.get_by_text(re.compile("Latents of 32 validation images after epoch"))).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_text(re.compile(rf"epoch \d+/{EPOCHS}: loss")).first).to_be_visible()
    expect(page.get_by_text(f"epoch {first} of {EPOCHS}")).to_have_count(0, timeout=LONG)  # it goes on by itself
    page.close()

    page = open_page("train")  # another tab, without the address
    left = epoch_of(page)
    assert left > first
    (job,) = JobQueue(store).list()
    assert f"job={job.id}" in page.url
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(rf"cancelled after \d+ of {EPOCHS} epochs"))).to_be_visible(timeout=LONG)
    assert store.get(job.id).status.state == "cancelled"
    stopped = store.get(job.id).status.epoch

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    assert epoch_of(page) >= stopped

    page = open_page("")
    expect(page.get_by_role("heading", name="Under way")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("1 training did not finish, and why")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(f"Run {job.id} was cancelled after .*; resume it"))).to_be_visible()
    assert store.get(job.id).status.epoch >= stopped


def test_on_a_phone_nothing_is_wider_and_a_wrong_value_is_a_sentence_and_the_others_stay(open_page):
    page = open_page("train", width=390)
    expect(page.get_by_role("button", name=re.compile("^Start"))).to_be_visible(timeout=PATIENCE)
    assert_no_sideways_scrolling(page)
    page.get_by_text("All settings").click()
    fill(page, "Epochs", 5)
    channels = page.get_by_role("textbox", name="Channels", exact=True)
    channels.fill("thirty-two")
    channels.press("Enter")
    expect(page.get_by_text(re.compile("takes numbers with commas between them"))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    expect(channels).to_have_value("thirty-two")
    channels.fill("8, 8")
    channels.press("Enter")
    expect(page.get_by_text(re.compile("5 epochs, (about|a few)"))).to_be_visible(timeout=PATIENCE)
