import contextlib
import json
import subprocess
import sys
import tracemalloc
import zlib

import h5py
import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data import READERS, read_images
from ssrvae_core.data.apart.asking import ROOT
from ssrvae_core.data.hdf5.reader import HDF5_SUFFIXES
from tests.core.data.refusing import refused
from tests.watching import opened

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 12, 10), dtype=np.uint8)
LABELS = np.array([0, 1] * 3)
SECRET = np.full((6, 12, 10), 77, np.uint8) + np.arange(10, dtype=np.uint8)


def made(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def read(path):
    return READERS[path.suffix](path)


def taken(tmp_path, fill, suffix=".h5"):
    return read(made(tmp_path / f"a{suffix}", fill))


# A file is one file.


def external_link(file, other, raw):
    file["images"] = h5py.ExternalLink(other, "images")


def soft_through_external(file, other, raw):
    file["beside"] = h5py.ExternalLink(other, "/")
    file["images"] = h5py.SoftLink("/beside/images")


def soft_chain_through_external(file, other, raw):
    file["deep/beside"] = h5py.ExternalLink(other, "/")
    file["deep/first"] = h5py.SoftLink("beside/./images")
    file["images"] = h5py.SoftLink("/deep/first")


def external_storage(file, other, raw):
    file.create_dataset("images", IMAGES.shape, np.uint8, external=[(raw, 0, IMAGES.nbytes)])


def virtual(file, other, raw):
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(other, "images", IMAGES.shape)
    file.create_virtual_dataset("images", layout)


def virtual_in_part(file, other, raw):
    file["own"] = IMAGES[:3]
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:3] = h5py.VirtualSource(".", "own", (3, 12, 10))
    layout[3:] = h5py.VirtualSource(other, "images", IMAGES.shape)[3:]
    file.create_virtual_dataset("images", layout)


def virtual_without_end(file, other, raw):
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8, maxshape=(None, 12, 10))
    source = h5py.VirtualSource(other, "images", IMAGES.shape, maxshape=(None, 12, 10))
    layout[: h5py.h5s.UNLIMITED, :, :] = source[: h5py.h5s.UNLIMITED, :, :]
    file.create_virtual_dataset("images", layout)


def virtual_over_an_external_link(file, other, raw):
    file["beside"] = h5py.ExternalLink(other, "/")
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(".", "beside/images", IMAGES.shape)
    file.create_virtual_dataset("images", layout)


def virtual_over_virtual(file, other, raw):
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(other, "images", IMAGES.shape)
    file.create_virtual_dataset("inner", layout)
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(".", "inner", IMAGES.shape)
    file.create_virtual_dataset("images", layout)


def virtual_over_external_storage(file, other, raw):
    file.create_dataset("inner", IMAGES.shape, np.uint8, external=[(raw, 0, IMAGES.nbytes)])
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(".", "inner", IMAGES.shape)
    file.create_virtual_dataset("images", layout)


TRICKS = [
    external_link,
    soft_through_external,
    soft_chain_through_external,
    external_storage,
    virtual,
    virtual_in_part,
    virtual_without_end,
    virtual_over_an_external_link,
    virtual_over_virtual,
    virtual_over_external_storage,
]


