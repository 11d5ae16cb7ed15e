"""Runs on one's own images elsewhere: what they are called there, and where the images come from."""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.data.readers import file_dataset, fingerprint
from ssrvae_core.reports.report import report_html
from ssrvae_core.runs import RunStore, directory, particle_file, thumbnails
from ssrvae_core.runs.bundle import archive, arrays, export_bundle, import_bundle, manifest
from ssrvae_core.runs.data_files import load_images, readable
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.uploads import FOLDER, label_path, label_upload, uploads
from tests.core.runs.test_particle_file import assert_same

NAME = "Grid 3 - good ones.npz"


def upload(path, store, name):
    """Put a file into a store's uploads, as the Data page does."""
    content = path.read_bytes()
    kept = store.root / FOLDER / f"{hashlib.sha256(content).hexdigest()}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    label_upload(kept, name, sha256=fingerprint(kept))
    return kept


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny_config):
    """A run on an uploaded file of 20 x 80 pixels, in its owner's store. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("owner")
    noise = np.random.default_rng(0).integers(0, 16, (24, 20, 80), dtype=np.uint8)
    images = noise + 10 * np.arange(24, dtype=np.uint8)[:, None, None]  # each of a brightness of its own
    np.savez(folder / "own.npz", images=images, labels=np.arange(24) % 2, class_names=np.array(["rod", "cube"]))
    store = RunStore(folder / "runs")
    kept = upload(folder / "own.npz", store, f"C:\\Users\\me\\{NAME}")
    config = tiny_config(training__epochs=1, training__tracked=4).model_copy(update={"dataset": file_dataset(kept)})
    return train_run(RunConfig.model_validate(config.model_dump()), store)


def exported(run, **options):
    out = io.BytesIO()
    export_bundle([run], out, **options)
    return out.getvalue()


def brought(run, store, **options):
    """The run as it is in another store after a bundle was taken there."""
    import_bundle(exported(run, **options), store)
    return store.get(run.id)


def contents(bundle):
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        return {name: file.read(name) for name in file.namelist()}


# What it is called.


def test_a_run_on_an_upload_keeps_its_owner_s_name_elsewhere(trained, store, result_of):
    run = brought(trained, store)
    assert run.data_name == trained.data_name == NAME
    assert run.id == trained.id == run.config.run_id
    assert NAME in report_html([run])
    assert trained.config.dataset.path[-40:] not in report_html([run])
    assert [row["data"] for row in result_of("list", "--store", store.root)] == [NAME]


def test_the_name_in_a_bundle_is_a_name_only(trained):
    for content in contents(exported(trained)).values():
        assert b"Users" not in content
    config = json.loads(contents(exported(trained))[f"{trained.id}/config.json"])
    assert config["dataset"]["path"] == NAME


def test_what_was_exported_before_names_were_kept_is_called_by_its_beginning_or_its_upload(trained, store, tmp_path):
    run = brought(trained, store)
    hashed = trained.config.dataset.path.rpartition("/")[2]
    values = json.loads((run.path / directory.CONFIG).read_bytes())
    values["dataset"]["path"] = hashed
    (run.path / directory.CONFIG).write_text(json.dumps(values))
    assert store.get(run.id).data_name == f"{hashed[:12]}.npz"
    upload(uploads(trained.path.parent)[0].path, store, "mine.npz")
    assert store.get(run.id).data_name == "mine.npz"


@pytest.mark.parametrize("folder", [".", "..", "~"])
def test_a_run_on_a_folder_that_has_no_name_can_be_exported(folder, trained, tmp_path, store):
    root = RunStore(tmp_path / "copy")
    shutil.copytree(trained.path, root.path(trained.id))
    for name in (directory.CONFIG,):
        values = json.loads((root.path(trained.id) / name).read_bytes())
        values["dataset"]["path"] = folder
        (root.path(trained.id) / name).write_text(json.dumps(values))
    assert brought(root.get(trained.id), store).data_name


# Where its images are.


def test_the_images_are_found_again_once_the_same_file_is_uploaded(trained, store):
    run = brought(trained, store)
    with pytest.raises(UserError, match=f"{NAME}.* upload the same file") as caught:
        load_images(run.config.dataset, store.root)
    assert ". " not in str(caught.value)
    kept = upload(uploads(trained.path.parent)[0].path, store, "another name.npz")
    assert store.get(run.id).dataset.path == str(kept.absolute())
    images = load_images(run.config.dataset, store.root)
    np.testing.assert_array_equal(images.images, load_images(trained.config.dataset, trained.path.parent).images)
    assert store.get(run.id).config == run.config
    assert store.get(run.id).data_name == NAME


def test_an_upload_is_known_by_the_fingerprint_in_its_label(trained, store, tmp_path):
    run = brought(trained, store)
    other = tmp_path / "other.npz"
    with np.load(uploads(trained.path.parent)[0].path) as file:
        np.savez_compressed(other, **file)
    kept = upload(other, store, "packed otherwise.npz")
    label_path(kept).write_text('{"name": "packed otherwise.npz"}')  # as earlier versions labelled it
    assert store.get(run.id).dataset == run.config.dataset
    label_upload(kept, "again", sha256=run.config.dataset.sha256)
    assert uploads(store.root)[0].name == "packed otherwise.npz"
    assert store.get(run.id).dataset.path == str(kept.absolute())


def test_a_file_that_was_moved_is_found_by_another_run_s_path(trained, store, tmp_path):
    moved = tmp_path / "moved.npz"
    shutil.copy(uploads(trained.path.parent)[0].path, moved)
    run = brought(trained, store)
    second = store.root / "0123456789ab"
    second.mkdir()
    values = json.loads((run.path / directory.CONFIG).read_bytes())
    values["dataset"]["path"] = str(moved)
    (second / directory.CONFIG).write_text(json.dumps(values))
    for broken in ("[]", "null", "{", '{"dataset": 3}', "[" * 10**5):
        name = hashlib.sha256(broken.encode()).hexdigest()[:12]
        (store.root / name).mkdir()
        (store.root / name / directory.CONFIG).write_text(broken)
    assert readable(run.config.dataset, store.root).path == str(moved)


def test_a_run_goes_on_where_its_file_lies_elsewhere_now(trained, store, tiny_config):
    config = trained.config.model_copy(
        update={"dataset": trained.config.dataset.model_copy(update={"path": "gone.npz"}), "seed": 7}
    )
    with pytest.raises(UserError, match=r"gone\.npz"):
        train_run(config, store)
    upload(uploads(trained.path.parent)[0].path, store, NAME)
    run = train_run(config, store)
    assert run.status.state == "finished"
    assert run.config == config


def test_a_model_is_asked_about_its_own_file_by_the_name_it_goes_by(trained, store, result_of, tmp_path, complaint_of):
    brought(trained, store)
    ask = ("evaluate", trained.id, "--data", NAME, "--store", store.root)
    assert NAME in complaint_of(*ask)
    upload(uploads(trained.path.parent)[0].path, store, "mine.npz")
    assert result_of(*ask)["n"] == trained.status.validation["n"]
    out = tmp_path / "table.csv"
    assert result_of("predict", trained.id, NAME, "--out", out, "--store", store.root)["images"] == 24


# Small pictures.


def test_small_pictures_go_along_when_they_are_asked_for(trained, store):
    bundle = contents(exported(trained))
    assert f"{trained.id}/thumbnails.npz" not in bundle
    assert json.loads(bundle["manifest.json"])["version"] == 3
    with_pictures = contents(exported(trained, thumbnails=True))
    assert "Small pictures" in with_pictures[f"{trained.id}/licence-note.txt"].decode()
    run = brought(trained, store, thumbnails=True)
    small, ids = thumbnails.thumbnails(run), run.particles().ids
    assert len(ids) == 24 > len(run.predictions())
    np.testing.assert_array_equal(small.ids, ids)
    assert small.pixels.shape == (len(ids), 16, 64)
    images = load_images(trained.config.dataset, trained.path.parent).take(ids)
    np.testing.assert_allclose(small.pixels.mean(axis=(1, 2)), 255 * images.images.mean(axis=(1, 2, 3)), atol=1.5)
    # Without the file they can be handed on, and need not be.
    assert exported(run, thumbnails=True) == exported(trained, thumbnails=True)
    assert exported(run) == exported(trained)


def test_a_run_that_is_there_gets_the_pictures_it_lacks(trained, store, run_cli, tmp_path):
    run = brought(trained, store)
    assert thumbnails.thumbnails(run) is None
    report = import_bundle(exported(trained, thumbnails=True), store)
    assert (report.imported, report.already_there, report.pictured) == ((), (run.id,), (run.id,))
    assert thumbnails.thumbnails(run) is not None
    assert import_bundle(exported(trained, thumbnails=True), store).pictured == ()


def test_the_command_adds_small_pictures_with_an_option(trained, tmp_path, run_cli):
    out = tmp_path / "bundle.zip"
    assert run_cli("export", trained.id, "--thumbnails", "--out", out, "--store", trained.path.parent)[0] == 0
    assert f"{trained.id}/thumbnails.npz" in contents(out.read_bytes())


def test_what_every_program_draws_needs_no_pictures(finished):
    assert exported(finished, thumbnails=True) == exported(finished)


def test_pictures_of_a_file_that_is_gone_are_a_sentence(trained, store):
    run = brought(trained, store)
    with pytest.raises(UserError, match=r"cannot be exported with thumbnails.*upload the same file"):
        exported(run, thumbnails=True)


def test_many_pictures_are_smaller_and_colours_stay(monkeypatch):
    images = np.random.default_rng(0).random((10, 3, 100, 80), dtype=np.float32)
    rows = np.arange(10)
    assert thumbnails.shrunk(images, rows).shape == (10, 64, 51, 3)
    monkeypatch.setattr(thumbnails, "MAX_BYTES", 10 * 3 * 20 * 16)
    assert thumbnails.shrunk(images, rows).shape == (10, 20, 16, 3)
    monkeypatch.setattr(thumbnails, "MAX_BYTES", 10 * 3 * 20)
    with pytest.raises(UserError, match="without thumbnails"):
        thumbnails.shrunk(images, rows)


def hostile(run, change, version=3, file="thumbnails.npz", without=()):
    """A bundle with a file that is not as it must be; all else in it is in order."""
    files = contents(exported(run, thumbnails=True))
    for name in ("manifest.json", *(f"{run.id}/{name}" for name in without)):
        files.pop(name)
    name = f"{run.id}/{file}"
    files[name] = change(arrays.unpack(files[name], name))
    listed = {name: manifest.listed(content) for name, content in files.items()}
    out = io.BytesIO()
    told = manifest.Manifest(version=version, files=listed).model_dump_json().encode()
    archive.write(out, [*files.items(), ("manifest.json", told)], packed=True)
    return out.getvalue()


def with_array(**changes):
    return lambda held: arrays.pack(held | {name: change(held[name]) for name, change in changes.items()})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_array(images=lambda i: i.astype(np.float32)), "type float32"),
        (with_array(images=lambda i: i[..., None]), "shape"),
        (with_array(images=lambda i: i.reshape(len(i), -1)), "shape"),
        (with_array(images=lambda i: i.repeat(2, axis=1).repeat(2, axis=2)), "more than 64 x 64"),
        (with_array(images=lambda i: i[:-1].copy()), "one picture for each"),
        (with_array(ids=lambda i: i[:-1].copy()), "one picture for each"),
        (with_array(ids=lambda i: i + 10**6), "one picture for each"),
        (with_array(ids=lambda i: i[::-1].copy()), "one picture for each"),
        (with_array(ids=lambda i: np.zeros_like(i)), "one picture for each"),
        (with_array(ids=lambda i: i.astype(np.float32)), "one picture for each"),
        (lambda held: arrays.pack({"images": held["images"]}), "does not hold small pictures"),
        (lambda held: arrays.pack(held | {"more": held["ids"]}), "does not hold small pictures"),
        (lambda held: b"", "not a zip"),
        (lambda held: b"\x89PNG", "not a zip"),
    ],
)
def test_pictures_that_are_not_as_they_must_be_are_refused(change, reason, trained, store):
    store.root.mkdir(parents=True)
    with pytest.raises(UserError, match=reason) as caught:
        import_bundle(hostile(trained, change), store)
    assert "thumbnails.npz" in str(caught.value)
    assert ". " not in str(caught.value)
    assert not list(store.root.iterdir())


def test_a_bundle_of_version_1_has_no_pictures(trained, store):
    with pytest.raises(UserError, match=r"thumbnails.npz, which bundles of its version 1 do not have"):
        import_bundle(hostile(trained, arrays.pack, version=1, without=[directory.PARTICLES]), store)
    with pytest.raises(UserError, match=r"particles.npz, which bundles of its version 2 do not have"):
        import_bundle(hostile(trained, arrays.pack, version=2), store)


def test_pictures_of_drawn_images_are_refused(finished, store):
    files = contents(exported(finished))
    files.pop("manifest.json")
    ids = np.sort(finished.predictions().ids)
    files[f"{finished.id}/thumbnails.npz"] = arrays.pack({"ids": ids, "images": np.zeros((len(ids), 8, 8), np.uint8)})
    listed = {name: manifest.listed(content) for name, content in files.items()}
    out = io.BytesIO()
    archive.write(
        out,
        [*files.items(), ("manifest.json", manifest.Manifest(files=listed).model_dump_json().encode())],
        packed=True,
    )
    with pytest.raises(UserError, match="every program draws itself"):
        import_bundle(out.getvalue(), store)


# What a run says of all its images.


def test_what_a_run_says_of_all_its_images_goes_along(trained, store):
    assert_same(brought(trained, store).particles(), trained.particles())
    assert exported(store.get(trained.id)) == exported(trained)


def test_an_earlier_run_goes_without_and_is_taken_by_earlier_programs(trained, tmp_path, store):
    earlier = RunStore(tmp_path / "earlier")
    shutil.copytree(trained.path, earlier.path(trained.id))
    (earlier.path(trained.id) / directory.PARTICLES).unlink()
    shutil.copytree(trained.path.parent / FOLDER, earlier.root / FOLDER)
    run = earlier.get(trained.id)
    assert json.loads(contents(exported(run))["manifest.json"])["version"] == 1
    with_pictures = contents(exported(run, thumbnails=True))
    assert json.loads(with_pictures["manifest.json"])["version"] == 2
    import_bundle(exported(run, thumbnails=True), store)
    ids = np.sort(trained.predictions().ids)
    np.testing.assert_array_equal(thumbnails.thumbnails(store.get(run.id)).ids, ids)
    # A later bundle of the same run brings what is missing, and the pictures that are there stay.
    report = import_bundle(exported(trained, thumbnails=True), store)
    assert (report.already_there, report.pictured) == ((run.id,), ())
    taken = store.get(run.id)
    assert_same(taken.particles(), trained.particles())
    np.testing.assert_array_equal(thumbnails.thumbnails(taken).ids, ids)
    assert exported(taken, thumbnails=True)


def test_names_in_a_bundle_are_no_paths_and_can_be_shown(trained, tmp_path, store):
    own = RunStore(tmp_path / "own")
    shutil.copytree(trained.path, own.path(trained.id))
    n = len(trained.particles())
    odd = ("/srv/secret/a.png", "C:\\me\\secret\\b.png", "sub/c.png", "\x1b[31mred.png", "\udcff.png", "x" * 300)
    names = (*odd, *(f"{i}.png" for i in range(n)))[:n]
    named = replace(trained.particles(), names=names, groups=np.zeros(n, np.int64), group_names=("/data/secret/grid",))
    particle_file.write(own.path(trained.id), named)
    taken = brought(own.get(trained.id), store).particles()
    assert taken.names[:3] == ("a.png", "b.png", "sub/c.png")
    assert all(name.isprintable() and len(name) <= 100 for name in taken.names)
    assert taken.group_names == ("grid",)
    assert b"secret" not in b"".join(contents(exported(own.get(trained.id))).values())


def text(*texts):
    encoded = [one.encode() for one in texts]
    return {"names": np.frombuffer(b"".join(encoded), np.uint8), "names_bytes": np.array(list(map(len, encoded)))}


@pytest.mark.parametrize(
    "change",
    [
        with_array(part=lambda p: p + np.uint8(1)),
        with_array(part=lambda p: p.astype(np.int64)),
        with_array(part=lambda p: p[:-1].copy()),
        with_array(part=lambda p: np.zeros_like(p)),  # none of them validation images
        with_array(ids=lambda i: i[::-1].copy()),
        with_array(ids=lambda i: i + 10**6),
        with_array(labels=lambda k: k + 99),
        with_array(class_prob=lambda p: p * 2),
        with_array(outlier_score=lambda s: np.full_like(s, np.inf)),
        with_array(z_mean=lambda z: z[:, :1].copy()),
        lambda held: arrays.pack({name: values for name, values in held.items() if name != "part"}),
        lambda held: arrays.pack(held | {"more": held["ids"]}),
        lambda held: arrays.pack(held | {"size_px": -np.ones(24, np.float32)}),
        lambda held: arrays.pack(held | dict.fromkeys(("size_px", "size_nm"), np.ones(24, np.float32))),
        lambda held: arrays.pack(held | {"groups": np.full(24, -1)}),
        lambda held: arrays.pack(held | {"groups": np.ones((24, 2), np.int64)}),
        lambda held: arrays.pack(held | text(*["a"] * 23)),
        lambda held: arrays.pack(held | text("a\n", *["a"] * 23)),
        lambda held: arrays.pack(held | text("/etc/passwd", *["a"] * 23)),
        lambda held: arrays.pack(held | text("a" * 101, *["a"] * 23)),
        lambda held: arrays.pack(held | text(*["a"] * 24) | {"names_bytes": np.full(24, 2**62)}),
        lambda held: arrays.pack(held | {"names": np.ones(24, np.uint8)}),
        lambda held: arrays.pack(held | {"names_bytes": np.ones(24, np.int64)}),
        lambda held: b"",
    ],
)
def test_particles_that_are_not_as_they_must_be_are_refused(change, trained, store):
    store.root.mkdir(parents=True)
    with pytest.raises(UserError, match=r"particles\.npz") as caught:
        import_bundle(hostile(trained, change, file=directory.PARTICLES, without=["thumbnails.npz"]), store)
    assert ". " not in str(caught.value)
    assert not list(store.root.iterdir())
