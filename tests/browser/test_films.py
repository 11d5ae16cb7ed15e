"""The films and the comparison in a real browser: one slider moves every panel, by mouse, by keyboard and by itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from ssrvae_core.runs.jobs import JobQueue
from tests.browser.shared import PATIENCE, assert_no_sideways_scrolling, until_still, until_stored
from tests.data import make_golden_store as golden
from tests.ui.ratio_stores import make_ratio_store

pytestmark = pytest.mark.slow
POINTS = [(model, ratio, 0) for model in ("ss-vae", "ss-rvae") for ratio in (0.05, 0.1, 0.5)]
FILM = ".film[data-shown]"
CONTENT = """() => {
    const graph = document.querySelector('.film .js-plotly-plot');
    const brush = graph.querySelector('.painted').getContext('2d');
    const sum = (box) => brush.getImageData(...box).data.reduce((known, value) => (31 * known + value) | 0, 7);
    const panel = (number) => {
        const [x, y] = ['x', 'y'].map((letter) => graph._fullLayout[`${letter}axis${number}`]);
        return [x._offset, y._offset, x._length, y._length];
    };
    const [left, top, width] = panel(2);
    const [, high, , tall] = panel('');
    const below = high + tall + 60; // between latents and confusions, as a film of two models is at this width
    return { latents: [sum(panel('')), sum(panel(3))].join(), confusions: [sum(panel(2)), sum(panel(4))].join(),
             curve: sum(panel(5)), manifolds: sum([left, below, width, top - 20 - below]) };
}"""
POINT = """([name, x]) => {
    const graph = document.querySelector('.film .js-plotly-plot');
    const trace = graph._fullData.find((one) => one.name === name && one.type === 'scatter');
    const [xaxis, yaxis] = [trace.xaxis, trace.yaxis].map((id) => graph._fullLayout[`${id[0]}axis${id.slice(1)}`]);
    const box = graph.getBoundingClientRect();
    const at = Array.from(trace.x).indexOf(x);
    return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(trace.y[at])];
}"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Both models at three ratios: two trained for one epoch, and copies of them."""
    trained = golden.unpack(tmp_path_factory.mktemp("trained"), golden.short_configs())
    store = make_ratio_store(trained, tmp_path_factory.mktemp("films"), POINTS)
    for number, run in enumerate(store.runs()):  # copies that can be told apart
        _turn(run, number)
    return store


def _turn(run, number):
    with np.load(run.path / "validation.npz") as archive:
        arrays = dict(archive)
    n, k = arrays["class_prob"].shape
    arrays["class_prob"] = np.random.default_rng(number).dirichlet(np.ones(k), n).astype(np.float32)
    arrays["z_mean"] = arrays["z_mean"] * (1 + number / 4)
    np.savez(run.path / "validation.npz", **arrays)
    with np.load(run.path / "manifold.npz") as archive:
        images = archive["images"]
    np.savez(run.path / "manifold.npz", images=np.minimum(images, 255 - 20 * number).astype(np.uint8))


def shows(page, label):
    expect(page.locator(f'.film[data-shown="{label}"]')).to_be_visible(timeout=PATIENCE)


AREAS = """(film) => {
    const layout = film.querySelector('.js-plotly-plot')._fullLayout;
    const names = Object.keys(layout).filter((name) => /^xaxis\\d*$/.test(name));
    return names.map((name) => layout[name]._length * layout[name.replace('x', 'y')]._length);
}"""