@pytest.fixture
def outside(tmp_path):
    """A folder with a file and raw bytes that no other file may have read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    made(folder / "other.h5", lambda file: file.update({"images": SECRET, "labels": LABELS}))
    (folder / "raw.bin").write_bytes(SECRET.tobytes())
    return folder


def outcome(path):
    """Return what a reader says of a file, its images included."""
    try:
        contents = read(path)
    except UserError as error:
        return str(error)
    return {name: values.tolist() for name, values in contents.fields.items()}, contents.left_out, contents.remarks


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("suffix", HDF5_SUFFIXES)
def test_images_of_another_file_are_refused_without_opening_it_whether_it_exists_or_not(
    tmp_path, outside, monkeypatch, trick, relative, suffix
):
    monkeypatch.chdir(tmp_path)
    places = [outside / "other.h5", outside / "raw.bin"]
    names = [str(place.relative_to(tmp_path)) if relative else str(place) for place in places]
    path = made(tmp_path / f"a{suffix}", lambda file: trick(file, *names))
    with opened(outside) as files:
        sentence = refused(path, "'images'", "lies in another file", "copy")
    assert files == set()
    assert "other" not in sentence.replace("another", "") and "raw.bin" not in sentence
    for place in places:
        place.unlink()
    assert refused(path) == sentence


@pytest.mark.parametrize("trick", TRICKS)
def test_other_names_that_lead_to_another_file_are_left_out_and_told_of(tmp_path, outside, trick):
    def fill(file):
        file["images"] = IMAGES
        inner = file.create_group("entry")
        trick(inner, str(outside / "other.h5"), str(outside / "raw.bin"))

    path = made(tmp_path / "a.h5", fill)
    with opened(outside) as files:
        contents = read(path)
        first = outcome(path)
    assert files == set()
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    assert contents.left_out
    assert "77" not in str(contents.left_out)
    for place in outside.iterdir():
        place.unlink()
    assert outcome(path) == first


@pytest.mark.parametrize("field", ["labels", "groups", "masks", "factors/size", "pixel_size"])
@pytest.mark.parametrize("suffix", [".h5", ".mat"])
def test_a_field_of_another_file_is_refused_by_its_name(tmp_path, outside, field, suffix):
    def fill(file):
        file["images"] = IMAGES
        file[field] = h5py.ExternalLink(str(outside / "other.h5"), "labels")

    path = made(tmp_path / f"a{suffix}", fill)
    with opened(outside) as files:
        refused(path, f"'{field}'", "another file")
    assert files == set()


@pytest.mark.parametrize("inside", ["factors", "Experiments", "Data/Image/abc", "entry"])
def test_a_whole_group_of_another_file_is_never_entered(tmp_path, outside, inside):
    def fill(file):
        file["stack"] = IMAGES
        file[inside] = h5py.ExternalLink(str(outside / "other.h5"), "/")
        file.attrs["default"] = "entry"

    path = made(tmp_path / "a.h5", fill)
    with opened(outside) as files, contextlib.suppress(UserError):
        contents = read(path)
        assert [entry.count for entry in contents.left_out] == [1]
    assert files == set()


@pytest.mark.parametrize("name", ["x", "labels"])
def test_a_link_that_leads_nowhere_is_left_out(tmp_path, name):
    def fill(file):
        file["images"] = IMAGES
        file[name] = h5py.SoftLink("/gone/away")
        file["loop"] = h5py.SoftLink("/loop")
        file["first"], file["second"] = h5py.SoftLink("/second/x"), h5py.SoftLink("/first/x")
        file["up"] = h5py.SoftLink("/")

    contents = taken(tmp_path, fill)
    assert set(contents.fields) == {"images"}
    assert [(entry.count, "nowhere" in entry.what) for entry in contents.left_out] == [(4, True)]


def test_a_laughing_chain_of_links_ends_at_once(tmp_path):
    def fill(file):
        file["images"] = IMAGES
        for level in range(15):
            file[f"l{level}"] = h5py.SoftLink("/".join([f"l{level + 1}"] * 200))
        file["l15"] = h5py.SoftLink("/")

    assert set(taken(tmp_path, fill).fields) == {"images"}


def test_links_inside_the_file_are_followed_and_an_array_counts_once(tmp_path):
    def fill(file):
        file["entry/data"] = IMAGES
        file["entry/label"] = LABELS
        file["latest"] = h5py.SoftLink("/entry/data")
        file["again"] = file["entry/data"]
        file["entry/self"] = h5py.SoftLink(".")

    contents = taken(tmp_path, fill)
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    path = made(tmp_path / "b.h5", lambda file: (fill(file), file.update({"images": h5py.SoftLink("latest")})))
    np.testing.assert_array_equal(read(path).fields["images"], IMAGES)


def test_a_virtual_data_set_over_arrays_of_the_same_file_is_read(tmp_path):
    def fill(file):
        file["parts/a"], file["parts/b"] = IMAGES[:2], IMAGES[2:]
        layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
        layout[:2] = h5py.VirtualSource(".", "parts/a", (2, 12, 10))
        layout[2:] = h5py.VirtualSource(".", "/parts/b", (4, 12, 10))
        file.create_virtual_dataset("images", layout)

    contents = taken(tmp_path, fill)
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    assert not contents.left_out


def test_the_watch_sees_what_hdf5_opens(outside, tmp_path):
    for trick in TRICKS:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            trick(file, str(outside / "other.h5"), str(outside / "raw.bin"))
        with opened(outside) as files, h5py.File(tmp_path / "a.h5") as file:
            assert (file["images"][-1] == SECRET[-1]).all()
        assert files & {"other.h5", "raw.bin"}, trick


# Which array is the images.


def test_one_array_with_another_name_is_taken_and_told_with_what_lies_beside(tmp_path):
    def fill(file):
        file["entry/stack"] = IMAGES
        file["entry/Label"] = LABELS[:, None]
        file["entry/mask"] = IMAGES > 100
        file["entry/micrograph"] = LABELS
        file["entry/energy"] = np.arange(6.0)
        file["thumbnail"] = np.zeros((64, 64, 3), np.uint8)

    contents = taken(tmp_path, fill)
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_array_equal(contents.fields["labels"], LABELS)
    np.testing.assert_array_equal(contents.fields["groups"], LABELS)
    np.testing.assert_array_equal(contents.fields["masks"], IMAGES > 100)
    assert set(contents.fields) == {"images", "labels", "groups", "masks"}
    told = " ".join(contents.remarks)
    assert all(word in told for word in ("'entry/stack'", "(6, 12, 10)", "6 images of 12 x 10", "'entry/Label'"))


def test_labels_elsewhere_in_the_file_are_found_and_several_are_not_guessed_among(tmp_path):
    contents = taken(tmp_path, lambda file: file.update({"images/raw": IMAGES, "meta/classes": LABELS}))
    np.testing.assert_array_equal(contents.fields["labels"], LABELS)
    contents = taken(tmp_path, lambda file: file.update({"raw": IMAGES, "target": LABELS, "species": LABELS}))
    assert set(contents.fields) == {"images"}
    assert any("'target'" in remark and "'species'" in remark for remark in contents.remarks)
    contents = taken(tmp_path, lambda file: file.update({"raw": IMAGES, "target": LABELS, "labels": 1 - LABELS}))
    np.testing.assert_array_equal(contents.fields["labels"], 1 - LABELS)
    for beside in ({"label": LABELS[:4]}, {"x": np.arange(6.0), "y": np.arange(6.0)}):
        contents = taken(tmp_path, lambda file, beside=beside: file.update({"raw": IMAGES} | beside))
        assert set(contents.fields) == {"images"}


def test_our_names_in_one_group_are_taken(tmp_path):
    def fill(file):
        fields = {"images": IMAGES, "labels": LABELS, "factors/size": LABELS / 2, "pixel_size": np.ones((6, 2))}
        file.update({f"run/1/{name}": values for name, values in fields.items()})
        file["other"] = IMAGES

    contents = taken(tmp_path, fill)
    assert set(contents.fields) == {"images", "labels", "factors/size", "pixel_size"}
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    assert "run/1" in contents.remarks[0]
    refused(made(tmp_path / "b.h5", lambda file: file.update({"a/images": IMAGES, "b/images": IMAGES})), "'a/images'")


def test_several_arrays_that_could_be_the_images_are_listed(tmp_path):
    def fill(file):
        file.update({f"set/stack {i:02d}. new": IMAGES for i in range(20)})

    path = made(tmp_path / "a.h5", fill)
    refused(path, "stack_00", "(6, 12, 10)", "uint8", "and 12 more", "name the one")
    path = made(tmp_path / "b.h5", lambda file: file.update({"x": np.arange(5), "t": np.zeros((5, 4))}))
    refused(path, "'images'", "'x' of shape (5,)", "(5, 4)")
    refused(made(tmp_path / "c.h5", lambda file: None), "'images'", "no array")


def test_channels_first_are_told_by_their_number(tmp_path):
    colour = RNG.integers(0, 255, (5, 3, 12, 10), dtype=np.uint8)
    contents = taken(tmp_path, lambda file: file.update({"stack": colour}))
    np.testing.assert_array_equal(contents.fields["images"], colour.transpose(0, 2, 3, 1))
    contents = taken(tmp_path, lambda file: file.update({"stack": colour.transpose(0, 2, 3, 1)}))
    np.testing.assert_array_equal(contents.fields["images"], colour.transpose(0, 2, 3, 1))


def test_one_picture_is_one_image_but_a_table_is_not(tmp_path):
    contents = taken(tmp_path, lambda file: file.update({"picture": IMAGES[0], "x": np.arange(10.0)}))
    np.testing.assert_array_equal(contents.fields["images"], IMAGES[:1])
    table = RNG.random((20, 64))
    for fill in (
        lambda file: file.update({"features": table, "label": np.arange(20)}),
        lambda file: (file.update({"X": table}), file.attrs.update({"encoding-type": "anndata"})),
        lambda file: file.update({"Measurement_000/Channel_000/Raw_Data": table}),
        lambda file: file.update({"a": table, "b": table}),
    ):
        refused(made(tmp_path / "b.h5ad", fill), "'images'", "(20, 64)")


def test_a_file_of_more_objects_than_are_looked_at_needs_our_names(tmp_path, monkeypatch):
    monkeypatch.setattr("ssrvae_core.data.hdf5.tree.MAX_OBJECTS", 5)

    def fill(file):
        file.update({f"a{i}": i for i in range(9)})
        file["stack"] = IMAGES

    path = made(tmp_path / "a.h5", fill)
    refused(path, "objects", "'images'")
    with h5py.File(path, "a") as file:
        file["images"] = IMAGES
    assert len(read_images(path)) == 6


# MATLAB.


def matlab(file, name, values, kind=None):
    """Store an array as MATLAB's -v7.3 does: every axis in reverse, vectors of two dimensions, the class beside it."""
    values = np.atleast_2d(values)
    stored = file.create_dataset(name, data=values.T)
    stored.attrs["MATLAB_class"] = np.bytes_(kind or values.dtype.name.replace("float64", "double"))
    return stored


