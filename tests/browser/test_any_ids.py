"""Particles whose ids are below 0, or larger than a number of a browser holds: chosen, linked, moved and exported."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from ssrvae_core.config import run_config
from ssrvae_core.data import file_dataset, read_images
from ssrvae_core.reports.explorer.page import explorer, whole
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.everything import write_particles
from ssrvae_core.runs.execute import train_run
from tests.browser.shared import PATIENCE
from tests.browser.test_explorer import LEFT, lasso, place_of, selected, shown_ids
from tests.browser.test_library import drawn, wait_for
from tests.browser.test_library_modules import library_files
from tests.data.make_golden_store import tiny_settings
from tests.explorer_page import ANY_IDS, HOST, NAMES, as_pictures, files, invented, serving_files, under

pytestmark = pytest.mark.slow

HUGE = ANY_IDS[-1]
TEXTS = list(map(str, ANY_IDS))


@pytest.fixture(scope="module")
def particles():
    sources, pixels = invented(len(ANY_IDS))
    return under(sources, np.array(ANY_IDS)), pixels


@pytest.fixture
def open_file(browser, tmp_path):
    """Open addresses of one visitor; afterwards, no error was logged."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    errors = []

    def go(address, made=None):
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        if made is not None:
            serving_files(page, made).__enter__()
        page.goto(address)
        if made is not None:
            page.wait_for_function("window.ready")
        return page

    yield go
    context.close()
    assert not errors


def chosen(page):
    return [int(one) for one in page.evaluate("explorer.ids.map(String)")]


def rows_of(download):
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))


def test_they_are_found_selected_kept_opened_linked_and_exported_as_they_are(open_file, particles):
    made = files(*particles)
    page = open_file(f"{HOST}/", made)
    assert shown_ids(page) == set(ANY_IDS)
    search = page.get_by_label("Search by id")
    for text, ids in {
        f"-7 {HUGE}": [-7, HUGE],
        "-7--1": [-7, -3],
        f"0-{10**18}": [0, 5, 2**53 + 1],
        str(2**53): [],
        str(HUGE - 1): [],
    }.items():
        search.fill(text)
        assert shown_ids(page) == set(ids), text
    search.fill(f"-3 {HUGE}")
    search.press("Enter")
    assert chosen(page) == [-3, HUGE]

    page.get_by_text("Selections").click()
    page.get_by_label("Name of the selection").fill("two")
    page.get_by_label("Keep the selection under this name").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear the selection").click()
    assert selected(page) == 0
    page.get_by_text("Selections").click()
    page.locator(".kept .use", has_text="two").click()
    assert chosen(page) == [-3, HUGE]

    page.mouse.click(*place_of(page, len(ANY_IDS) - 1))
    card = page.locator(".card")
    expect(card).to_contain_text(f"Particle {HUGE}")
    assert set(card.locator(".near").evaluate_all("all => all.map(one => one.dataset.sample)")) == set(TEXTS[:-1])
    card.locator(f".near[data-sample='{-7}']").click()
    expect(card).to_contain_text("Particle -7")
    card.locator(f".near[data-sample='{HUGE}']").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected particles as CSV").click()
    assert [row["id"] for row in rows_of(download)] == ["-3", str(HUGE)]

    page.get_by_role("button", name="Copy link").click()
    other = open_file(f"{HOST}/{page.evaluate('window.copied')}", made)
    assert chosen(other) == [-3, HUGE]
    expect(other.locator(".card")).to_contain_text(f"Particle {HUGE}")
    expect(other.locator(".notice")).to_be_hidden()

    lasso(page, LEFT)
    some = chosen(page)
    assert some and set(some) <= set(ANY_IDS)
    page.locator(".pictures [data-sample]").first.click(modifiers=["Shift"])
    assert len(chosen(page)) == len(some) - 1
    page.get_by_label("Sort by").select_option("id")
    page.get_by_role("checkbox", name="All").check()
    assert page.locator(".pictures [data-sample]").evaluate_all(
        "all => all.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).map(one => one.dataset.sample)"
    ) in (TEXTS, TEXTS[::-1])


def test_an_empty_selection_is_a_link_like_any_other(open_file, particles):
    page = open_file(f"{HOST}/?select=ri", files(*particles))
    assert selected(page) == 0 and page.evaluate("explorer.address.select") == "ri"
    expect(page.locator(".notice")).to_be_hidden()


