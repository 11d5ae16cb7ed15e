"""Learn and Data in a real browser: the turntable by keyboard, the upload, the download, and a phone."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from ssrvae_core.data import read_images
from ssrvae_core.runs.uploads import uploads
from tests.browser.shared import PATIENCE, assert_no_sideways_scrolling, until_still

pytestmark = pytest.mark.slow


def uploaded(name, content):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def npz(**fields):
    buffer = io.BytesIO()
    np.savez(buffer, **fields)
    return buffer.getvalue()


def test_arrow_keys_turn_the_image_the_address_follows_and_play_turns_it_until_it_is_stopped(open_page):
    page = open_page("learn?class=1&guess=skip")
    slider = page.get_by_role("slider", name="Turn the image")
    expect(slider).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(re.compile("At 0°: ss-VAE says .*; ss-rVAE says"))).to_be_visible(timeout=PATIENCE)
    canvas = page.locator(".seen canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    slider.focus()
    for _ in range(9):
        slider.press("ArrowRight")
    expect(page.get_by_text(re.compile("^At 45°"))).to_be_visible(timeout=PATIENCE)
    assert before != canvas.evaluate("canvas => canvas.toDataURL()")
    page.wait_for_url(re.compile("angle=45"), timeout=PATIENCE)
    again = open_page(page.url.split("/", 3)[3])
    expect(again.get_by_text(re.compile("^At 45°"))).to_be_visible(timeout=PATIENCE)
    again.get_by_role("button", name="Play").click()
    expect(again.get_by_text(re.compile("^At (?!45°)"))).to_be_visible(timeout=PATIENCE)
    again.locator(".turntable").get_by_role("button", name="Stop").click()
    expect(again.get_by_role("button", name="Play")).to_be_visible(timeout=PATIENCE)


def test_the_strips_are_hidden_until_a_guess_and_their_cursor_stands_under_the_slider(open_page):
    page = open_page("learn?class=1&angle=90")
    expect(page.locator(".turntable .guess")).to_contain_text("Guess first", timeout=PATIENCE)
    expect(page.locator(".turntable .strips")).to_be_hidden()
    for answer in page.locator(".turntable :is(.verdict, .bars)").all():
        expect(answer).to_be_hidden()
    expect(page.locator(".turntable .spoken")).not_to_contain_text("says")
    page.locator('.turntable [data-guess="second"]').click()
    cursor = page.locator(".turntable .cursor").first
    expect(cursor).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile("guess=second"), timeout=PATIENCE)
    slider, stands = (found.bounding_box() for found in (page.locator("#angle"), cursor))
    thumb = page.evaluate("1.1 * parseFloat(getComputedStyle(document.documentElement).fontSize)")
    middle = slider["x"] + thumb / 2 + 0.75 * (slider["width"] - thumb)
    assert abs(stands["x"] + stands["width"] / 2 - middle) < 2
    expect(page.locator(".turntable .verdict")).to_have_text([re.compile("^(right|wrong): ")] * 2)
    again = open_page(page.url.split("/", 3)[3])
    expect(again.locator(".turntable .strips")).to_be_visible(timeout=PATIENCE)
    again.get_by_role("button", name="Guess again").click()
    expect(again.locator(".turntable .strips")).to_be_hidden(timeout=PATIENCE)
    again.wait_for_url(lambda url: "guess" not in url, timeout=PATIENCE)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("guess", ["", "&guess=both"])
def test_in_a_presentation_all_of_the_turntable_is_on_one_screen(width, height, guess, open_page):
    page = open_page(f"learn?present=1&from=lesson{guess}", width=width)
    page.set_viewport_size({"width": width, "height": height})
    expect(page.locator(".turntable .model").first).to_be_visible(timeout=PATIENCE)
    until_still(page, ".turntable, .turntable canvas, .turntable .model")
    on_screen = """() => [...document.querySelectorAll('.turntable :is(canvas, .model, .control)')].every((part) => {
        const { top, bottom } = part.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
    })"""
    page.wait_for_function(on_screen, timeout=PATIENCE)  # pictures are fitted once all that is beside them stands
    sides = [canvas.bounding_box()["width"] for canvas in page.locator(".turntable canvas").all()]
    assert min(sides) >= (80 if height < 1000 else 200), "pictures grow with the window"


def test_learn_fits_on_a_phone_and_another_class_puts_another_image_on_the_table(open_page):
    page = open_page("learn?class=0", width=390)
    expect(page.locator(".turntable .model").first).to_be_visible(timeout=PATIENCE)
    assert_no_sideways_scrolling(page)
    expect(page.locator(".seen figcaption")).to_contain_text("hearts", timeout=PATIENCE)
    page.get_by_role("radio", name="diamonds").click()
    expect(page.locator(".seen figcaption")).to_contain_text("diamonds", timeout=PATIENCE)
    expect(page.locator(".bar.true").first).to_contain_text("diamonds", timeout=PATIENCE)


def test_a_hostile_upload_is_refused_in_a_sentence_and_another_is_shown_and_reads_back(open_page, tmp_path):
    page = open_page("data")
    page.locator("input[type=file]").set_input_files(uploaded("evil.png", b"<svg onload=alert(1)>"))
    expect(page.get_by_text("evil.png is not a .png file")).to_be_visible(timeout=PATIENCE)

    rng = np.random.default_rng(0)
    images, labels = rng.random((24, 12, 12), dtype=np.float32), np.arange(24) % 3
    page.locator("input[type=file]").set_input_files(uploaded("mine.npz", npz(images=images, labels=labels)))
    expect(page.get_by_text(re.compile("mine.npz .*12 x 12 pixels, 3 classes"))).to_be_visible(timeout=PATIENCE)
    save = page.get_by_role("button", name="Data as npz")
    expect(save).to_have_count(1, timeout=PATIENCE)  # while the page is drawn again, the old one is there as well
    with page.expect_download() as download:
        save.click()
    target = tmp_path / "back.npz"
    download.value.save_as(target)
    back = read_images(target)
    np.testing.assert_array_equal(back.images[:, 0], images)
    assert back.ids.tolist() == list(range(24))


def test_an_upload_is_browsed_and_deleted(open_page, store):
    rng = np.random.default_rng(3)
    images, labels = rng.random((110, 12, 12), dtype=np.float32), np.arange(110) % 3
    page = open_page("data")
    page.locator("input[type=file]").set_input_files(uploaded("many.npz", npz(images=images, labels=labels)))
    page.get_by_text("All 110 images").click()
    expect(page.get_by_text("Images 1 to 96 of 110")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Delete many.npz").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("No run was trained on it")).to_be_visible(timeout=PATIENCE)
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Delete many.npz")).to_have_count(0, timeout=PATIENCE)
    assert not [kept for kept in uploads(store.root) if kept.name == "many.npz"]


def test_data_fits_on_a_phone_and_a_slider_of_the_disorder_changes_the_examples(open_page):
    page = open_page("data?data=cards-teaching", width=390)
    examples = page.locator(".samples").last
    expect(examples).to_be_visible(timeout=PATIENCE)
    assert_no_sideways_scrolling(page)
    before = examples.inner_html()
    slider = page.get_by_role("slider", name="Largest rotation of unlabelled images")
    slider.focus()
    slider.press("ArrowLeft")
    page.wait_for_url(re.compile("u-rotation=119"), timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"cards-teaching \(changed\)"))).to_be_visible(timeout=PATIENCE)
    assert page.locator(".samples").last.inner_html() != before
