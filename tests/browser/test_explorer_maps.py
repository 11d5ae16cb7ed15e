"""The maps of the explorer by mouse in a real browser: boxes, panning, colours, density, and where they stand."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from plotly.colors import get_colorscale, hex_to_rgb

from ssrvae_core.figures import theme
from tests.browser.test_explorer import selected, shown_ids

pytestmark = pytest.mark.slow

PLACES = """() => { const map = explorer.maps[0];
    return Array.from(explorer.table.ids, (id, row) => [Number(id), ...map.placeOf(row)]); }"""
PIXEL = """([row, x, y]) => {
    const { canvas } = explorer.maps[0];
    const [left, top] = row === null ? [x, y] : explorer.maps[0].placeOf(row);
    return Array.from(canvas.getContext('2d').getImageData(Math.round(left), Math.round(top), 1, 1).data);
}"""


def tool(page, name):
    page.locator(f".map .modebar-btn[data-title^='{name}']").first.click()


def drag(page, start, end, chart=0):
    """Drag from one place of a map to another, both shares of its width and height."""
    box = page.locator("[data-explorer-map]").nth(chart).bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()
    return np.array([x0, y0]) - [box["x"], box["y"]], np.array([x1, y1]) - [box["x"], box["y"]]


def test_a_box_selects_the_points_inside_it_and_shift_adds_and_alt_takes_away(explorer):
    page = explorer
    tool(page, "Box")
    ids, *places = np.array(page.evaluate(PLACES)).T
    places = np.stack(places, axis=1)

    def inside(corners, margin=0):
        low, high = np.sort(corners, axis=0)
        return set(ids[((places > low - margin) & (places < high + margin)).all(axis=1)].astype(int).tolist())

    first = drag(page, (0.25, 0.2), (0.7, 0.6))
    chosen = set(page.evaluate("explorer.ids"))
    assert inside(first, -1) <= chosen <= inside(first, 1) and len(chosen) > 20
    assert selected(page) == len(chosen) and shown_ids(page) <= chosen
    page.keyboard.down("Shift")
    second = drag(page, (0.7, 0.9), (0.3, 0.55))  # from the lower right
    page.keyboard.up("Shift")
    both = set(page.evaluate("explorer.ids"))
    assert chosen | inside(second, -1) <= both <= chosen | inside(second, 1) and len(both) > len(chosen)
    page.keyboard.down("Alt")
    drag(page, (0.25, 0.2), (0.7, 0.6))
    page.keyboard.up("Alt")
    assert set(page.evaluate("explorer.ids")) == both - chosen


def test_the_mouse_pans_a_map_and_selects_nothing(explorer):
    page = explorer
    page.get_by_label("Search by id").fill("61")  # one point alone is painted
    before = np.array(page.evaluate("explorer.maps[0].placeOf(17)"))
    assert page.evaluate(PIXEL, [None, *before])[3] > 100
    tool(page, "Pan")
    start, end = drag(page, (0.5, 0.5), (0.6, 0.4))
    page.wait_for_function("explorer.values.zooms[0]")
    after = np.array(page.evaluate("explorer.maps[0].placeOf(17)"))
    np.testing.assert_allclose(after - before, end - start, atol=1)
    assert page.evaluate(PIXEL, [None, *after])[3] > 100 and page.evaluate(PIXEL, [None, *before])[3] == 0
    assert selected(page) == 0 and page.evaluate("explorer.values.open") is None
    assert page.evaluate("explorer.address.zoom").startswith("0:")


def test_the_wheel_shows_a_part_of_the_map_larger_and_the_home_tool_all_of_it_again(explorer):
    page = explorer
    ranges = "explorer.maps[0].ranges().map(([low, high]) => high - low)"
    whole = page.evaluate(ranges)
    box = page.locator("[data-explorer-map]").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.wait_for_function("explorer.values.zooms[0]")
    assert all(part < 0.95 * all_ for part, all_ in zip(page.evaluate(ranges), whole, strict=True))
    assert selected(page) == 0
    tool(page, "Reset axes")
    page.wait_for_function("!explorer.values.zooms[0]")
    assert page.evaluate(ranges) == pytest.approx(whole)


def test_arrow_keys_move_a_map_and_minus_shows_more_of_it(explorer):
    page = explorer
    place = "explorer.maps[0].placeOf(17)"
    page.locator("[data-explorer-map]").first.focus()

    def pressed(key):
        before = page.evaluate(place)
        page.keyboard.press(key)
        page.wait_for_function(f"before => {place}.some((at, i) => Math.abs(at - before[i]) > 1)", arg=before)
        return np.array(page.evaluate(place)) - before

    for key, across, down in (("ArrowRight", -1, 0), ("ArrowUp", 0, 1), ("ArrowLeft", 1, 0), ("ArrowDown", 0, -1)):
        moved = pressed(key)
        assert np.array_equal(np.sign(np.round(moved)), [across, down]) and np.abs(moved).max() > 20, key
    pressed("+")
    low, high = page.evaluate("explorer.maps[0].ranges()[0]")
    pressed("-")
    lower, higher = page.evaluate("explorer.maps[0].ranges()[0]")
    assert lower < low and higher > high


def rgb(colour):
    return hex_to_rgb(colour) if colour.startswith("#") else tuple(map(int, colour[4:-1].split(",")))


def colour_of(page, row):
    """The colour in which a particle's point is painted, with no other point on it."""
    search = page.get_by_label("Search by id")
    search.fill(str(page.evaluate(f"explorer.table.ids[{row}]")))
    *channels, alpha = page.evaluate(PIXEL, [row, 0, 0])
    search.fill("")
    assert alpha > 100
    return channels


