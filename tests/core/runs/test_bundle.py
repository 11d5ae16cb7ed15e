import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ssrvae_core.cli import app
from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.runs import RunStore, Status, directory
from ssrvae_core.runs.bundle import ImportReport, archive, export, export_bundle, import_bundle, install, manifest
from ssrvae_core.runs.execute import train_run

GOLDEN = Path(__file__).parents[2] / "data" / "bundle_v1.zip"
GOLDEN_ID = "fec1fe0b3dd4"


def exported(*runs):
    out = io.BytesIO()
    export_bundle(runs, out)
    return out.getvalue()


def contents(bundle):
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def as_on_disk(root):
    """Every path under a store with its content: equal only if nothing at all was changed."""
    return {
        path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def own_images(tmp_path, tiny_config):
    """A finished run on an image file of the user's, in a directory with a telling name."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a secret project" / ("deep" * 60) / "b" / "particles.npz"
    path.parent.mkdir(parents=True)
    images = rng.integers(0, 255, (40, 16, 16), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 2, class_names=np.array(["rod", "cube"]))
    config = tiny_config(training__epochs=1, training__tracked=4)
    config = config.model_copy(update={"dataset": file_dataset(path)})
    return train_run(RunConfig.model_validate(config.model_dump()), RunStore(tmp_path / "own"))


def test_a_run_comes_out_of_another_store_as_it_went_in(finished, store):
    report = import_bundle(exported(finished), store)
    assert report == ImportReport(imported=(finished.id,), already_there=())
    run = store.get(finished.id)
    assert run.config == finished.config
    assert run.metrics() == finished.metrics()
    assert run.status == finished.status.model_copy(update={"pid": None, "pid_started": None})
    for name, values in vars(finished.predictions()).items():
        np.testing.assert_equal(getattr(run.predictions(), name), values)
    for (at, frame), (other_at, other) in zip(run.snapshots(), finished.snapshots(), strict=True):
        assert at == other_at
        np.testing.assert_array_equal(frame.z_mean, other.z_mean)
    weights = finished.model("cpu").state_dict()
    assert all((tensor == weights[name]).all() for name, tensor in run.model("cpu").state_dict().items())


def test_equal_runs_give_equal_bundles(finished, store):
    bundle = exported(finished)
    import_bundle(bundle, store)
    assert exported(finished, finished) == bundle == exported(store.get(finished.id))


def test_the_manifest_lists_every_file_with_its_hash(finished):
    files = contents(exported(finished))
    listed = json.loads(files.pop("manifest.json"))["files"]
    assert {name: entry["sha256"] for name, entry in listed.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_a_bundle_names_no_place_and_no_process_and_holds_no_image(own_images, store):
    images = Path(own_images.config.dataset.path).read_bytes()
    files = contents(exported(own_images))
    for content in files.values():
        assert b"secret" not in content
        assert str(Path.home()).encode() + b"/" not in content
        assert images not in content
    assert json.loads(files[f"{own_images.id}/status.json"])["pid"] is None
    import_bundle(exported(own_images), store)
    run = store.get(own_images.id)
    assert run.config.dataset.path == run.data_name == "particles.npz"
    assert store.find(own_images.config) == run
    assert "owner" in (run.path / "licence-note.txt").read_text()


def test_what_an_environment_says_of_places_stays_behind(own_images):
    path = own_images.path / directory.ENVIRONMENT
    path.write_text(
        json.dumps({"python": "3.11", "interpreter": "/opt/somewhere/bin/python", "packages": {"a": "~/b"}})
    )
    kept = json.loads(contents(exported(own_images))[f"{own_images.id}/environment.json"])
    assert kept == {"python": "3.11", "interpreter": None, "packages": {"a": None}}


def test_the_note_its_sender_wrote_stays_with_a_run(own_images, store):
    (own_images.path / "licence-note.txt").write_text("CC BY 4.0, A. Author\n")
    import_bundle(exported(own_images), store)
    assert "A. Author" in contents(exported(store.get(own_images.id)))[f"{own_images.id}/licence-note.txt"].decode()


def test_a_note_that_another_system_saved_is_shared_as_plain_lines(own_images):
    note = own_images.path / "licence-note.txt"
    note.write_bytes("\ufeffCC BY 4.0\r\n\tA. Author\r\n".encode())
    shared = contents(exported(own_images))[f"{own_images.id}/licence-note.txt"]
    assert [line.strip() for line in shared.decode().splitlines()] == ["CC BY 4.0", "A. Author"]
    note.write_bytes("von Gr\xf6\xdfe".encode("latin-1"))
    with pytest.raises(UserError, match=r"licence-note.txt is not UTF-8 text; save it as such"):
        exported(own_images)


def test_factors_of_any_name_come_through(own_images, store):
    said = own_images.predictions()
    factors = {name: np.arange(len(said), dtype=np.float32) for name in ("größe", "θ", "50%", "a/b")}
    directory.write_predictions(own_images.path, replace(said, factors=factors))
    import_bundle(exported(own_images), store)
    assert store.get(own_images.id).predictions().factors.keys() == factors.keys()


def test_what_no_import_would_take_for_its_size_is_not_exported(finished, monkeypatch):
    monkeypatch.setattr(export, "MAX_BYTES", export.MANIFEST_ROOM + 1000)
    with pytest.raises(UserError, match="export fewer runs at a time"):
        exported(finished)


def test_a_run_that_is_there_is_left_alone_and_reported(finished, store):
    bundle = exported(finished)
    import_bundle(bundle, store)
    before = as_on_disk(store.root)
    assert import_bundle(bundle, store) == ImportReport(imported=(), already_there=(finished.id,))
    assert as_on_disk(store.root) == before


@pytest.mark.parametrize("state", ["other weights", "interrupted", "unreadable"])
def test_another_run_of_the_same_id_is_not_overwritten(finished, store, state):
    bundle = exported(finished)
    import_bundle(bundle, store)
    path = store.path(finished.id)
    if state == "other weights":
        weights = bytearray((path / directory.WEIGHTS).read_bytes())
        weights[-1] ^= 1
        (path / directory.WEIGHTS).write_bytes(weights)
    elif state == "interrupted":
        directory.write_status(path, Status(state="interrupted"))
    else:
        (path / directory.CONFIG).unlink()
    before = as_on_disk(store.root)
    with pytest.raises(UserError, match=f"{finished.id} already"):
        import_bundle(bundle, store)
    assert as_on_disk(store.root) == before


def test_only_finished_runs_are_exported_and_a_file_that_is_there_stays(finished, tmp_path):
    out = tmp_path / "bundle.zip"
    out.write_bytes(b"yesterday's")
    half = replace(finished, status=finished.status.model_copy(update={"state": "cancelled"}))
    with pytest.raises(UserError, match=f"{finished.id} is cancelled; only finished runs"):
        export_bundle([finished, half], out)
    with pytest.raises(UserError, match="0 are given"):
        export_bundle([], out)
    assert out.read_bytes() == b"yesterday's"
    assert list(tmp_path.iterdir()) == [out]


def test_a_damaged_run_is_not_handed_on(own_images, tmp_path):
    weights = own_images.path / directory.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(UserError, match=r"cannot be exported: .* in model\.safetensors holds a number that is not fin"):
        export_bundle([own_images], tmp_path / "bundle.zip")
    weights.unlink()
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read"):
        export_bundle([own_images], tmp_path / "bundle.zip")


def test_a_place_that_cannot_be_written_is_named(finished, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        export_bundle([finished], tmp_path / "nowhere" / "bundle.zip")


def test_arrays_that_pack_too_well_to_be_told_from_a_bomb_come_through(finished, store, tmp_path):
    black = tmp_path / "black" / finished.id
    shutil.copytree(finished.path, black)
    images = directory.read_manifold(black)
    directory.write_manifold(black, np.zeros((len(images), 70, 70, *images.shape[3:]), np.uint8))
    import_bundle(exported(RunStore(black.parent).get(finished.id)), store)
    assert not directory.read_manifold(store.path(finished.id)).any()


def test_several_runs_are_taken_together_or_not_at_all(finished, own_images, store, monkeypatch):
    bundle = exported(finished, own_images)
    checked = []

    def check(files):
        checked.append(files)
        if len(checked) == 2:
            raise install.Refusal("something is odd")
        return install.read_weights(files[directory.WEIGHTS], "the weights")

    with monkeypatch.context() as patch:
        patch.setattr(install, "check_run", check)
        with pytest.raises(UserError, match="something is odd"):
            import_bundle(bundle, store)
    assert not store.root.exists()
    assert set(import_bundle(bundle, store).imported) == {finished.id, own_images.id}
    assert {path.name for path in store.root.iterdir()} == {finished.id, own_images.id}


@pytest.mark.parametrize("after", [0, 5, 12])
def test_an_import_that_is_killed_leaves_no_half_run_and_the_next_clears_up(
    finished, own_images, store, monkeypatch, after
):
    class Killed(BaseException):
        pass

    bundle, written = exported(finished, own_images), []

    def write(path, content):
        if len(written) == after:
            raise Killed
        written.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(install, "atomic_write", write)
        patch.setattr(install.shutil, "rmtree", lambda path: None)  # whoever is killed does not clear up
        with pytest.raises(Killed):
            import_bundle(bundle, store)
    assert store.scan() == ([], [])
    import_bundle(bundle, store)
    assert {path.name for path in store.root.iterdir()} == {finished.id, own_images.id}


def test_a_full_disk_leaves_no_half_run(finished, store, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    bundle = exported(finished)
    monkeypatch.setattr(install, "atomic_write", full)
    with pytest.raises(UserError, match="No space left"):
        import_bundle(bundle, store)
    assert list(store.root.iterdir()) == []


def test_a_read_only_server_imports_nothing(store, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    with pytest.raises(UserError, match="read-only"):
        import_bundle(GOLDEN, store)
    assert not store.root.exists()


def test_the_commands_export_and_import(finished, store, tmp_path):
    out, runner = tmp_path / "bundle.zip", CliRunner()
    told = runner.invoke(
        app, ["export", finished.id[:6], "--out", str(out), "--store", str(finished.path.parent), "--json"]
    )
    assert json.loads(told.stdout.splitlines()[-1]) == {
        "ids": [finished.id],
        "out": str(out),
        "bytes": out.stat().st_size,
    }
    for report in ({"imported": [finished.id], "already_there": []}, {"imported": [], "already_there": [finished.id]}):
        told = runner.invoke(app, ["import", str(out), "--store", str(store.root), "--json"])
        assert json.loads(told.stdout.splitlines()[-1]) == report
    missing = runner.invoke(app, ["import", str(tmp_path / "none.zip"), "--store", str(store.root)])
    assert isinstance(missing.exception, UserError)


def test_the_bundle_of_version_1_is_taken_and_means_what_it_meant(store):
    assert import_bundle(GOLDEN, store).imported == (GOLDEN_ID,)
    run = store.get(GOLDEN_ID)
    assert [line["epoch"] for line in run.metrics()] == [1, 2, 3]
    assert [at for at, _ in run.snapshots()] == [1, 2, 3]
    assert len(run.predictions()) == 32
    assert run.status.validation["accuracy"] == pytest.approx(0.25)
    model, ramp = run.model("cpu"), torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    drawn = model.decode(torch.ones(4, 2), torch.arange(4)).mean(dim=(1, 2, 3))
    torch.testing.assert_close(drawn, torch.tensor([0.5076, 0.5106, 0.5147, 0.5165]), atol=1e-3, rtol=0)
    seen = model.encode(ramp).class_prob[0]
    torch.testing.assert_close(seen, torch.tensor([0.3030, 0.2128, 0.1805, 0.3037]), atol=1e-3, rtol=0)


def test_a_checkpoint_which_holds_a_pickle_neither_leaves_nor_enters_a_store(finished, store, tmp_path):
    """Of an unfinished run, which goes on from it; a finished one has none, and one that was put there stays."""
    own = RunStore(tmp_path / "own")
    shutil.copytree(finished.path, own.path(finished.id))
    (own.path(finished.id) / directory.CHECKPOINT).write_bytes(b"a pickle")
    bundle = exported(own.get(finished.id))
    assert not [name for name in contents(bundle) if "checkpoint" in name]
    files = contents(bundle) | {f"{finished.id}/{directory.CHECKPOINT}": b"a pickle"}
    listed = {name: manifest.listed(content) for name, content in files.items() if name != manifest.MANIFEST}
    files[manifest.MANIFEST] = manifest.Manifest(files=listed).model_dump_json().encode()
    out = io.BytesIO()
    archive.write(out, files.items(), packed=True)
    with pytest.raises(UserError, match=r"checkpoint\.pt has no place"):
        import_bundle(out.getvalue(), store)