def test_they_are_moved_in_a_library(open_file, particles):
    page = open_file(f"{HOST}/", library_files(*particles))
    page.evaluate("view.move(2, [5, 0, 1])")
    [action] = page.evaluate("acts")
    assert action["ids"] == f"-7.-3.{HUGE}" and action["to"] == 2
    page.evaluate("view.receive(library, acts)")
    assert [page.evaluate(f"view.library.place[{row}]") for row in (0, 1, 5)] == [2, 2, 2]
    page.evaluate("view.receive(library, [{ kind: 'move', ids: 'x', to: 1 }])")  # an action that another page left
    page.evaluate(f"view.select([{-7}n, {HUGE}n])")
    assert page.evaluate("view.address.select") == f"ri-7.{HUGE}"
    restored = page.evaluate("choices.choicesOf(view.address, view.sorts, view.table.ids).ids.map(String)")
    assert restored == ["-7", str(HUGE)]


def test_they_are_in_a_report(open_file, particles, tmp_path):
    sources, pixels = particles
    made = explorer(sources, NAMES, as_pictures(sources, pixels), name="a", budget=10**6)
    (tmp_path / "a.html").write_text(whole(made, "A", "b"), "utf-8")
    page = open_file((tmp_path / "a.html").as_uri())
    expect(page.locator("[data-explorer-map] .painted")).to_have_count(2)
    assert shown_ids(page) == set(ANY_IDS)
    page.get_by_label("Search by id").fill(f"-7 {HUGE}")
    page.get_by_label("Search by id").press("Enter")
    page.locator(f".pictures [data-sample='{HUGE}']").click()
    page.wait_for_function("location.hash.includes('sample')")
    assert re.search(rf"select=ri-7\.{HUGE}", page.url) and f"sample={HUGE}" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected particles as CSV").click()
    assert [row["id"] for row in rows_of(download)] == ["-7", str(HUGE)]
    other = open_file(page.url)
    expect(other.locator(".card")).to_contain_text(f"Particle {HUGE}")
    assert selected(other) == 2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A run on a file whose images have such ids."""
    folder = tmp_path_factory.mktemp("any")
    ids = np.array([*ANY_IDS, *range(100, 134)])
    labels = np.arange(len(ids)) % 2
    images = np.random.default_rng(0).integers(0, 50, (len(ids), 16, 16)).astype(np.uint8)
    images[:, 4:12, 4:12] += (100 * labels[:, None, None]).astype(np.uint8)
    np.savez(folder / "any.npz", images=images, labels=labels, ids=ids, class_names=["dark", "light"])
    own = {name: value for name, value in tiny_settings("ss-vae").items() if not name.startswith("dataset.")}
    config = run_config(preset="teaching", model="ss-vae", dataset=file_dataset(folder / "any.npz"), settings=own)
    made = RunStore(folder / "store")
    write_particles(train_run(config, made, device="cpu"), device="cpu")
    return made


def test_the_pages_take_them_as_the_browser_does(open_page, store, tmp_path):
    [run] = store.runs()
    page = open_page(f"latent_space?sample={HUGE}")
    expect(page.locator(".card")).to_contain_text(f"Particle {HUGE}", timeout=PATIENCE)
    expect(page.locator(".card img")).to_have_count(2, timeout=PATIENCE)  # the server's answer
    page.get_by_label("Search by id").fill(f"-7--1 {HUGE}")
    page.get_by_label("Search by id").press("Enter")
    expect(page.get_by_text("3 selected of 40", exact=True)).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as CSV").click()
    assert [int(row["id"]) for row in rows_of(download)] == [-7, -3, HUGE]
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as npz").click()
    download.value.save_as(tmp_path / "selection.npz")
    assert sorted(read_images(tmp_path / "selection.npz").ids.tolist()) == [-7, -3, HUGE]
    assert parse_qs(urlsplit(page.url).query)["select"] == [f"ri-7.-3.{HUGE}"]

    library = open_page(f"library?left={run.id}&select=ri-7.{HUGE}")
    drawn(library)
    expect(library.locator("[data-selected]")).to_have_text("2")
    with library.expect_download() as download:
        library.get_by_role("button", name="Export 2 particles").click()
    assert [int(row["id"]) for row in rows_of(download)] == [-7, HUGE]
    library.get_by_title("Move to None of these").click()
    library.get_by_label("Your name or initials").fill("AB")
    library.get_by_role("button", name="Keep", exact=True).click()
    expect(library.locator(".library .tally")).to_contain_text("2 none of these", timeout=PATIENCE)
    expect(library.locator("[data-class='-1'] [data-sample]")).to_have_count(2)
    assert set(wait_for(library, run, 1).decisions) == {-7, HUGE}
    library.locator(f"[data-sample='{HUGE}']").dblclick()
    expect(library.locator(".card img")).to_have_count(2, timeout=PATIENCE)