def test_points_have_the_colours_of_their_part_micrograph_size_or_factor_which_are_told_above(explorer, particles):
    page = explorer
    first = particles[0][0].particles
    legend = page.locator(".legend .entry")
    colour = page.get_by_label("Colour by")
    for name, values, words in (
        ("part", first.part, ("Labelled", "Unlabelled", "Validation")),
        ("group", first.groups, first.group_names),
    ):
        colour.select_option(name)
        counts = np.bincount(values)
        expect(legend).to_have_text([f"{word}{n}" for word, n in zip(words, counts, strict=True)])
        for row in range(len(words)):  # each of another value
            assert colour_of(page, row) == pytest.approx(rgb(theme.class_colour(values[row])), abs=4), name
    scale = [rgb(tone) for _, tone in get_colorscale(theme.SEQUENTIAL)]
    for name, values, unit in (("size", first.size, "nm"), ("shift_x", first.predictions.factors["shift_x"], "")):
        colour.select_option(name)
        low, high = np.percentile(values, [1, 99])
        told = page.locator(".scale > span")
        assert float(told.first.inner_text()) == pytest.approx(low, rel=0.01)
        assert float(told.last.inner_text().removesuffix(unit)) == pytest.approx(high, rel=0.01)
        assert told.last.inner_text().endswith(unit)
        for row, tone in ((values.argmin(), scale[0]), (values.argmax(), scale[-1])):
            assert colour_of(page, int(row)) == pytest.approx(tone, abs=4), name
        middle = int(np.abs(values - (low + high) / 2).argmin())
        assert colour_of(page, middle) != pytest.approx(scale[0], abs=20)


def test_the_keyboard_stays_on_the_filter_that_it_has_changed(explorer, particles):
    page = explorer
    counter = page.locator(".counter")
    labels = particles[0][0].predictions.labels
    entry = page.locator(".legend .entry").nth(1)
    entry.focus()
    for shown in (len(labels) - (labels == 1).sum(), len(labels)):
        page.keyboard.press("Space")
        expect(counter).to_have_text(f"0 of {shown} selected")
        expect(entry).to_be_focused()
    part = page.locator(".parts input").nth(2)
    part.focus()
    for shown in (200, 300):
        page.keyboard.press("Space")
        expect(counter).to_have_text(f"0 of {shown} selected")
        expect(part).to_be_focused()


DENSITY = """async (extra) => {
  const { MOST_MARKERS, paintPoints, Stamps } = await import("./points.js");
  const n = MOST_MARKERS + extra;
  const [xs, ys] = [0, 1].map(() => ({ values: new Float32Array(n).fill(3), step: 1, start: 0 }));
  xs.values[0] = 1; // alone
  xs.values.fill(2, 1, 4); // three of two classes
  const look = Uint16Array.from({ length: n }, (_, row) => row % 2);
  const looks = [{ colour: "#ff0000", symbol: "circle" }, { colour: "#0000ff", symbol: "circle" }];
  const axis = (_id) => ({ _id, _offset: 0, _length: 100, range: [0, 4] });
  const canvas = Object.assign(document.createElement("canvas"), { width: 100, height: 100 });
  const brush = canvas.getContext("2d");
  const order = Int32Array.from({ length: n }, (_, row) => row);
  const points = { xs, ys, look, looks, seen: new Uint8Array(n).fill(1), chosen: null, order };
  const drawn = [];
  const copy = brush.drawImage.bind(brush);
  brush.drawImage = (...all) => { drawn.push(1); copy(...all); };
  const stamps = new Stamps({ circle: "M8,2A6,6 0 1,1 7.99,2Z" }, { color: "#ffffff", width: 1 });
  paintPoints(brush, 1, points, { xaxis: axis("x"), yaxis: axis("y") }, stamps);
  return { markers: drawn.length, at: [25, 50, 75].map((x) => Array.from(brush.getImageData(x, 25, 1, 1).data)) };
}"""


def test_of_more_than_six_thousand_points_the_map_is_the_denser_painted_the_more_there_are(explorer):
    few, many = (explorer.evaluate(DENSITY, extra) for extra in (0, 1))
    assert few["markers"] == 6000 and many["markers"] == 0
    alone, three, all_others = many["at"]
    assert 100 < alone[3] < three[3] < all_others[3] == 255
    assert alone[0] > 250 and alone[2] < 5
    for mixed in (three, all_others):  # no class lies on top of the other
        assert min(mixed[0], mixed[2]) > 30


def test_two_maps_stand_beside_each_other_where_there_are_960_pixels_for_the_explorer(explorer):
    page = explorer

    def tops():
        return [map_.bounding_box()["y"] for map_ in page.locator("[data-explorer-map]").all()]

    margins = 1280 - page.locator("#place").bounding_box()["width"]
    for width, beside in ((960, True), (959, False)):
        page.set_viewport_size({"width": round(width + margins), "height": 900})
        upper, lower = tops()
        assert (upper == lower) is beside, width
        pictures = page.locator(".pictures").bounding_box()
        maps = page.locator(".maps").bounding_box()
        assert maps["x"] + maps["width"] <= pictures["x"]


def test_the_title_of_a_map_says_that_not_every_validation_image_has_a_label(explorer):
    expect(explorer.locator(".holder figcaption").first).to_contain_text("80 labelled validation images")
