"""The library of a run in a real browser: classes corrected by hand, exported, and trained on again."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ssrvae_core.library import Journal, Origin
from ssrvae_core.library.exports.pictures import members
from ssrvae_core.runs.everything import write_particles
from tests.browser.shared import PATIENCE, assert_no_sideways_scrolling, pictures_drawn, until_idle, until_stored
from tests.browser.test_accessibility import severe_in_both_themes
from tests.serving import serving

pytestmark = pytest.mark.slow

VIEW = "document.querySelector('.library-place').mounted.view"
ALL = 80
"""Images of each run: 16 labelled, 32 unlabelled and 32 for validation."""


@pytest.fixture(scope="module")
def store(store):
    for run in store.runs():
        write_particles(run, device="cpu")
    return store


@pytest.fixture
def run(store):
    """The ss-rVAE, whose library is as the run made it."""
    found = next(run for run in store.runs() if run.config.model.name == "ss-rvae")
    for file in found.path.glob("journal.*"):
        file.unlink()
    return found


@pytest.fixture
def page(open_page, run):
    page = open_page(f"library?left={run.id}")
    drawn(page)
    return page


def drawn(page):
    """Wait until the pictures are there, and the averages and fractions of what is shown."""
    expect(page.locator(".library .column").first).to_be_visible()
    expect(page.locator(".library .column[aria-busy=true]")).to_have_count(0)
    pictures_drawn(page)


def column(page, number):
    return page.locator(f".library [data-class='{number}']")


def ids_of(page, number):
    return page.evaluate(
        f"Array.from({VIEW}.columns.get({number}).rows, (row) => {VIEW}.table.ids[row]).sort((a, b) => a - b)"
    )


def picture(page, number, at=0):
    """The picture at a place of a class."""
    sample = page.evaluate(f"{VIEW}.table.ids[{VIEW}.columns.get({number}).rows[{at}]]")
    return column(page, number).locator(f"[data-sample='{sample}']")


def sign(page, name="AB"):
    page.get_by_label("Your name or initials").fill(name)
    page.get_by_role("button", name="Keep", exact=True).click()


def wait_for(page, run, n):
    """Wait until the journal has so many entries, and return the library."""
    journal = Journal(run)
    until_stored(page, lambda: len(journal.entries()) >= n)
    return journal.read()


def done(page):
    """Wait until the server has done all that was done in the browser."""
    page.wait_for_function("!document.querySelector('.library-place').mounted.actions.length")


def test_classes_stand_side_by_side_with_what_is_known_of_them(page, run):
    library = Journal(run).read()
    assert page.locator(".library .counter").bounding_box()["height"] < 30, "one line: a number and its word"
    expect(page.locator(".library .tally")).to_contain_text(f"{ALL} particles in {len(run.class_names)} classes")
    for number, name in library.names.items():
        one = column(page, number)
        expect(one.locator("h3")).to_contain_text(name)
        expect(one.locator(".count")).to_have_text(str(library.counts[number]))
        told = re.compile(r"of [\d,]+ particles, [<>\d.]+ %; true share [<>\d.]+ to [<>\d.]+ %")
        expect(one.locator(".fraction")).to_have_text(told)
        assert ids_of(page, number) == library.members(number).tolist()
        if library.counts[number]:
            expect(one.locator(".averages img")).to_have_count(2)
            expect(one.locator(".histogram svg")).to_be_visible()
    expect(page.locator(".library .foot").first).to_contain_text("held-out images")
    tops = {round(one.bounding_box()["y"]) for one in page.locator(".library .column").all()}
    assert len(tops) == 1, "side by side"


def test_pictures_are_moved_by_key_button_and_mouse_with_a_name_that_is_asked_once_and_undone(page, run):
    from_, to = fullest(run)
    first = picture(page, from_)
    sample = int(first.get_attribute("data-sample"))
    first.click()
    expect(page.locator("[data-selected]")).to_have_text("1")
    page.keyboard.press(str(to + 1))
    sign(page)
    library = wait_for(page, run, 1)
    assert library.decisions[sample].number == to and library.decisions[sample].who == "AB"
    expect(column(page, to).locator(f"[data-sample='{sample}']")).to_have_count(1)
    expect(page.locator(".library .tally")).to_contain_text("1 by hand")

    box = column(page, from_).locator(".pictures").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 20, steps=4)
    page.mouse.up()
    n = int(page.locator("[data-selected]").inner_text())
    assert n > 1, "a box selects what it touches"
    chosen = page.evaluate(f"{VIEW}.ids")
    drag(page, picture(page, from_), column(page, -1).locator(".pictures"))
    library = wait_for(page, run, 2)
    assert {library.decisions[one].number for one in chosen} == {-1}
    expect(page.locator("[data-selected]")).to_have_text("0")

    drag(page, picture(page, from_), column(page, to).locator(".pictures"))
    library = wait_for(page, run, 3)
    page.get_by_role("button", name=re.compile("^Undo")).click()
    page.keyboard.press("Escape")
    library = wait_for(page, run, 4)
    assert len(library.decisions) == 1 + n
    expect(page.get_by_role("button", name=re.compile("^Redo"))).to_be_enabled()
    expect(page.get_by_text("History: 4 changes")).to_be_visible(timeout=PATIENCE)
    drawn(page)
    page.get_by_text("History: 4 changes").click()
    expect(page.locator(".numbers td", has_text="AB")).to_have_count(4)


def fullest(run):
    """The class with most particles of a library, and another one."""
    library = Journal(run).read()
    order = sorted(library.names, key=lambda k: -library.counts[k])
    return order[0], order[1]


def drag(page, source, target):
    a, b = source.bounding_box(), target.bounding_box()
    page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 3)
    page.mouse.down()
    page.mouse.move(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2, steps=6)
    page.mouse.up()


def test_classes_are_renamed_split_and_merged_and_outliers_put_aside(page, run):
    from_, to = fullest(run)
    menu = column(page, from_).locator(".menu")
    menu.locator("summary").click()
    menu.get_by_label("New name of the class").fill("aces <b>")
    page.keyboard.press("Enter")
    sign(page, "CD")
    assert wait_for(page, run, 1).names[from_] == "aces <b>"
    expect(column(page, from_).locator("h3")).to_have_text(f"{from_ + 1} aces <b>")

    picture(page, from_).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("[data-selected]")).to_have_text("2")
    page.keyboard.press("n")
    page.keyboard.type("odd ones")
    page.keyboard.press("Enter")
    library = wait_for(page, run, 2)
    new = library.class_called("odd ones")
    assert library.counts[new] == 2
    expect(column(page, new).locator(".count")).to_have_text("2")

    menu = column(page, new).locator(".menu")
    menu.locator("summary").click()
    menu.get_by_label("Class to merge into").select_option(str(to))
    menu.get_by_role("button", name="Merge into it").click()
    library = wait_for(page, run, 3)
    assert library.merged == {new: to}
    expect(column(page, new)).to_have_count(0)

    page.get_by_label("Outlier threshold").focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    expect(page.locator(".library .cost")).to_contain_text("False alarm for")
    library = wait_for(page, run, 4)
    assert library.threshold is not None
    done(page)
    drawn(page)
    said = re.search(r"(\d+) of \d+ particles beyond", page.locator(".library .cost").inner_text())
    assert int(said[1]) == int((Journal(run).read().origin == Origin.OUTLIER).sum())

    menu = column(page, to).locator(".menu")
    menu.locator("summary").click()
    menu.get_by_label("New name of the class").fill("aces <b>")
    page.keyboard.press("Enter")
    expect(page.locator(".library .notice[role=alert]")).to_contain_text("aces <b>", timeout=PATIENCE)


def test_exactly_what_is_selected_is_exported(page, run, tmp_path):
    number, _ = fullest(run)
    picture(page, number, 0).click()
    picture(page, number, 4).click(modifiers=["Shift"])
    picture(page, number, 2).click(modifiers=["Control"])
    expect(page.locator("[data-selected]")).to_have_text("4")
    ids = set(page.evaluate(f"{VIEW}.ids"))
    button = page.get_by_role("button", name="Export 4 particles")
    expect(button).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile("select="), timeout=PATIENCE)
    with page.expect_download() as download:
        button.click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert {int(row["id"]) for row in rows} == ids and len(rows) == 4
    assert {row["class"] for row in rows} == {run.class_names[number]}

    page.get_by_label("Export as").click()
    page.get_by_role("option", name="Pictures, a folder per class (zip)").click()
    expect(page.get_by_text("in the folder where")).to_be_visible(timeout=PATIENCE)  # below the button
    until_idle(page)
    with page.expect_download() as download:
        button.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert set(members(archive.namelist())) == ids

    page.locator(".library").press("Escape")
    expect(page.get_by_role("button", name=f"Export {ALL} particles")).to_be_visible(timeout=PATIENCE)


def test_ten_labels_are_corrected_and_trained_on_again_and_both_runs_are_compared(page, run, store):
    particles = run.particles()
    hidden = particles.ids[particles.part == 1][:10]
    truth = dict(zip(particles.ids.tolist(), particles.predictions.labels.tolist(), strict=True))
    page.evaluate("localStorage.setItem('ssrvae who', 'EF')")
    page.reload()
    drawn(page)
    for number in sorted({truth[sample] for sample in hidden.tolist()}):
        some = [sample for sample in hidden.tolist() if truth[sample] == number]
        page.evaluate(f"{VIEW}.select({some})")
        page.get_by_role("button", name=re.compile(f"^{number + 1} {run.class_names[number]}")).click()
        expect(page.locator("[data-selected]")).to_have_text("0")
    done(page)
    expect(page.locator(".library .tally")).to_contain_text("10 by hand")
    again = page.get_by_role("button", name="Train again with 26 labels, 10 new")
    expect(again).to_be_visible(timeout=PATIENCE)
    before = {one.id for one in store.runs()}
    again.click()
    expect(page.get_by_text(re.compile("head puts \\d+ of 80 particles"))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="Watch it on the Train page")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("heading", name="What training again changed")).to_be_visible(timeout=4 * PATIENCE)
    [new] = [one for one in store.runs() if one.id not in before]
    assert new.status.state == "finished"
    said = page.get_by_text(re.compile(f"of {ALL} particles are in another class"))
    expect(said).to_be_visible(timeout=PATIENCE)
    changed = int(re.match(r"(\d+) of", said.inner_text())[1])
    expect(page.get_by_role("button", name="nothing has changed since")).to_be_disabled()
    if changed:
        expect(page.locator(".strip").first.locator("img").first).to_be_visible()
        page.locator(".st-key-library-select-compared button").click()
        expect(page.locator("[data-selected]")).to_have_text(str(changed), timeout=PATIENCE)
        expect(page.locator(".library .tally")).to_be_in_viewport()


def test_axe_finds_nothing_serious_in_the_classes_with_a_particle_open(page, run):
    number, _ = fullest(run)
    picture(page, number).dblclick()
    expect(page.locator(".library .card img").first).to_be_visible(timeout=PATIENCE)
    column(page, number).locator(".menu summary").click()
    assert not severe_in_both_themes(page)


def test_a_phone_shows_it_without_scrolling_sideways(open_page, run):
    page = open_page(f"library?left={run.id}", width=390)
    drawn(page)
    assert_no_sideways_scrolling(page)
    lefts = {round(one.bounding_box()["x"]) for one in page.locator(".library .column").all()}
    assert len(lefts) == 1, "one below the other"


def test_who_may_only_look_exports_and_changes_nothing(context, store, run, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with serving(store.root) as (_, port):
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/library?left={run.id}")
        drawn(page)
        page.locator(".library .picture").first.click()
        page.keyboard.press("2")
        expect(page.get_by_role("button", name="Export 1 particle")).to_be_visible(timeout=PATIENCE)
        for name in ("Undo", "New class", "Your name", "Train again"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        page.locator(".library .menu summary").first.click()
        expect(page.get_by_role("button", name="Select all of this class").first).to_be_visible()
        expect(page.get_by_role("button", name="Rename")).to_have_count(0)
        page.close()
    assert not (run.path / "journal.jsonl").exists()
