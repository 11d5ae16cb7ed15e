"""The pictures of the explorer in a real browser: how large, which way up, in which order, and which point each is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.test_explorer import place_of
from tests.explorer_page import NAMES

pytestmark = pytest.mark.slow

FRAMES = """all => all.flatMap((one) => {
    const { left, top, bottom, width, height } = one.getBoundingClientRect();
    const place = one.closest('.pictures, .card').getBoundingClientRect();
    if (bottom > place.bottom || top < place.top) return [];
    return [[Number(one.closest('[data-sample]')?.dataset.sample ?? 0), left, top, width, height]];
})"""
PICTURES = ".pictures .picture .frame"


def boxes(page, frames=PICTURES):
    """Sample id, left, top, width and height of every picture that is whole in sight, as one reads them."""
    return sorted(page.locator(frames).evaluate_all(FRAMES), key=lambda box: (box[2], box[1]))


def order(page):
    return [sample for sample, *_ in boxes(page)]


def directions(page, frames=PICTURES):
    """Where the bar on each picture points on the screen, degrees counter-clockwise from the top, by its id."""
    screen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"), dtype=float)
    found = {}
    for sample, left, top, width, height in boxes(page, frames):
        side = min(width, height)
        y, x = np.mgrid[: round(side), : round(side)] - (side - 1) / 2
        part = screen[round(top) :, round(left) :][: round(side), : round(side)]
        bright = (part > 150) & (np.hypot(x, y) < 0.46 * side)  # of the disc that stays whole however it is turned
        x, y = x[bright], -y[bright]
        axis = np.linalg.eigh(np.cov(x, y))[1][:, 1]
        axis *= np.sign(axis @ [x.mean(), y.mean()])  # a bar is longer on the side that it points to
        found[sample] = np.degrees(np.arctan2(-axis[0], axis[1]))
    return found


def away(found, expected):
    """Largest difference between angles in degrees."""
    return max(abs((found[one] - expected.get(one, 0) + 180) % 360 - 180) for one in found)


@pytest.fixture(scope="module")
def said(particles):
    """What the model that sorts says: the second, which infers angles."""
    return particles[0][1]


@pytest.fixture(scope="module")
def angles(said):
    """Inferred angles in degrees of the particles whose bar is long enough to be measured on the screen."""
    p = said.predictions
    return {int(p.ids[row]): float(np.degrees(p.angle[row])) for row in np.flatnonzero(p.labels >= 1)}


def test_a_slider_makes_the_pictures_larger(explorer):
    before = boxes(explorer)
    slider = explorer.get_by_role("slider", name="Size of the pictures")
    slider.fill("128")
    after = boxes(explorer)
    assert min(width for *_, width, _ in after) >= 128 > max(width for *_, width, _ in before)
    assert len(after) < len(before)
    assert explorer.evaluate("explorer.address.pictures") == "128"


def test_a_picture_is_as_high_as_it_is_wide(explorer):
    tiles = explorer.locator(".pictures .tile").evaluate_all(
        "all => all.map(one => [one.offsetWidth, one.offsetHeight])"
    )
    assert tiles and all(width == height for width, height in tiles), "pictures of square images are squashed"


def test_upright_turns_every_crop_by_its_own_inferred_angle_until_it_stands(explorer, angles):
    page = explorer
    seen = directions(page)
    known = {one: seen[one] for one in seen if one in angles}
    assert len(known) > 10 and away(known, angles) < 8
    page.get_by_label("Upright").check()
    upright = directions(page)
    assert upright.keys() == seen.keys()
    assert away({one: upright[one] for one in known}, {}) < 8
    page.get_by_label("Upright").uncheck()
    assert directions(page) == seen


def test_pictures_stand_in_the_order_that_is_asked_for_and_in_the_reverse(explorer, particles, said):
    page = explorer
    ids = said.particles.ids
    keys = {
        "Confidence": said.predictions.confidence,
        "Outlier score": said.particles.outlier_score,
        "Predicted class": said.predictions.predicted,
        "Angle": said.predictions.angle,
        "Size": particles[0][0].particles.size,
    }
    for name, values in keys.items():
        page.get_by_label("Sort by").select_option(label=name)
        shown = order(page)
        assert len(shown) > 20
        assert shown == ids[np.argsort(values, kind="stable")][: len(shown)].tolist(), name
        page.get_by_role("button", name="Smallest first; turn round").click()
        assert order(page) == ids[np.argsort(-values, kind="stable")][: len(shown)].tolist(), name
        page.get_by_role("button", name="Largest first; turn round").click()


def test_the_likest_pictures_come_first_after_the_chosen_one(explorer, said):
    page = explorer
    chosen = page.locator(".pictures [data-sample]").nth(4)
    sample = int(chosen.get_attribute("data-sample"))
    chosen.click()
    page.get_by_role("button", name="Sort all by likeness").click()
    expect(page.get_by_label("Sort by")).to_have_value("likeness")
    page.get_by_role("slider", name="Size of the pictures").fill("32")
    ids, z = said.particles.ids, said.predictions.z_mean
    distances = np.square(z - z[np.searchsorted(ids, sample)]).sum(axis=1)
    shown = order(page)
    assert shown[0] == sample and len(shown) > 20
    assert shown == ids[np.argsort(distances, kind="stable")][: len(shown)].tolist()


def test_pictures_by_class_stand_under_the_name_and_the_number_of_their_class(explorer, said):
    page = explorer
    some = said.particles.ids < 130
    predicted = dict(zip(said.particles.ids[some].tolist(), said.predictions.predicted[some].tolist(), strict=True))
    page.get_by_label("Search by id").fill("0-129")
    page.get_by_role("slider", name="Size of the pictures").fill("40")
    page.get_by_label("By class").check()
    counts = np.bincount(list(predicted.values()), minlength=4)
    heads = page.locator(".pictures .heading")
    expect(heads).to_have_text([f"{name} {n}" for name, n in zip(NAMES, counts, strict=True) if n])
    tops = [head.bounding_box()["y"] for head in heads.all()]
    under = [int(np.searchsorted(tops, top)) - 1 for _, _, top, _, _ in boxes(page)]
    present = np.flatnonzero(counts)
    assert [present[at] for at in under] == [predicted[sample] for sample in order(page)]
    assert len(under) == len(predicted)


RINGED = """(row) => explorer.maps.map((map) => {
    const [, rings] = map.element.querySelectorAll('.painted');
    const { data } = rings.getContext('2d').getImageData(0, 0, rings.width, rings.height);
    const [x, y] = map.placeOf(row);
    let [near, far] = [0, 0];
    for (let i = 3; i < data.length; i += 4) {
        if (!data[i]) continue;
        const at = (i - 3) / 4;
        if (Math.hypot(at % rings.width - x, Math.floor(at / rings.width) - y) < 12) near += 1;
        else far += 1;
    }
    return [near > 0, far > 0];
})"""


def test_the_picture_under_the_pointer_is_marked_on_every_map(explorer):
    page = explorer
    for at in (3, 8):
        picture = page.locator(".pictures [data-sample]").nth(at)
        row = page.evaluate(f"explorer.table.row({picture.get_attribute('data-sample')})")
        picture.hover()
        assert page.evaluate(RINGED, row) == [[True, False]] * 2
    page.mouse.move(*place_of(page, row))  # away from the pictures, and on the point of the first map
    page.mouse.move(5, 5)
    assert page.evaluate(RINGED, row) == [[False, False]] * 2


def test_a_particle_s_card_shows_it_as_seen_and_upright_and_tells_its_size(explorer, particles, angles):
    page = explorer
    sample = next(iter(angles))
    page.evaluate(f"explorer.set({{ open: {sample} }})")
    card = page.locator(".card")
    card.evaluate("card => { card.scrollTop = 0; }")
    shown = {
        caption: directions(page, f".card .pair figure:has(figcaption:text-is('{caption}')) .frame")
        for caption in ("As seen", "Upright")
    }
    assert away(shown["As seen"], {0: angles[sample]}) < 8
    assert away(shown["Upright"], {}) < 8
    first = particles[0][0].particles
    size = first.size[np.searchsorted(first.ids, sample)]
    told = dict(
        zip(card.locator(".details dt").all_inner_texts(), card.locator(".details dd").all_inner_texts(), strict=True)
    )
    number, unit = told["Size"].split()
    assert float(number) == pytest.approx(float(size), abs=0.06) and unit == "nm"


TABLE = """async () => {
  const [{ Table }, filters] = await Promise.all(["./table.js", "./filters.js"].map((module) => import(module)));
  const none = NaN;
  const categories = [0, 1, 2].map((value) => ({ value }));
  const header = {
    n: 6, classes: ["bars", "discs", "rings"], models: [{ dims: 2 }, { dims: 1 }],
    groups: ["North.tif", "b <i>.tif", "south.tif"],
    colourings: [
      { name: "predicted", label: "Predicted class", column: "predicted", categories },
      { name: "angle", label: "Angle", column: "angle" },
      { name: "outlier score", label: "Outlier score", column: "outlier" },
      { name: "confidence", label: "Confidence", column: "confidence" },
      { name: "part", label: "Part", column: "part", categories },
    ],
  };
  const columns = {
    ids: Int32Array.of(2, 4, 6, 8, 10, 12), part: Int8Array.of(0, 1, 2, 0, 1, 2),
    group: Int32Array.of(0, 0, 1, 1, 2, -1),
    names: ["crop-1.png", "crop-2.png", "other.png", "crop-3.png", "last.PNG", ""],
    "0/predicted": Int16Array.of(2, 0, 0, 2, 0, 2), "1/predicted": Int16Array.of(1, 1, 1, 1, 1, 1),
    "0/confidence": Float32Array.of(0.5, 0.9, 0.5, 1, 0.25, 0.5), "1/confidence": Float32Array.of(6, 5, 4, 3, 2, 1),
    "0/angle": Float32Array.of(none, 5, none, -170, 90, 5), "0/outlier": Float32Array.of(0, 0, 0, 0, 0, 0),
    "0/z": Float32Array.of(0, 0, 3, 4, 0, 1, 0, -2, 10, 0, 0.5, 0), "1/z": Float32Array.of(6, 5, 4, 3, 2, 0),
  };
  window.known = { table: new Table(header, columns), ...filters };
}"""
RESULTS = {
    # in order: what has no value is last whichever way round, and what is alike stays in the order of its ids
    "ids(sortedRows(table, all, { sort: 'confidence', descending: false, by: 0 }))": [10, 2, 6, 12, 4, 8],
    "ids(sortedRows(table, all, { sort: 'confidence', descending: true, by: 0 }))": [8, 4, 2, 6, 12, 10],
    "ids(sortedRows(table, all, { sort: 'confidence', descending: false, by: 1 }))": [12, 10, 8, 6, 4, 2],
    "ids(sortedRows(table, all, { sort: 'angle', descending: false, by: 0 }))": [8, 4, 12, 10, 2, 6],
    "ids(sortedRows(table, all, { sort: 'angle', descending: true, by: 0 }))": [10, 4, 12, 8, 2, 6],
    "ids(sortedRows(table, all, { sort: 'class', descending: true, by: 0 }))": [2, 8, 12, 4, 6, 10],
    "ids(sortedRows(table, all, { sort: 'id', descending: true, by: 0 }))": [12, 10, 8, 6, 4, 2],
    "ids(sortedRows(table, all, { sort: 'likeness', descending: false, by: 0, open: 2 }))": [2, 12, 6, 8, 4, 10],
    "ids(sortedRows(table, all, { sort: 'likeness', descending: false, by: 1, open: 12 }))": [12, 10, 8, 6, 4, 2],
    "ids(sortedRows(table, all, { sort: 'likeness', descending: false, by: 0, open: null }))": [2, 4, 6, 8, 10, 12],
    "ids(sortedRows(table, [5, 3, 0], { sort: 'id', descending: false, by: 0 }))": [2, 8, 12],
    "sortsOf(table).map((one) => one.name)": ["confidence", "outlier score", "angle", "class", "likeness", "id"],
    # by class
    "ids(groupedRows(table, [5, 4, 3, 0], { by: 0, grouped: true }).rows)": [10, 12, 8, 2],
    "groupedRows(table, [5, 4, 3, 0], { by: 0, grouped: true }).groups": [
        {"label": "bars", "start": 0, "count": 1},
        {"label": "rings", "start": 1, "count": 3},
    ],
    "groupedRows(table, [5, 4], { by: 1, grouped: true }).groups": [{"label": "discs", "start": 0, "count": 2}],
    "groupedRows(table, [5, 4], { by: 0, grouped: false }).groups": [{"label": None, "start": 0, "count": 2}],
    # filters, alone and together
    "there(inSight(table, { hidden: {}, find: '', by: 0 }))": [2, 4, 6, 8, 10, 12],
    "there(inSight(table, { hidden: { part: [1] }, find: '', by: 0 }))": [2, 6, 8, 12],
    "there(inSight(table, { hidden: { part: [1], predicted: [0] }, find: '', by: 0 }))": [2, 8, 12],
    "there(inSight(table, { hidden: { predicted: [0] }, find: '', by: 1 }))": [2, 4, 6, 8, 10, 12],
    "there(inSight(table, { hidden: { part: [0, 1, 2] }, find: '', by: 0 }))": [],
    "there(inSight(table, { hidden: { taste: [1] }, find: '', by: 0 }))": [2, 4, 6, 8, 10, 12],
    "there(inSight(table, { hidden: { part: [0] }, find: 'CROP', by: 0 }))": [4],
    # what a search names: ids and ranges, else a piece of a file's or of a micrograph's name
    "there(found(table, '4, 8-10;12'))": [4, 8, 10, 12],
    "there(found(table, ' .png '))": [2, 4, 6, 8, 10],
    "there(found(table, 'north'))": [2, 4],
    "there(found(table, '<i>'))": [6, 8],
    "there(found(table, '3'))": [8],
    "there(found(table, 'nothing'))": [],
    "found(table, '  ')": None,
    # neighbours
    "ids(nearest(table, 0, 0, 3).rows)": [12, 6, 8],
    "nearest(table, 0, 0, 3).distances": [0.5, 1, 2],
    "ids(nearest(table, 0, 0, 2, [1, 1, 0, 1, 1, 0]).rows)": [8, 4],
    "ids(nearest(table, 1, 5, 9).rows)": [10, 8, 6, 4, 2],
}


def test_what_is_in_sight_and_in_which_order_follows_from_the_table_alone(explorer):
    explorer.evaluate(TABLE)
    for call, result in RESULTS.items():
        script = f"""() => {{
            const {{ found, groupedRows, inSight, nearest, rowsOf, sortedRows, sortsOf, table }} = window.known;
            const all = [0, 1, 2, 3, 4, 5];
            const ids = (rows) => table.idsOf(rows);
            const there = (marks) => ids(rowsOf(marks));
            return {call};
        }}"""
        assert explorer.evaluate(script) == result, call
