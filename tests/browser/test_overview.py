"""The list of runs in a real browser: rows open, boxes tick, headings sort, and a run is named."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from ssrvae_core.runs import directory
from ssrvae_core.runs.about import write_about
from tests.browser.shared import PATIENCE, ROOT, assert_no_sideways_scrolling, until_idle
from ui.run_list.rows import COLUMNS, row_of

pytestmark = pytest.mark.slow


def opened(open_page, path="", **options):
    page = open_page(path, **options)
    table = page.get_by_role("table", name="Runs of the store")
    expect(table).to_be_visible(timeout=PATIENCE)
    until_idle(page)
    return page, table


def test_a_ticked_run_can_be_acted_on_in_a_bar_that_was_there_before_and_in_sight(open_page):
    page, _ = opened(open_page)
    bar = page.get_by_text("0 of 2 selected")
    expect(bar).to_be_in_viewport()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    boxes = page.get_by_role("checkbox", name=re.compile("^Select run"))
    boxes.first.click()
    expect(page.get_by_text("1 of 2 selected")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Delete")).to_be_enabled()
    boxes.last.click(modifiers=["Shift"])
    expect(page.get_by_text("2 of 2 selected")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete 2 runs")).to_be_visible()
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    expect(boxes).to_have_count(2)


def test_what_is_ticked_never_moves_the_list(open_page, store):
    stopped, finished = store.runs()
    failed = stopped.status.model_copy(update={"state": "failed", "error": "The loss is not a number. " * 8})
    directory.write_status(stopped.path, failed)
    try:
        for width in (1280, 390):
            page, table = opened(open_page, width=width)
            heading = page.get_by_role("heading", name="Runs", exact=True)

            def height(table=table, heading=heading):
                return round(table.bounding_box()["y"] - heading.bounding_box()["y"])

            before = height()
            for run in (stopped, finished):
                box = table.locator(f'tr[data-id="{run.id}"]').get_by_role("checkbox")
                box.check()
                expect(page.get_by_text("1 of 2 selected")).to_be_visible()
                expect(page.get_by_text("failed after")).to_have_count(2 if run is stopped else 1)
                until_idle(page)
                assert height() == before
                box.uncheck()
                expect(page.get_by_text("0 of 2 selected")).to_be_visible()
            expect(page.get_by_role("button", name="Resume")).to_have_count(1)  # that of the trainings that stopped
    finally:
        directory.write_status(stopped.path, stopped.status)


def test_a_row_opens_its_run_wherever_it_is_clicked_and_by_the_keyboard(open_page, store):
    page, table = opened(open_page)
    row = table.get_by_role("row").nth(1)
    run_id = row.get_attribute("data-id")
    row.get_by_role("cell").nth(5).click()
    page.wait_for_url(re.compile(f"latent_space.*left={run_id}"), timeout=PATIENCE)
    page, table = opened(open_page)
    table.get_by_role("row").nth(2).get_by_role("link").press("Enter")
    page.wait_for_url(re.compile("latent_space.*left="), timeout=PATIENCE)


def test_the_order_is_in_the_address_and_a_link_restores_it(open_page, store):
    page, table = opened(open_page)
    page.get_by_role("button", name="Accuracy").click()
    page.wait_for_url(re.compile("sort=-accuracy"), timeout=PATIENCE)
    best = max(store.runs(), key=lambda run: run.accuracy).id
    expect(table.get_by_role("row").nth(1)).to_have_attribute("data-id", best)
    again, table = opened(open_page, page.url.split("/", 3)[3])
    expect(again.get_by_role("columnheader", name="Accuracy")).to_have_attribute("aria-sort", "descending")
    expect(table.get_by_role("row").nth(1)).to_have_attribute("data-id", best)


def test_a_run_is_named_and_found_by_its_name(open_page, store):
    page, table = opened(open_page)
    page.get_by_role("checkbox", name=re.compile("^Select run")).first.click()
    expect(page.get_by_text("1 of 2 selected")).to_be_visible()
    page.get_by_role("button", name="Name, note").click()
    page.get_by_role("textbox", name="Name").fill("gold, <b>first</b> try")
    page.get_by_role("textbox", name="Note").fill("dose 30")
    page.get_by_role("button", name="Save").click()
    expect(table.get_by_role("link", name="gold, <b>first</b> try")).to_be_visible(timeout=PATIENCE)
    expect(table.get_by_text("dose 30")).to_be_visible()
    assert [run.about.name for run in store.runs() if run.about.name] == ["gold, <b>first</b> try"]


def test_on_a_phone_nothing_is_cut(open_page):
    page, table = opened(open_page, width=390)
    assert_no_sideways_scrolling(page)
    box = table.bounding_box()
    assert box["x"] + box["width"] <= 390


CUT = """(table) => [...table.querySelectorAll("th, td, a, button, time, .small")].filter((one) => {
    const { left, right } = one.getBoundingClientRect();
    return one.scrollWidth > one.clientWidth + 1 && one.clientWidth || right > innerWidth || left < 0
        || getComputedStyle(one).textOverflow === "ellipsis";
}).map((one) => `${one.className}: ${one.textContent}`)"""


def test_at_1280_pixels_nothing_of_the_list_is_cut_however_long_names_and_notes_are(open_page, store):
    run, _ = store.runs()
    write_about(run, "gold-" * 12, "a note of words " * 12)
    try:
        page, table = opened(open_page)
        assert_no_sideways_scrolling(page)
        headings = [heading for heading in table.get_by_role("columnheader").all_inner_texts() if heading.strip()]
        assert len(headings) == 8 and all(heading in " ".join(headings) for heading in ("Data set", "Updated"))
        assert table.get_by_text("gold-" * 12).is_visible()
        assert table.evaluate(CUT) == []
        inside, main = table.bounding_box(), page.get_by_test_id("stMain").bounding_box()
        assert main["x"] <= inside["x"] and inside["x"] + inside["width"] <= main["x"] + main["width"]
    finally:
        write_about(run, "", "")


NOW = 1_700_000_000
AGO = {
    -5: "just now",
    59: "just now",
    60: "1 minute ago",
    200: "3 minutes ago",
    3599: "59 minutes ago",
    3600: "1 hour ago",
    5 * 3600: "5 hours ago",
    86_400: "1 day ago",
    29 * 86_400: "29 days ago",
    70 * 86_400: "2 months ago",
    800 * 86_400: "2 years ago",
}


def test_times_are_told_as_how_long_ago_it_was_and_go_on_by_themselves(browser, store):
    page = browser.new_page()
    page.clock.install(time=NOW)
    page.route(
        "http://list.test/**",
        lambda route: (
            route.fulfill(content_type="text/javascript", body=(ROOT / "ui/run_list/list.js").read_text("utf-8"))
            if route.request.url.endswith(".js")
            else route.fulfill(content_type="text/html", body='<div id="place"><div class="runs"></div></div>')
        ),
    )
    page.goto("http://list.test/")
    row = row_of(store.runs()[0]) | {"updated": NOW - 200, "exact": "14 November 2023"}
    columns = [{"name": name, "title": title} for name, title in COLUMNS.items()]
    told = page.evaluate(
        """async ([data, seconds]) => {
            const list = await import("./list.js");
            const parentElement = document.querySelector("#place");
            list.default({ data, parentElement, setStateValue() {}, setTriggerValue() {} });
            return seconds.map(list.ago);
        }""",
        [{"rows": [row], "columns": columns, "sort": None, "group": "none"}, list(AGO)],
    )
    assert told == list(AGO.values())
    shown = page.locator("tr[data-id] time")
    expect(shown).to_have_text("3 minutes ago")
    expect(shown).to_have_attribute("title", "14 November 2023")
    page.clock.run_for(60_000)
    expect(shown).to_have_text("4 minutes ago")
    page.close()