def test_while_a_film_loads_its_place_is_held_by_a_skeleton(browser, server):
    visitor = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    visitor.set_default_timeout(PATIENCE)
    page, waiting = visitor.new_page(), []
    page.route("**/plotly*.js", lambda route: waiting.append(route))  # of a visitor who has not loaded it before
    page.goto(f"{server}/supervised_ratio?ratio=0.05")
    film = page.locator(".film")
    expect(film).to_have_attribute("aria-busy", "true", timeout=PATIENCE)
    held = """() => {
        const { width, height } = document.querySelector('.film .stage').getBoundingClientRect();
        return width >= 700 && height >= 500;
    }"""
    page.wait_for_function(held)
    stage = film.locator(".stage")
    painted = stage.evaluate("stage => getComputedStyle(stage).backgroundColor")
    assert painted not in ("rgba(0, 0, 0, 0)", "transparent")
    assert not film.get_by_role("button", name="Play").is_visible(), "what does nothing yet is not offered"
    expect(film.locator(".js-plotly-plot")).to_have_count(0)
    for route in waiting:
        route.continue_()
    page.unroute("**/plotly*.js")
    shows(page, "5 %")
    expect(page.locator(".film[aria-busy=true]")).to_have_count(0)
    assert stage.evaluate("stage => getComputedStyle(stage).backgroundColor") != painted
    expect(film.get_by_role("button", name="Play")).to_be_visible()
    visitor.close()


def test_the_sentence_is_large_and_the_chart_of_the_accuracy_the_largest_of_the_film(open_page):
    page = open_page("supervised_ratio?ratio=0.05")
    shows(page, "5 %")
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        until_still(page)
        *others, accuracy = page.locator(".film").evaluate(AREAS)
        assert len(others) == 4 and accuracy > max(others), width
    sizes = "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))"
    (told,), labels = page.locator(".film .told").evaluate_all(sizes), page.locator(".film label").evaluate_all(sizes)
    assert told >= 20 and told > 1.3 * max(labels), "the sentence of the result is large"


def test_the_slider_moves_every_panel_and_the_address_by_a_step_to_either_end_and_by_itself(open_page):
    page = open_page("supervised_ratio?ratio=0.05")
    shows(page, "5 %")
    before = page.evaluate(CONTENT)
    page.get_by_role("slider").press("ArrowRight")
    shows(page, "10 %")
    after = page.evaluate(CONTENT)
    same = [panel for panel in before if before[panel] == after[panel]]
    assert not same, f"one step does not change {same}"
    expect(page.locator(".film output")).to_have_text("10 %")
    page.wait_for_url(re.compile("ratio=0.1"), timeout=PATIENCE)
    expect(page.get_by_role("link", name="These runs in Latent space (10 %)")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("button", name="Play").click()  # by itself
    shows(page, "50 %")
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile("ratio=0.5"), timeout=PATIENCE)

    page.get_by_role("slider").press("Home")
    shows(page, "1 %")
    expect(page.locator(".film .told")).to_have_text(re.compile("1 % labelled: not trained yet."))
    page.get_by_role("button", name="Play").click()  # over what is not trained
    shows(page, "5 %")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider").press("End")
    shows(page, "50 %")


def test_a_frame_tells_the_pointer_what_lies_under_it_is_saved_and_opens_its_runs_in_latent_space(open_page, store):
    page = open_page("supervised_ratio?ratio=0.05")
    shows(page, "5 %")
    first_cell = """() => {
        const graph = document.querySelector('.film .js-plotly-plot');
        const main = document.querySelector('[data-testid=stMain]');
        const { xaxis2, yaxis2 } = graph._fullLayout;
        main.scrollBy(0, graph.getBoundingClientRect().top + yaxis2._offset - innerHeight / 2);
        const box = graph.getBoundingClientRect();
        return [box.left + xaxis2._offset + 5, box.top + yaxis2._offset + 5];
    }"""
    page.mouse.move(*page.evaluate(first_cell))
    tip = page.locator(".film .tip")
    expect(tip).to_have_text(re.compile(r"True hearts\s+Predicted hearts\s+\d+ images"), timeout=PATIENCE)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden(timeout=PATIENCE)

    page.locator(".film .js-plotly-plot").hover()
    with page.expect_download(timeout=PATIENCE) as download:
        page.locator('.film .modebar-btn[data-title="Download this frame"]').click()
    picture = Path(download.value.path()).read_text()
    assert download.value.suggested_filename.endswith(".svg")
    assert picture.count('class="point plotly-customdata"') >= 2 * 32, "the points are not vectors"
    assert "ss-rVAE, manifold" in picture

    page.get_by_role("link", name="These runs in Latent space (5 %)").click()
    page.wait_for_url(re.compile("latent_space"), timeout=PATIENCE)
    wanted = {run.id for run in store.runs() if run.config.split.labelled_ratio == 0.05}
    opened = {re.search(f"{side}=([0-9a-f]+)", page.url)[1] for side in ("left", "right")}
    assert opened == wanted, "the link opens other runs than those of the frame"