def characters(file, name, text):
    values = np.frombuffer(text.encode("utf-16-le"), np.uint16)
    return matlab(file, name, values[None] if text else np.zeros((1, 2), np.uint64), "char")


@pytest.mark.parametrize("kind", ["row", "column"])
def test_matlabs_images_last_and_first_are_told_apart_by_the_labels(tmp_path, kind):
    labels = LABELS[None] + 1.0 if kind == "row" else LABELS[:, None] + 1.0
    for stored in (IMAGES.transpose(1, 2, 0), IMAGES):
        path = made(
            tmp_path / "a.mat",
            lambda file, stored=stored: (matlab(file, "images", stored), matlab(file, "labels", labels)),
        )
        contents = read(path)
        np.testing.assert_array_equal(contents.fields["images"], IMAGES)
        np.testing.assert_array_equal(contents.fields["labels"], LABELS + 1)
        assert any("MATLAB" in remark for remark in contents.remarks)
        assert not contents.fields["images"].flags.owndata


def test_reversed_axes_without_matlabs_marks_are_told_by_the_labels(tmp_path):
    contents = taken(
        tmp_path,
        lambda file: file.update({"data": IMAGES.T, "label": LABELS[None] + 1.0, "mask": (IMAGES > 9).T}),
    )
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_array_equal(contents.fields["masks"], IMAGES > 9)


