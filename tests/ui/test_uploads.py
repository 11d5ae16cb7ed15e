"""What visitors hand in: taken if it is images, refused in one sentence if it is anything else."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data import fingerprint, read_images
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.uploads import known_as
from ssrvae_core.runs.uploads import uploads as found
from tests.core.data.microscope_files import IMAGES as STACK
from tests.core.data.microscope_files import dm
from ui import uploads
from ui.uploads import keep

IMAGES = np.random.default_rng(0).integers(0, 255, (6, 12, 12), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, -1])


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path)


def npz(**fields):
    buffer = io.BytesIO()
    np.savez(buffer, **fields)
    return buffer.getvalue()


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def picture(kind, grey=None):
    buffer = io.BytesIO()
    Image.fromarray(IMAGES[0] if grey is None else grey).save(buffer, format=kind)
    return buffer.getvalue()


def hdf5(tmp_path, fill):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return path.read_bytes()


def archive(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return buffer.getvalue()


def nothing_kept(store):
    return not list((store.root / "uploads").glob("*"))


@pytest.mark.parametrize(
    ("name", "content", "n"),
    [
        ("a.npz", npz(images=IMAGES, labels=LABELS), 6),
        ("a.npy", npy(IMAGES), 6),
        ("A.PNG", picture("PNG"), 1),
        ("a.jpg", picture("JPEG"), 1),
        ("a.npy", npy(IMAGES.astype(np.uint16)), 6),
    ],
)
def test_images_are_kept_by_the_fingerprint_of_their_content(name, content, n, store):
    kept = keep(name, content, store)
    assert kept.path.stem == fingerprint(kept.path)
    assert kept.path.read_bytes() == content
    assert len(read_images(kept.path)) == n
    assert [(upload.id, upload.name) for upload in found(store.root)] == [(kept.id, name)]


def test_hdf5_is_kept(tmp_path, store):
    content = hdf5(tmp_path, lambda file: file.update({"images": IMAGES, "factors/size": np.arange(6.0)}))
    assert set(read_images(keep("a.h5", content, store).path).factors) == {"size"}


@pytest.mark.parametrize("top", ["", "my particles/"])
def test_a_zip_of_class_folders_becomes_labelled_images(top, store):
    members = [
        (f"{top}rod/1.png", picture("PNG")),
        (f"{top}cube/1.png", picture("PNG", IMAGES[1])),
        (f"{top}unlabelled/1.png", picture("PNG", IMAGES[2])),
        ("__MACOSX/._1.png", b"junk"),
        (f"{top}notes.txt", b"hello"),
    ]
    kept = keep("particles.zip", archive(*members), store)
    images = read_images(kept.path)
    assert kept.path.suffix == ".npz"
    assert images.class_names == ("cube", "rod")
    assert images.labels.tolist() == [0, 1, -1]
    assert keep("again.zip", archive(*members), store).path == kept.path


def test_the_same_content_is_kept_once_under_its_first_name_whatever_the_format(store):
    first = keep("a.npy", npy(IMAGES), store)
    assert keep("b.npy", npy(IMAGES), store).path == first.path
    assert keep("c.npz", npz(images=IMAGES), store).path == first.path
    assert [upload.name for upload in found(store.root)] == ["a.npy"]


def link(name):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.exe", b"MZ", "no known image format"),
        ("noending", b"", "no known image format"),
        ("a.png", b"<svg onload=alert(1)>", "is not a .png file"),
        ("a.npz", b"", "is not a .npz file"),
        ("a.npz", b"PK\x03\x04 torn", "cannot be opened"),
        ("a.npy", npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), "Python objects"),
        ("a.npy", npy(np.full((3, 12, 12), np.nan)), "no finite number"),
        ("a.npy", npy(IMAGES.astype(np.complex64)), "type complex64"),
        ("a.npy", npy(IMAGES[0]), "shape (12, 12)"),
        ("a.npz", npz(images=IMAGES, labels=np.arange(3)), "'labels'"),
        ("a.png", picture("PNG")[:60], "cannot be read"),
        ("a.zip", archive(("notes.txt", b"hi")), "holds no picture"),
        ("a.zip", archive(), "holds no picture"),
        ("a.zip", archive(("../../evil.png", picture("PNG"))), "leads out of the archive"),
        ("a.zip", archive(("/etc/evil.png", picture("PNG"))), "leads out of the archive"),
        ("a.zip", archive(("a\\..\\..\\evil.png", picture("PNG"))), "leads out of the archive"),
        ("a.zip", archive((link("rod/1.png"), "/etc/passwd")), "holds a link"),
        (
            "a.zip",
            archive(("a.png", picture("PNG")), ("a.png/b.png", picture("PNG"))),
            "cannot be unpacked",
        ),
        ("a.zip", archive(("rod/1.png", picture("PNG")), ("cube/1.png", b"text")), "cube/1.png"),
    ],
)
def test_what_is_no_images_is_refused_in_a_sentence_and_not_kept(name, content, says, store):
    with pytest.raises(UserError) as refused:
        keep(name, content, store)
    sentence = str(refused.value)
    assert says in sentence
    assert str(store.root) not in sentence
    assert nothing_kept(store)


@pytest.mark.parametrize(
    ("limit", "most", "name", "content", "says"),
    [
        ("MAX_UNPACKED", 1000, "a.zip", archive(("a.png", bytes(10**6))), "would unpack to"),
        ("MAX_UNPACKED", 1000, "a.npz", npz(images=IMAGES.repeat(9, axis=0)), "would unpack to"),
        ("MAX_MEMBERS", 1, "a.zip", archive(("a", b""), ("b", b"")), "2 files, more than"),
        ("MAX_BYTES", 10, "a.npy", npy(IMAGES), "MB, more than"),
        ("MAX_IMAGES", 5, "a.npy", npy(IMAGES), "6 images, more than"),
    ],
)
def test_what_is_too_large_is_refused(limit, most, name, content, says, store, monkeypatch):
    monkeypatch.setattr(uploads, limit, most)
    with pytest.raises(UserError, match=says):
        keep(name, content, store)
    assert nothing_kept(store)


def test_hdf5_may_not_have_other_files_read(tmp_path, store):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(os.urandom(6 * 144))

    def outside(file):
        file.create_dataset("images", IMAGES.shape, np.uint8, external=[(str(secret), 0, 6 * 144)])

    def linked(file):
        file["images"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images")

    for fill, name in ((outside, "a.h5"), (linked, "a.mat")):
        with pytest.raises(UserError, match="lies in another file"):
            keep(name, hdf5(tmp_path, fill), store)
    assert nothing_kept(store)


def test_links_beside_the_images_are_no_reason_to_refuse_an_hdf5_file(tmp_path, store):
    def fill(file):
        file["images"] = file["entry/data"] = IMAGES
        file["latest"] = h5py.SoftLink("/entry/data")
        file["gone"] = h5py.SoftLink("/nowhere")
        file["raw"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images")
        file["factors/size"] = np.arange(6.0)

    kept = read_images(keep("a.h5", hdf5(tmp_path, fill), store).path)
    assert len(kept) == 6 and set(kept.factors) == {"size"}


@pytest.mark.parametrize("suffix", [".mat", ".hspy", ".nxs"])
def test_hdf5_under_another_ending_is_kept_as_npz(tmp_path, store, suffix):
    content = hdf5(tmp_path, lambda file: file.update({"images": IMAGES}))
    kept = keep(f"a{suffix}", content, store)
    assert kept.path.suffix == ".npz" and kept.name == f"a{suffix}" and len(read_images(kept.path)) == len(IMAGES)


def test_a_microscopes_file_is_kept_and_another_file_under_its_ending_is_not(tmp_path, store):
    pytest.importorskip("rsciio", reason="RosettaSciIO is optional")
    content = dm(tmp_path / "a.dm3", STACK.astype(np.uint16)).read_bytes()
    assert len(read_images(keep("a.dm3", content, store).path)) == len(STACK)
    with pytest.raises(UserError, match=r"not a \.dm4 file"):
        keep("a.dm4", content, store)


def test_a_damaged_hdf5_file_that_crashes_its_library_does_not_take_the_server_along(tmp_path, store):
    """The selection of a virtual data set, overwritten: HDF5 2.0.0 ends the process that reads it."""

    def fill(file):
        file["parts/a"], file["parts/b"] = IMAGES[:2], IMAGES[2:]
        layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
        layout[:2] = h5py.VirtualSource(".", "parts/a", (2, *IMAGES.shape[1:]))
        layout[2:] = h5py.VirtualSource(".", "parts/b", (4, *IMAGES.shape[1:]))
        file.create_virtual_dataset("images", layout)

    content = bytearray(hdf5(tmp_path, fill))
    selection = content.index(b"parts/a\0") + 42
    content[selection : selection + 8] = b"\x7f" + b"\xff" * 7
    with pytest.raises(UserError, match=r"a\.h5 .* damaged"):
        keep("a.h5", bytes(content), store)
    assert nothing_kept(store)


def test_a_viewer_may_not_upload_whatever_the_page_shows(store, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with pytest.raises(UserError, match="read-only"):
        keep("a.npy", npy(IMAGES), store)
    assert not (store.root / "uploads").exists()


@pytest.mark.parametrize("name", ["../../etc/passwd.npy", "<b>x</b>.npy", "a" * 500 + ".npy", "[x](javascript:1).npy"])
def test_a_name_is_only_a_name(name, store):
    kept = keep(name, npy(IMAGES), store)
    assert kept.path.parent == (store.root / "uploads").absolute()
    assert len(kept.name) <= 80 and not set(kept.name) & set("<>/[]()")


def test_strange_files_among_the_uploads_are_left_alone(store):
    kept = keep("a.npy", npy(IMAGES), store)
    (kept.path.parent / "notes.txt").write_text("hello")
    kept.path.with_suffix(".json").write_text("{")
    assert [upload.name for upload in found(store.root)] == [f"{kept.id}.npy"]


def test_content_that_is_here_keeps_its_first_name_and_the_second_visitor_is_told(store):
    first = keep("first.npy", npy(IMAGES), store)
    second = keep("<b>second</b>.npy", npy(IMAGES), store)
    assert (second.path, second.name) == (first.path, "first.npy")
    assert [upload.name for upload in found(store.root)] == ["first.npy"]
    assert known_as(first, "first.npy") == ""
    told = known_as(second, "<b>second</b>.npy")
    assert "first.npy" in told
    assert "<" not in told


def test_files_that_hold_a_data_set_each_stay_apart_and_pictures_become_one():
    given = [uploads.Given(name, b"") for name in ("a.npz", "p1.png", "b.h5", "p2.TIF", "labels.csv")]
    *own, packed = uploads.gathered(given)
    assert [one.name for one in own] == ["a.npz", "b.h5"] and packed.name == "2 pictures.zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == ["p1.png", "p2.TIF", "labels.csv"]


def test_one_file_stays_what_it_is():
    given = [uploads.Given("stack.tif", b"x")]
    assert uploads.gathered(given) == given
    beside = [uploads.Given("a.npz", b"y"), *given]
    assert uploads.gathered(beside) == beside, "and keeps its name beside others"


def test_a_folder_keeps_its_subfolders_and_its_name(store):
    given = [
        uploads.Given(f"set/{name}/{i}.png", picture("PNG", IMAGES[i])) for i, name in enumerate(("rod", "cube", "rod"))
    ]
    (packed,) = uploads.gathered(given)
    assert packed.name == "set.zip"
    images = read_images(keep(packed.name, packed.content, store).path)
    assert images.class_names == ("cube", "rod") and len(images) == 3


@pytest.mark.parametrize("name", ["../../a.png", "/etc/a.png", "set/../../a.png"])
def test_a_path_that_leads_out_of_its_folder_is_packed_inside(name, store):
    given = [uploads.Given(name, picture("PNG")), uploads.Given("b.png", picture("PNG", IMAGES[1]))]
    (packed,) = uploads.gathered(given)
    assert len(read_images(keep(packed.name, packed.content, store).path)) == 2


def test_two_pictures_of_one_name_are_two():
    given = [uploads.Given("a.png", b"1"), uploads.Given("a.png", b"2")]
    (packed,) = uploads.gathered(given)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert len(set(archive.namelist())) == 2