def test_a_click_on_a_point_of_the_curve_moves_the_slider_and_a_permalink_opens_where_it_was_left(open_page):
    page = open_page("supervised_ratio?ratio=0.5")
    shows(page, "50 %")
    page.locator(".film .js-plotly-plot").scroll_into_view_if_needed()
    until_still(page)
    x, y = page.evaluate(POINT, ["ss-rVAE", 0.05])
    page.mouse.move(x, y, steps=8)
    expect(page.locator(".film .hoverlayer .hovertext").first).to_be_visible(timeout=PATIENCE)
    page.mouse.down()
    page.mouse.up()
    shows(page, "5 %")
    page.wait_for_url(re.compile("ratio=0.05"), timeout=PATIENCE)

    page.get_by_role("slider").press("ArrowRight")
    page.wait_for_url(re.compile("ratio=0.1"), timeout=PATIENCE)
    page.get_by_role("slider").press("ArrowLeft")  # over a ratio that nobody trained
    page.wait_for_url(re.compile("ratio=0.05"), timeout=PATIENCE)
    again = open_page(page.url.split("/", 3)[3], width=390)
    shows(again, "5 %")
    _assert_fits_on_a_phone(again)


def _assert_fits_on_a_phone(page):
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    until_still(page)
    assert_no_sideways_scrolling(page)


def test_the_training_film_fits_on_a_phone_and_follows_its_slider_too(open_page):
    page = open_page("training_film", width=390)
    expect(page.locator(FILM)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".film output")).to_have_text("1")
    page.wait_for_url(re.compile("epoch=1"), timeout=PATIENCE)
    _assert_fits_on_a_phone(page)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("address", ["supervised_ratio", "training_film"])
def test_in_a_presentation_slider_sentence_and_curve_are_on_one_screen(address, width, height, open_page):
    page = open_page(f"{address}?present=1", width=width)
    page.set_viewport_size({"width": width, "height": height})
    expect(page.locator(FILM)).to_be_visible(timeout=PATIENCE)
    assert page.locator(".film .told").bounding_box()["y"] > 0
    lowest = ".film" if height == 1080 else ".film .legend2"  # all of it, or all down to the names below the curve
    within = "([lowest, height]) => document.querySelector(lowest)?.getBoundingClientRect().bottom <= height"
    page.wait_for_function(within, arg=[lowest, height], timeout=PATIENCE)


def test_the_comparison_needs_no_sideways_scrolling_on_a_phone(open_page):
    _assert_fits_on_a_phone(open_page("compare", width=390))


def test_a_ratio_that_is_missing_is_trained_by_its_button(open_page, store):
    page = open_page("supervised_ratio?ratio=0.2")
    shows(page, "20 %")
    page.get_by_role("button", name="Train ss-VAE and ss-rVAE at 20 %").click()
    under_way = page.get_by_text(re.compile("ss-rvae on .*0.2 labelled|ss-rVAE .* 20 % labelled"))
    done = page.locator(".film .told").filter(has_text=re.compile(r"ss-rVAE is right for <?\d+ %"))
    expect(under_way.or_(done).first).to_be_visible()  # so small a training may be done before it is seen
    until_stored(page, lambda: len(JobQueue(store).list()) == 2)
    assert {job.kind for job in JobQueue(store).list()} == {"train"}
    expect(page.locator(".film .told")).to_contain_text(
        re.compile(r"ss-rVAE is right for <?\d+ %"), timeout=3 * PATIENCE
    )
    assert len([run for run in store.runs() if run.config.split.labelled_ratio == 0.2]) == 2