def test_matlab_images_without_labels_are_told_by_their_sides_or_asked_for(tmp_path):
    square = RNG.integers(0, 255, (30, 12, 12), dtype=np.uint8)
    for stored in (square, square.transpose(1, 2, 0)):
        path = made(tmp_path / "a.mat", lambda file, stored=stored: matlab(file, "stack", stored))
        np.testing.assert_array_equal(read(path).fields["images"], square)
    odd = RNG.integers(0, 255, (30, 12, 10), dtype=np.uint8)
    path = made(tmp_path / "b.mat", lambda file: matlab(file, "images", odd))
    refused(path, "'images'", "30 images of 12 x 10", "10 images of 30 x 12", "labels")


def test_matlab_colour(tmp_path):
    colour = RNG.integers(0, 255, (5, 12, 10, 3), dtype=np.uint8)
    for stored in (colour, colour.transpose(1, 2, 3, 0)):
        path = made(
            tmp_path / "a.mat",
            lambda file, stored=stored: (matlab(file, "images", stored), matlab(file, "labels", np.arange(5)[None])),
        )
        np.testing.assert_array_equal(read(path).fields["images"], colour)


def test_matlab_text_and_truth_values(tmp_path):
    def fill(file):
        matlab(file, "images", IMAGES)
        names = [characters(file, f"#refs#/{i}", text) for i, text in enumerate(["rod", "Würfel"] * 3)]
        cells = file.create_dataset("labels", (1, 6), h5py.ref_dtype)
        cells[0] = [name.ref for name in names]
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        matlab(file, "masks", (IMAGES > 100).astype(np.uint8), "logical")
        matlab(file, "split", np.array([[*map(ord, "train     ")], [*map(ord, "validation")]] * 3, np.uint16), "char")

    contents = taken(tmp_path, fill, ".mat")
    assert contents.fields["labels"].tolist() == ["rod", "Würfel"] * 3
    assert contents.fields["split"].tolist() == ["train", "validation"] * 3
    np.testing.assert_array_equal(contents.fields["masks"], IMAGES > 100)


