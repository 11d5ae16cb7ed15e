"""Inputs that people really have, with what is right for each; their builders lie beside a clone of the project."""

import contextlib
import io
import json
import pickle
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core import SSRVAEClassifier
from ssrvae_core.cli import main
from ssrvae_core.config import UserError
from ssrvae_core.data import file_dataset, load, read_images
from ssrvae_core.data.readers import open_images
from ssrvae_core.data.summary import summary

CASES = Path(__file__).parents[4] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there; it builds inputs that people have")


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Build a case by the beginning of its name, and return its folder."""

    def go(case):
        (script,) = CASES.glob(f"{case}_*.py")
        monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
        runpy.run_path(str(script), run_name="__main__")
        return tmp_path

    return go


def told(path, **options):
    return summary(open_images(path, **options))


def pixels(path):
    return open_images(path).pixels


@pytest.mark.parametrize(
    ("case", "place", "classes", "more"),
    [
        ("t01", "set", {"cube": 4, "rod": 4}, {"images": 8}),
        ("t03", "", {"0": 10, "1": 10}, {"unlabelled": 20}),
        ("t05", "set", {"cube": 26, "rod": 26}, {"validation": 12}),
        ("t06", "set", {"cube": 8, "rod": 8}, {"unlabelled": 24}),
        ("t07", "", {"cube": 6, "rod": 6}, {}),
        ("t08", "a", {"cube": 6, "rod": 6}, {}),
        ("t08", "b", {"cube": 6, "rod": 6}, {}),
        ("t08", "c", {"W\u00fcrfel": 6, "rod": 6}, {}),
        ("t08", "d", {"cube": 6, "rod": 6}, {}),
        ("t09", "kaggle", {"cube": 6, "rod": 6}, {}),
        ("t09", "renamed", {"cube": 6, "rod": 6}, {}),
        ("t10", "sem", {"cube": 8, "rod": 8}, {"channels": 1}),
        ("t11", "dm32.npz", {"0": 12, "1": 12}, {"scale": (480, 2550)}),
        ("t11", "dm32.tif", {}, {"images": 24, "scale": (480, 2550)}),
        ("t11", "dm16.tif", {}, {"images": 24, "scale": (480, 2550)}),
        ("t13", "a", {"cube": 8, "rod": 8, "sphere": 8}, {}),
        ("t13", "d", {"cube": 8, "rod": 8, "sphere": 8}, {}),
        ("t14", "a", {"cube": 8, "rod": 8}, {"height": 24, "width": 16}),
        ("t14", "b", {"cube": 8, "rod": 8}, {}),
        ("t16", "from1.npz", {"1": 12, "2": 12}, {}),
        ("t16", "gap.npz", {"3": 12, "7": 12}, {}),
        ("t16", "text.npz", {"cube": 12, "rod": 12}, {}),
        ("t16", "onehot.npz", {"0": 12, "1": 12}, {}),
        ("t16", "column.npz", {"0": 12, "1": 12}, {}),
        ("t16", "nan.npz", {"0": 6, "1": 6}, {"unlabelled": 12}),
        ("t16", "bool.npz", {"False": 12, "True": 12}, {}),
        ("t18", "a.h5", {"0": 12, "1": 12}, {"height": 24, "width": 20}),
        ("t18", "b.h5", {"1": 12, "2": 12}, {"height": 24, "width": 20}),
        ("t18", "c.h5", {}, {"images": 24, "height": 24, "width": 20}),
        ("t18", "d.h5", {"0": 12, "1": 12}, {"height": 24, "width": 20}),
        ("t18", "a.mat", {"0": 12, "1": 12}, {"height": 24, "width": 20}),
        ("t19", "table", {"cube": 6, "rod": 6}, {}),
        ("t19", "folders", {"St\u00e4bchen": 6, "W\u00fcrfel": 6}, {}),
        ("t20", "", {"cube": 12, "rod": 12}, {}),
        ("t24", "", {"cube": 20, "rod": 20}, {"validation": 10, "groups": 4}),
        ("t25", "b", {"cube": 12, "rod": 12}, {}),
        ("t27", "set", {}, {"images": 24, "masks": True}),
    ],
)
def test_what_is_read_is_right(built, case, place, classes, more):
    found = told(built(case) / place)
    assert found.classes == classes
    for name, value in more.items():
        assert getattr(found, name) == value, name
    assert found.unlabelled == found.images - sum(classes.values())


def test_each_file_of_an_acquisition_gives_its_own_plane(built):
    images = read_images(built("t01") / "set")
    assert len(np.unique(images.images.reshape(8, -1), axis=0)) == 8
    assert (images.images.max(axis=(1, 2, 3)) > 0).all()


def test_an_upload_that_names_another_file_shows_nothing_of_it(built):
    folder = built("t02")
    secret = pixels(folder / "private" / "secret.tif")
    with_it = told(folder / "upload.tif")
    assert with_it.images == 1 and not (pixels(folder / "upload.tif") == secret).all()
    (folder / "private" / "secret.tif").unlink()
    assert told(folder / "upload.tif") == with_it


def test_a_palette_gives_the_same_pixels_in_every_compression(built):
    folder = built("t10")
    np.testing.assert_array_equal(pixels(folder / "sem"), pixels(folder / "png"))
    np.testing.assert_array_equal(pixels(folder / "lzw"), pixels(folder / "png"))


def test_both_byte_orders_are_one_data_set(built):
    folder = built("t12")
    one, *others = (file_dataset(folder / name) for name in ("le.npz", "be.npz", "be.h5"))
    assert all(other.model_copy(update={"path": one.path}) == one for other in others)


def test_a_hot_pixel_changes_nothing_but_itself(built):
    folder = built("t15")
    clean, hot = (load(file_dataset(folder / name)).images for name in ("clean.npz", "hot.npz"))
    assert (clean != hot).sum() == 1
    assert "clipped" in " ".join(told(folder / "hot.npz").lines())


def test_a_table_that_is_longer_than_its_folder_is_a_choice(built):
    folder = built("t25")
    with pytest.raises(UserError, match=r"6 of 24 rows .* p18\.png, p19\.png, p20\.png, \.\.\."):
        open_images(folder / "a")
    assert told(folder / "a", skip_missing=True).classes == {"cube": 9, "rod": 9}


def test_a_missing_filter_is_named(built):
    with pytest.raises(UserError, match=r"'images' .* \(32008, bitshuffle\).*hdf5plugin"):
        open_images(built("t29") / "bitshuffle.h5")


def fitted(X, y):
    classifier = SSRVAEClassifier(epochs=1, settings={"training.min_steps": 1, "training.starts": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return classifier.fit(X, y)


@pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning")  # the builder's file
def test_the_estimator_takes_every_way_to_say_no_label(built):
    given = pickle.loads((built("t17") / "y.pkl").read_bytes())  # noqa: S301, what the builder has just written
    for name in ("list", "none", "nan"):
        assert fitted(given["X"], given[name]).classes_.tolist() == ([0, 1] if name == "nan" else ["cube", "rod"])


def test_the_estimator_takes_images_of_torch(built):
    given = np.load(built("t26") / "x.npz")
    for name, shape in (("nchw1", (16, 16, 1)), ("nchw3", (16, 16, 3))):
        assert fitted(given[name], given["y"]).image_shape_ == shape


def test_doctor_tells_it_as_json(built):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(["doctor", "--data", str(built("t24")), "--json"])
    assert end.value.code in (None, 0)
    found = json.loads(out.getvalue().splitlines()[-1])
    assert found.pop("sha256") and found == {
        "images": 40,
        "height": 24,
        "width": 24,
        "channels": 1,
        "classes": {"cube": 20, "rod": 20},
        "unlabelled": 0,
        "validation": 10,
        "groups": 4,
        "scale": [0.0, 255.0],
        "left_out": [],
    }
