"""What the explorer's browser side is given: the table, the sheets of pictures, and one script of the modules."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.reports.explorer import bundle
from ssrvae_core.reports.explorer.sheets import ACROSS, PER_SHEET, Sheets, within
from ssrvae_core.reports.explorer.source import in_step, of_validation
from ssrvae_core.reports.explorer.table import table
from tests.explorer_page import NAMES, invented, under


def read(packed):
    """Read a table as the browser does."""
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    columns = {}
    for one in header["columns"]:
        start = 4 + length + one["offset"]
        if one["type"] == "text":
            columns[one["name"]] = packed[start : start + one["count"]].decode().split("\n")
        else:
            assert start % 8 == 0, "a browser reads typed numbers at multiples of their width only"
            columns[one["name"]] = np.frombuffer(packed, f"<{one['type']}", one["count"], start)
    return header, columns


def test_the_table_holds_every_model_and_its_numbers_row_by_row():
    sources, _ = invented(23, models=2)
    header, columns = read(table(sources, NAMES))
    p = sources[1].predictions
    assert header["n"] == 23 and [model["title"] for model in header["models"]] == ["ss-VAE", "ss-rVAE"]
    np.testing.assert_array_equal(columns["ids"], p.ids)
    np.testing.assert_array_equal(columns["1/z"].reshape(23, 2), p.z_mean)
    np.testing.assert_allclose(columns["1/probabilities"].reshape(23, 4) / 65535, p.class_prob, atol=1e-5)
    np.testing.assert_allclose(columns["1/angle"], np.degrees(p.angle), rtol=1e-5)
    assert columns["names"] == list(sources[0].particles.names)
    assert not header["models"][0]["turns"] and header["models"][1]["turns"]


def test_the_first_model_is_judged_on_validation_particles_with_a_known_class_only():
    sources, _ = invented(60)
    header, _ = read(table(sources, NAMES))
    p, part = sources[0].predictions, sources[0].particles.part
    known = (part == 2) & (p.labels >= 0)
    assert header["models"][0]["judged"] == known.sum()
    assert header["models"][0]["accuracy"] == pytest.approx((p.predicted == p.labels)[known].mean())


def test_numbers_that_are_not_known_leave_the_header_readable():
    sources, _ = invented(8)
    particles = sources[0].particles
    nothing = np.full(8, np.nan, np.float32)
    lost = replace(particles, outlier_score=nothing, names=tuple("a\nb" for _ in range(8)))
    header, columns = read(table([replace(sources[0], particles=lost)], NAMES))
    scale = next(one for one in header["colourings"] if one["name"] == "outlier score")
    assert np.isfinite([scale["low"], scale["high"]]).all()
    assert len(columns["names"]) == 8, "a name of two lines is one name"


def test_models_are_brought_in_step_by_the_ids_they_share():
    sources, _ = invented(40, models=2)
    few = sources[1].take(np.array([3, 5, 11, 30]))
    shown = in_step([sources[0], few])
    for source in shown:
        np.testing.assert_array_equal(source.particles.ids, few.particles.ids)
    assert shown[0].particles.names == tuple(sources[0].particles.names[i] for i in (3, 5, 11, 30))
    assert len(in_step(sources, 7)[0].particles) == 7
    other = sources[1].take(np.array([2]))
    with pytest.raises(UserError, match="no particle in common"):
        in_step([few, other])


def test_predictions_of_validation_images_are_particles_of_that_part_in_the_order_of_their_ids():
    p = invented(12)[0][0].predictions
    mixed = np.random.default_rng(0).permutation(12)
    shuffled = replace(
        p,
        **{name: values[mixed] for name, values in vars(p).items() if isinstance(values, np.ndarray)},
        factors={name: values[mixed] for name, values in p.factors.items()},
    )
    particles = of_validation(shuffled)
    np.testing.assert_array_equal(particles.ids, p.ids)
    np.testing.assert_array_equal(particles.predictions.z_mean, p.z_mean)
    assert (particles.part == 2).all()


@pytest.mark.parametrize("n", [1, 5, ACROSS + 1, PER_SHEET + 3])
def test_every_picture_is_where_its_row_says_on_its_sheet(n):
    pixels = np.arange(n, dtype=np.uint8)[:, None, None] + np.zeros((1, 4, 6), np.uint8)
    sheets = Sheets.of(n, 4, 6)
    assert (sheets.height, sheets.width) == (4, 6) and sheets.count == -(-n // PER_SHEET)
    for row in {0, n // 2, n - 1}:
        index, at = divmod(row, PER_SHEET)
        rows = sheets.rows(index)
        picture = np.asarray(sheets.picture(pixels[rows.start : rows.stop]))
        top, left = 4 * (at // ACROSS), 6 * (at % ACROSS)
        np.testing.assert_array_equal(picture[top : top + 4, left : left + 6], pixels[row])


def test_many_or_large_pictures_are_made_small_and_fit_in_the_bytes_there_are():
    assert max(vars(Sheets.of(10, 300, 200)).values()) == 64
    assert Sheets.of(100_000, 48, 48).height < 40
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1500, 48, 48), dtype=np.uint8)
    sheets, made = within(Sheets.of(1500, 48, 48), lambda rows: noise[rows.start : rows.stop], 400_000)
    assert made and sum(map(len, made)) <= 400_000
    with Image.open(io.BytesIO(made[1])) as last:
        assert last.width == sheets.width * ACROSS
    assert within(Sheets.of(1500, 48, 48), lambda rows: noise[rows.start : rows.stop], 100)[1] == []


def test_colours_come_with_their_pictures():
    pixels = np.zeros((3, 5, 5, 3), np.uint8)
    pixels[1, ..., 0] = 200
    with Image.open(io.BytesIO(Sheets.of(3, 5, 5).encoded(pixels))) as sheet:
        assert sheet.mode == "RGB"


def test_the_modules_become_one_script_without_imports_and_without_a_name_twice():
    script = bundle.script()
    lines = script.splitlines()
    assert not [line for line in lines if line.startswith(("import ", "export "))]
    times = Counter(name for module in bundle.modules() for name in bundle.declared(module))
    assert [name for name, n in times.items() if n > 1] == []
    order = bundle.modules()
    assert order.index("ids.js") < order.index("address.js") < order.index("explorer.js")
    assert {path.name for path in bundle.HERE.glob("*.js")} == {*order, "standalone.js"}


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([-(2**31), 0, 2**31 - 1], "i4"),
        ([0, 5, 2**31], "f8"),
        ([-(2**31) - 1, 0, 5], "f8"),
        ([1 - 2**53, 0, 2**53 - 1], "f8"),
        ([-7, 0, 2**53 + 1], "i8"),
        ([-(2**53) - 1, 0, 5], "i8"),
        ([-(2**63), 1_700_000_000_000_000_001, 2**63 - 1], "i8"),
    ],
)
def test_every_id_of_64_bits_reaches_the_browser_as_it_is(ids, kind):
    sources, _ = invented(3)
    header, columns = read(table(under(sources, np.array(ids)), NAMES))
    assert header["columns"][0]["type"] == kind
    assert [int(one) for one in columns["ids"]] == ids