def test_matlab_values_that_are_not_read_are_named(tmp_path, outside):
    def cell(file, reference):
        matlab(file, "images", IMAGES)
        cells = file.create_dataset("labels", data=np.array([[reference] * 6], h5py.ref_dtype), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")

    refused(made(tmp_path / "a.mat", lambda file: cell(file, file.ref)), "'labels'", "cellstr")
    refused(made(tmp_path / "b.mat", lambda file: cell(file, h5py.Reference())), "'labels'", "cellstr")

    def other(file):
        file.create_dataset("raw", (6,), np.uint16, external=[(str(outside / "raw.bin"), 0, 12)])
        file["raw"].attrs["MATLAB_class"] = np.bytes_("char")
        cell(file, file["raw"].ref)

    path = made(tmp_path / "c.mat", other)
    with opened(outside) as files:
        refused(path, "'labels'", "cellstr")
    assert files == set()

    def empty(file):
        matlab(file, "images", IMAGES)
        matlab(file, "labels", np.zeros((1, 2), np.uint64), "double").attrs["MATLAB_empty"] = np.uint8(1)

    refused(made(tmp_path / "d.mat", empty), "'labels'", "empty")
    refused(made(tmp_path / "e.mat", lambda file: file.create_group("images")), "'images'", "no array")


def test_an_older_matlab_file_is_told_how_to_save(tmp_path):
    import scipy.io

    scipy.io.savemat(tmp_path / "a.mat", {"images": IMAGES})
    refused(tmp_path / "a.mat", "7.3", "npz")


def test_a_matlab_file_with_its_block_before_the_magic_bytes_is_read(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["images"] = IMAGES
    with (tmp_path / "a.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    np.testing.assert_array_equal(read(tmp_path / "a.mat").fields["images"], IMAGES)


# Programs that say which array is the images.


def hyperspy_signal(file, name, values, navigate, units="nm", scale=0.5):
    group = file.create_group(f"Experiments/{name}")
    group["data"] = values
    for at, is_stack in enumerate(navigate):
        axis = group.create_group(f"axis-{at}")
        axis.attrs.update({"navigate": is_stack, "scale": scale * (at + 1), "units": units, "size": values.shape[at]})
    group["metadata/original"] = np.zeros((9, 9, 9))
    file.attrs["file_format"] = "HyperSpy"


def test_hyperspy_axes_say_what_is_an_image_and_how_large_a_pixel_is(tmp_path):
    contents = taken(tmp_path, lambda file: hyperspy_signal(file, "a", IMAGES, [True, False, False]), ".hspy")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"], np.tile([1.0, 1.5], (6, 1)))
    assert contents.fields["pixel_size"].dtype == np.float64

    turned = IMAGES.transpose(1, 2, 0)
    contents = taken(tmp_path, lambda file: hyperspy_signal(file, "a", turned, [False, False, True], "µm"), ".hspy")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"][0], [500, 1000])

    scan = IMAGES.reshape(2, 3, 12, 10)
    contents = taken(tmp_path, lambda file: hyperspy_signal(file, "a", scan, [1, 1, 0, 0], "1/nm"), ".hspy")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    assert "pixel_size" not in contents.fields
    contents = taken(
        tmp_path, lambda file: hyperspy_signal(file, "a", IMAGES[0], [False, False], "<undefined>"), ".hspy"
    )
    np.testing.assert_array_equal(contents.fields["images"], IMAGES[:1])


def test_spectra_are_never_taken_as_images(tmp_path):
    cube = RNG.random((12, 11, 64))
    path = made(tmp_path / "a.hspy", lambda file: hyperspy_signal(file, "eels", cube, [True, True, False]))
    refused(path, "(12, 11, 64)", "'images'")

    def typed(file):
        file["eels"] = cube
        for at, kind in enumerate(("SPATIAL", "SPATIAL", "SPECTRAL")):
            scale = file.create_dataset(f"axis{at}", data=np.arange(float(cube.shape[at])))
            scale.attrs["dimension_type"] = kind
            scale.make_scale()
            file["eels"].dims[at].attach_scale(scale)

    refused(made(tmp_path / "b.h5", typed), "(12, 11, 64)", "'images'")


def test_several_hyperspy_signals_are_listed(tmp_path):
    def fill(file):
        hyperspy_signal(file, "haadf", IMAGES, [True, False, False])
        hyperspy_signal(file, "bf", IMAGES, [True, False, False])
        hyperspy_signal(file, "eds", np.zeros((12, 10, 99)), [True, True, False])

    sentence = refused(made(tmp_path / "a.hspy", fill), "haadf/data", "bf/data")
    assert "eds" not in sentence


def velox(file, *, unit="m", metadata=None):
    group = file.create_group("Data/Image/0a1b")
    group["Data"] = IMAGES.transpose(1, 2, 0)
    text = {
        "BinaryResult": {"PixelSize": {"width": "2e-10", "height": "1e-10"}, "PixelUnitX": unit, "PixelUnitY": unit}
    }
    raw = (json.dumps(text) if metadata is None else metadata).encode().ljust(300, b"\0")
    group["Metadata"] = np.tile(np.frombuffer(raw, np.uint8)[:, None], (1, 6))
    file["Data/SpectrumStream/x"] = np.zeros((20, 20, 20))


def test_velox_has_its_frames_last(tmp_path):
    contents = taken(tmp_path, velox, ".emd")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"], np.tile([0.1, 0.2], (6, 1)))
    for damage in ("{", "[" * 290, "[1]", '{"BinaryResult": 3}', '{"BinaryResult": {"PixelSize": {}}}'):
        contents = taken(tmp_path, lambda file, damage=damage: velox(file, metadata=damage), ".emd")
        assert set(contents.fields) == {"images"}
    assert "pixel_size" not in taken(tmp_path, lambda file: velox(file, unit="1/m"), ".emd").fields


@pytest.mark.parametrize("order", ["nyx", "xyn"])
def test_emd_dims_say_which_axis_is_which(tmp_path, order):
    def fill(file):
        group = file.create_group("data/stack")
        group.attrs["emd_group_type"] = 1
        group["data"] = IMAGES if order == "nyx" else IMAGES.T
        for at, name in enumerate(order):
            group[f"dim{at + 1}"] = np.arange(10.0) * {"n": 1, "y": 2, "x": 3}[name]
            group[f"dim{at + 1}"].attrs.update({"name": name, "units": "[n_m]" if name != "n" else "[s]"})

    contents = taken(tmp_path, fill, ".emd")
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"][0], [2, 3])


def test_nexus_says_what_it_plots(tmp_path):
    def fill(file, marked=False):
        file["entry/instrument/raw"] = IMAGES[:3]
        file["entry/result/stack"] = IMAGES
        if marked:
            file["entry/result/stack"].attrs["signal"] = 1
        else:
            file.attrs["default"], file["entry"].attrs["default"] = "entry", "result"
            file["entry/result"].attrs["signal"] = "stack"

    for marked in (False, True):
        contents = taken(tmp_path, lambda file, marked=marked: fill(file, marked), ".nxs")
        np.testing.assert_array_equal(contents.fields["images"], IMAGES)


def test_nsid_dimensions_give_the_order_and_the_pixel_size(tmp_path):
    def fill(file):
        stored = file.create_dataset("Measurement_000/Channel_000/Raw/Raw", data=IMAGES.transpose(1, 2, 0))
        for at, kind in enumerate(("SPATIAL", "SPATIAL", "TEMPORAL")):
            scale = file.create_dataset(f"Measurement_000/axis{at}", data=np.arange(float(stored.shape[at])) / 4)
            scale.attrs.update({"dimension_type": kind, "units": "nm"})
            scale.make_scale()
            stored.dims[at].attach_scale(scale)

    contents = taken(tmp_path, fill)
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)
    np.testing.assert_allclose(contents.fields["pixel_size"][0], [0.25, 0.25])


# Types, text and filters.


@pytest.mark.parametrize("dtype", ["?", ">u2", ">f4", "f2", "i1", "i8", "u4", ">f8", "f4"])
def test_numbers_arrive_as_they_are_stored(tmp_path, dtype):
    values = (IMAGES > 99 if dtype == "?" else IMAGES // 2).astype(dtype)
    contents = taken(tmp_path, lambda file: file.update({"images": values}))
    assert contents.fields["images"].dtype == values.dtype
    np.testing.assert_array_equal(contents.fields["images"], values)


@pytest.mark.parametrize(
    "dtype", [h5py.string_dtype(), h5py.string_dtype("ascii"), "S8", h5py.string_dtype("utf-8", 9)]
)
def test_text_arrives_as_text(tmp_path, dtype):
    def fill(file):
        file["images"] = IMAGES
        file.create_dataset("labels", data=np.array([b"rod", b"cube"] * 3, dtype))

    assert taken(tmp_path, fill).fields["labels"].tolist() == ["rod", "cube"] * 3


def test_text_of_another_encoding_is_named(tmp_path):
    def fill(file):
        file["images"] = IMAGES
        file["labels"] = np.array(["Würfel".encode("latin-1")] * 6, h5py.string_dtype("utf-8", 9))

    refused(made(tmp_path / "a.h5", fill), "'labels'", "UTF-8")


def strange(file):
    file["scalar"], file["empty"] = 3, h5py.Empty("f4")
    file["none"] = np.zeros((0, 12, 10))
    file["compound"] = np.zeros((6, 12, 10), [("a", "u1"), ("b", "f4")])
    file["complex"] = IMAGES.astype(complex)
    file.create_dataset("text", (6, 9, 9), h5py.string_dtype())
    file.create_dataset("lists", (6,), h5py.vlen_dtype(np.int64))[0] = np.arange(3)
    file.create_dataset("reference", (6, 9, 9), h5py.ref_dtype)
    file.create_dataset("region", (6, 9, 9), h5py.regionref_dtype)
    file["enum"] = np.zeros(3, h5py.enum_dtype({"A": 0}))
    file.create_dataset("arrays", (3,), np.dtype(("u1", (9, 9))))
    file["type"] = np.dtype("f4")
    h5py.h5d.create(file.id, b"odd", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((6, 9, 9)))
    h5py.h5d.create(file.id, b"opaque", h5py.h5t.create(h5py.h5t.OPAQUE, 3), h5py.h5s.create_simple((9, 9, 9)))
    file[b"latin-\xfc"] = 3


def test_strange_types_beside_the_images_do_no_harm(tmp_path):
    contents = taken(tmp_path, lambda file: (strange(file), file.update({"stack": IMAGES})))
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)


@pytest.mark.parametrize(
    "name", ["empty", "scalar", "none", "complex", "compound", "text", "lists", "reference", "odd"]
)
@pytest.mark.parametrize("field", ["images", "labels", "masks", "class_names", "factors/a"])
def test_a_strange_type_under_one_of_our_names_is_one_sentence(tmp_path, name, field):
    def fill(file):
        strange(file)
        if field != "images":
            file["images"] = IMAGES
        file[field] = file[name]

    refused(made(tmp_path / "a.h5", fill), f"'{field}'")


def filtered(file, number, mask=0):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(IMAGES.shape)
    plan.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(IMAGES.shape)
    stored = h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, plan)
    stored.write_direct_chunk((0, 0, 0), IMAGES.tobytes(), mask)


@pytest.mark.parametrize(("number", "name"), [(32008, "bitshuffle"), (32015, "zstd"), (32026, "blosc2"), (4711, "")])
def test_a_filter_that_is_missing_is_named(tmp_path, number, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    path = made(tmp_path / "a.h5", lambda file: filtered(file, number))
    refused(path, "'images'", f"{number}, {name}", "pip install hdf5plugin")


def test_filters_of_hdf5plugin_are_looked_for_only_where_they_are_needed(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("importlib.import_module", lambda name: asked.append(name))
    taken(tmp_path, lambda file: file.create_dataset("images", data=IMAGES, compression="lzf", shuffle=True))
    assert asked == []
    path = made(tmp_path / "b.h5", lambda file: filtered(file, 32004, mask=1))  # stored as it is, as HDF5 may
    np.testing.assert_array_equal(read(path).fields["images"], IMAGES)
    assert asked == ["hdf5plugin"]


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
def test_compressed_images_are_read(tmp_path, compression):
    contents = taken(
        tmp_path,
        lambda file: file.create_dataset("images", data=IMAGES, compression=compression, fletcher32=True, chunks=True),
    )
    np.testing.assert_array_equal(contents.fields["images"], IMAGES)


# Damage.


def test_a_heap_of_texts_that_leads_back_to_itself_is_refused_and_not_read_for_ever(tmp_path):
    def fill(file):
        file["images"] = IMAGES
        file.create_dataset("labels", data=["rod", "cube"] * 3, dtype=h5py.string_dtype())

    path = made(tmp_path / "a.h5", fill)
    content = bytearray(path.read_bytes())
    size = content.index(b"GCOL") + 24
    content[size : size + 8] = (2**64 - 16).to_bytes(8, "little")
    path.write_bytes(content)
    refused(path, "damaged")


def test_pixels_that_look_like_a_heap_are_pixels(tmp_path):
    values = np.frombuffer((b"GCOL\1" + bytes(59)).ljust(1200, b"\3"), np.uint8).reshape(10, 10, 12)
    np.testing.assert_array_equal(
        taken(tmp_path, lambda file: file.update({"images": values})).fields["images"], values
    )


def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ssrvae_core.data.hdf5.values.MAX_DEFLATED", 100)
    bomb = zlib.compress(bytes(10**6))

    def fill(file, content=bomb):
        stored = file.create_dataset("images", IMAGES.shape, np.uint8, chunks=IMAGES.shape, compression="gzip")
        stored.id.write_direct_chunk((0, 0, 0), content)

    refused(made(tmp_path / "a.h5", fill), "'images'", "damaged")
    path = made(tmp_path / "b.h5", lambda file: fill(file, zlib.compress(IMAGES.tobytes())))
    np.testing.assert_array_equal(read(path).fields["images"], IMAGES)


def test_a_chunk_of_absurd_size_is_refused(tmp_path):
    def fill(file):
        file.create_dataset("images", (1, 9, 9), np.uint8, chunks=(2**12, 2**9, 2**9), maxshape=(None, None, None))

    refused(made(tmp_path / "a.h5", fill), "'images'")


def test_a_few_bytes_of_text_cannot_be_told_to_be_a_million_texts(tmp_path, monkeypatch):
    monkeypatch.setattr("ssrvae_core.data.limits.MAX_BYTES", 2**20)

    def fill(file):
        file["images"] = IMAGES
        file.create_dataset("class_names", data=["x" * 60_000] + ["y"] * 9, dtype=h5py.string_dtype())

    refused(made(tmp_path / "a.h5", fill), "'class_names'")


def test_a_file_that_another_program_writes_is_not_called_damaged(tmp_path):
    path = made(tmp_path / "a.h5", lambda file: file.update({"images": IMAGES}))
    with h5py.File(path, "r+"):
        code = f"from ssrvae_core.data.hdf5 import reader; reader.read_here(reader.Path({str(path)!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "open for writing in another program" in done.stderr.splitlines()[-1]


def test_an_array_of_many_small_chunks_is_read(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (400, 64, 64), dtype=np.uint8)
    options = {"chunks": (1, 4, 4), "compression": "gzip", "compression_opts": 1}
    path = made(tmp_path / "a.h5", lambda file: file.create_dataset("images", data=images, **options))
    np.testing.assert_array_equal(read(path).fields["images"], images)  # 102,400 chunks: within its computing time


def test_every_file_is_read_in_another_process_first(tmp_path, monkeypatch):
    path = made(tmp_path / "a.h5", lambda file: file.update({"images": IMAGES}))
    monkeypatch.setattr("ssrvae_core.data.hdf5.reader.MEMORY", 2**20)
    with pytest.raises(UserError, match=r"a\.h5 cannot be read as an HDF5 file; it may be damaged"):
        read(path)


def test_images_are_read_into_one_block_of_memory(tmp_path):
    large = np.zeros((64, 256, 256), np.uint8)
    large[:, 0, 0] = 1
    path = made(tmp_path / "a.h5", lambda file: file.update({"images": large}))
    read(path)
    tracemalloc.start()
    try:
        read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * large.nbytes
