"""Bundles of someone who means harm: each ends in one sentence, and the store is as it was to the last byte."""

import hashlib
import io
import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.bundle import archive, import_bundle, manifest

GOLDEN = (Path(__file__).parents[2] / "data" / "bundle_v1.zip").read_bytes()
with zipfile.ZipFile(io.BytesIO(GOLDEN)) as _golden:
    FILES = {name: _golden.read(name) for name in _golden.namelist() if name != "manifest.json"}
ID = next(iter(FILES))[:12]
CONFIG, STATUS, METRICS = f"{ID}/config.json", f"{ID}/status.json", f"{ID}/metrics.jsonl"
WEIGHTS, VALIDATION, SNAPSHOTS = f"{ID}/model.safetensors", f"{ID}/validation.npz", f"{ID}/snapshots.npz"
MANIFOLD, ENVIRONMENT, NOTE = f"{ID}/manifold.npz", f"{ID}/environment.json", f"{ID}/licence-note.txt"


@pytest.fixture
def full_store(store):
    """A store with a run and a file in it, and nothing of the golden run."""
    (store.root / "0123456789ab").mkdir(parents=True)
    (store.root / "0123456789ab" / "config.json").write_text("{}")
    (store.root / "sweeps").mkdir()
    return store


def as_on_disk(root):
    return {
        path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def refused(full_store):
    """Check that a bundle is refused in one sentence, with the reason given, and that it left no trace."""

    def check(bundle, reason):
        before = as_on_disk(full_store.root.parent)
        with pytest.raises(UserError, match=reason) as caught:
            import_bundle(bundle, full_store)
        sentence = str(caught.value)
        assert sentence.isprintable()
        assert sentence.endswith(".")
        assert ". " not in sentence
        assert len(sentence) < 700
        assert as_on_disk(full_store.root.parent) == before

    return check


# Bundles with other content, all in order but for what a test changes.


def bundled(contents, /, **told):
    """A bundle of these files whose container and manifest say the truth, unless the manifest is told otherwise."""
    listed = {name: manifest.listed(content) for name, content in contents.items()}
    values = json.loads(manifest.Manifest(files=listed).model_dump_json()) | told
    out = io.BytesIO()
    archive.write(out, [*contents.items(), ("manifest.json", json.dumps(values).encode())], packed=True)
    return out.getvalue()


def with_json(name, **changes):
    return {name: json.dumps(json.loads(FILES[name]) | changes).encode()}


def with_config(change):
    """The golden run with a changed configuration, everywhere it is said, under the id that belongs to it."""
    config = json.loads(FILES[CONFIG])
    change(config)
    metadata, tensors = split_weights(FILES[WEIGHTS])
    changed = {CONFIG: json.dumps(config).encode(), WEIGHTS: weights(metadata | {"config": config}, tensors)}
    run_id = manifest.config_id(changed[CONFIG])
    return {f"{run_id}/{name[13:]}": content for name, content in (FILES | changed).items()}


def split_weights(content):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = json.loads(header.pop("__metadata__")["ssrvae"])
    data = content[8 + length :]
    places = {name: (place["shape"], place["data_offsets"]) for name, place in header.items()}
    return metadata, {
        name: np.frombuffer(data[begin:end], "<f4").reshape(shape) for name, (shape, (begin, end)) in places.items()
    }


def header_of(metadata, tensors):
    header, at = {"__metadata__": {"ssrvae": json.dumps(metadata)}}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    return header


def safetensors(header, data):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def weights(metadata, tensors):
    return safetensors(header_of(metadata, tensors), b"".join(tensor.tobytes() for tensor in tensors.values()))


def with_tensor(change):
    metadata, tensors = split_weights(FILES[WEIGHTS])
    name = next(iter(tensors))
    return {WEIGHTS: weights(metadata, tensors | {name: change(tensors[name])})}


def with_place(**changes):
    """The golden weights, the first tensor described differently."""
    metadata, tensors = split_weights(FILES[WEIGHTS])
    header, name = header_of(metadata, tensors), next(iter(tensors))
    header[name] |= changes
    return {WEIGHTS: safetensors(header, b"".join(tensor.tobytes() for tensor in tensors.values()))}


def with_metadata(**changes):
    metadata, tensors = split_weights(FILES[WEIGHTS])
    return {WEIGHTS: weights(metadata | changes, tensors)}


def npz(arrays, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, values, **options)
            file.writestr(f"{name}.npy", buffer.getvalue())
    return out.getvalue()


def arrays_of(name):
    return dict(np.load(io.BytesIO(FILES[name]), allow_pickle=False))


def with_array(file, **changes):
    """The golden arrays with some changed by a function of the old ones, or left out."""
    arrays = arrays_of(file)
    for name, change in changes.items():
        values = change(arrays.get(name))
        arrays.pop(name, None)
        if values is not None:
            arrays[name] = values
    return {file: npz(arrays)}


def put(value, at=0):
    def change(values):
        values = values.copy()
        values.reshape(-1)[at] = value
        return values

    return change


def leave_out(values):
    return None


def test_the_bundle_these_are_made_of_is_sound(store):
    assert import_bundle(bundled(FILES), store).imported == (ID,)


CONTENT = {
    "unknown file": ({f"{ID}/checkpoint.pt": b"x"}, r"checkpoint\.pt has no place in a run"),
    "hidden file": ({f"{ID}/.bashrc": b"x"}, "has no place in a bundle"),
    "pickle": ({f"{ID}/model.pkl": b"\x80\x04."}, r"model\.pkl has no place"),
    "missing file": ({STATUS: None}, r"status\.json is missing"),
    "config: not JSON": ({CONFIG: b"{"}, r"config\.json is not usable as JSON"),
    "config: empty": ({CONFIG: b""}, "not usable as JSON"),
    "config: a list": ({CONFIG: b"[]"}, "not a JSON object"),
    "config: not UTF-8": ({CONFIG: b'{"seed": "\xff"}'}, "not usable as JSON"),
    "config: deep": ({CONFIG: b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"}, "nested deeper"),
    "config: deep behind a torn string": ({CONFIG: b'{"a":"' + b'\\"' * 30_000}, "not usable as JSON"),
    "config: huge": ({CONFIG: b" " * 70_000 + FILES[CONFIG]}, r"config\.json .*too large"),
    "config: twice the same key": ({CONFIG: b'{"seed": 0,' + FILES[CONFIG].lstrip()[1:]}, "a key occurs twice"),
    "config: other than the id says": (with_json(CONFIG, seed=7), "gives another id"),
    "status: NaN": ({STATUS: FILES[STATUS].replace(b'"epoch": 3', b'"epoch": NaN')}, "NaN is not a JSON number"),
    "status: infinity": (with_json(STATUS, seconds=1e308) | {STATUS: b'{"seconds": 1e999}'}, "not finite"),
    "status: giant number": ({STATUS: b'{"epoch": 1' + b"0" * 30 + b"}"}, "too large"),
    "status: endless number": ({STATUS: b'{"epoch": ' + b"9" * 5000 + b"}"}, "not usable as JSON"),
    "status: unknown key": (with_json(STATUS, shell="rm"), "unknown field 'shell'"),
    "status: of a process": (with_json(STATUS, pid=1), "not that of a finished run"),
    "status: unfinished": (with_json(STATUS, state="running"), "not that of a finished run"),
    "status: other epochs": (with_json(STATUS, epoch=2**40), "other epochs"),
    "status: end of time": (with_json(STATUS, updated=1e300), "impossible time|updated is not valid"),
    "status: no images": (with_json(STATUS, n_labelled=0), "impossible number"),
    "status: other classes": (with_json(STATUS, class_names=["a", "b", "c", "d"]), "different classes"),
    "status: no evaluation": (with_json(STATUS, validation=None), "evaluation .* is missing"),
    "status: accuracy too good": (
        with_json(STATUS, validation=json.loads(FILES[STATUS])["validation"] | {"accuracy": 1.0}),
        "not that of the run's predictions",
    ),
    "status: ragged matrix": (
        with_json(STATUS, validation=json.loads(FILES[STATUS])["validation"] | {"confusion": [[1], [2, 3]]}),
        "does not count",
    ),
    **{
        f"status: evaluation with {change}": (
            with_json(STATUS, validation=json.loads(FILES[STATUS])["validation"] | change),
            reason,
        )
        for change, reason in (
            ({"accuracy_by_angle": 5}, "not a list of bins"),
            ({"accuracy_by_angle": [{"low_deg": 0, "high_deg": 15, "n": 1}]}, "not a list of bins"),
            ({"flip_rate": None}, "'flip_rate' that is not a number"),
            ({"n": 3}, "another number of images"),
            ({"probe_r2": [1]}, "not a set of numbers"),
        )
    },
    "status: half an evaluation": (
        with_json(
            STATUS,
            validation={n: v for n, v in json.loads(FILES[STATUS])["validation"].items() if n != "nll"},
        ),
        "lacks 'nll'",
    ),
    "status: text for a number": (
        with_json(STATUS, validation=json.loads(FILES[STATUS])["validation"] | {"ece": "0.1"}),
        "is not a number",
    ),
    "metrics: torn line": ({METRICS: FILES[METRICS][:-9]}, "one whole line"),
    "metrics: more lines": ({METRICS: FILES[METRICS] * 2}, "one whole line"),
    "metrics: many lines": ({METRICS: b"{}\n" * 300_000}, "one whole line"),
    "metrics: no epoch": ({METRICS: b"{}\n" * 3}, "not that of epoch 1"),
    "metrics: unknown key": ({METRICS: b'{"epoch": 1, "x": 1}\n' * 3}, "not that of epoch 1"),
    "metrics: text": ({METRICS: b'{"epoch": 1, "beta": "<script>"}\n' * 3}, "not a number"),
    "environment: a home": (with_json(ENVIRONMENT, python="/opt/me/bin/python"), "names a path"),
    "environment: escape codes": (with_json(ENVIRONMENT, device="\x1b[2J"), "cannot be shown"),
    "environment: long text": (with_json(ENVIRONMENT, device="x" * 10_000), "too long"),
    "note: escape codes": ({NOTE: b"\x1b[31mfree"}, "cannot be shown"),
    "note: not text": ({NOTE: b"\xff\xfe"}, "not UTF-8"),
    "weights: NaN": (with_tensor(put(np.nan)), "not finite"),
    "weights: infinity": (with_tensor(put(np.inf, -1)), "not finite"),
    "weights: other shape": (with_tensor(lambda t: t.reshape(1, *t.shape)), "its model needs"),
    "weights: one less": (
        {WEIGHTS: weights(split_weights(FILES[WEIGHTS])[0], dict(list(split_weights(FILES[WEIGHTS])[1].items())[1:]))},
        "do not have the same weights",
    ),
    "weights: empty": ({WEIGHTS: b""}, "announces a header"),
    "weights: giant header": ({WEIGHTS: (2**63).to_bytes(8, "little") + FILES[WEIGHTS][8:]}, "announces a header"),
    "weights: large header": (
        {WEIGHTS: (2**21).to_bytes(8, "little") + b"{" + np.random.default_rng(0).bytes(2**21)},
        "announces a header",
    ),
    "weights: header is not an object": ({WEIGHTS: (8).to_bytes(8, "little") + b"[1,2,33]"}, "not a safetensors file"),
    "weights: tail": ({WEIGHTS: FILES[WEIGHTS] + b"tail"}, "longer than its weights"),
    "weights: torn": ({WEIGHTS: FILES[WEIGHTS][:-8]}, "does not lie where"),
    "weights: no metadata": ({WEIGHTS: safetensors({}, b"")}, "not of a model of this program"),
    "weights: negative place": (with_place(data_offsets=[-4, 0]), "cannot be read"),
    "weights: place outside": (with_place(data_offsets=[0, 2**60], shape=[2**58]), "does not lie where"),
    "weights: overlap": (with_place(data_offsets=[4, 8], shape=[1]), "does not lie where"),
    "weights: other type": (with_place(dtype="I64"), "cannot be read"),
    "weights: type of a type": (with_place(dtype=["F32"]), "cannot be read"),
    "weights: shape of text": (with_place(shape="12"), "cannot be read"),
    "weights: true as a side": (with_place(shape=[True]), "cannot be read"),
    "weights: metadata of a list": (
        {WEIGHTS: safetensors({"__metadata__": {"ssrvae": "[]"}}, b"")},
        "not a JSON object",
    ),
    "weights: another configuration": (
        with_metadata(config=json.loads(FILES[CONFIG]) | {"seed": 1}),
        "another configuration",
    ),
    "weights: giant images": (with_metadata(image_shape=[1, 10**6, 10**6]), "more than"),
    "weights: no classes": (with_metadata(class_names=[]), "cannot be read"),
    "weights: long class name": (with_metadata(class_names=["a" * 200, "b", "c", "d"]), "longer than"),
    "weights: class with escape codes": (with_metadata(class_names=["\x1b[2J", "b", "c", "d"]), "cannot be shown"),
    "weights: a class twice": (with_metadata(class_names=["a", "a", "c", "d"]), "twice"),
    "arrays: pickled": (
        {VALIDATION: npz(arrays_of(VALIDATION) | {"ids": np.array([{}], dtype=object)}, allow_pickle=True)},
        "not a plain array",
    ),
    "arrays: no zip": ({VALIDATION: b"\x80\x04\x95not a zip at all, but long enough"}, r"validation\.npz is not a zip"),
    "arrays: empty": ({VALIDATION: b""}, "not a zip file"),
    "arrays: damaged": ({VALIDATION: FILES[VALIDATION].replace(b"\x93NUMPY", b"\x80\x04NUMP")}, "damaged"),
    "arrays: other type": (with_array(VALIDATION, z_mean=lambda z: z.astype(np.float64)), "not a plain array"),
    "arrays: wrong type": (with_array(VALIDATION, labels=lambda y: y.astype(np.float32)), "labels of .* is float32"),
    "arrays: wrong shape": (with_array(VALIDATION, z_mean=lambda z: z[:, :1].copy()), "but the run's is"),
    "arrays: Fortran order": (with_array(VALIDATION, z_mean=np.asfortranarray), "not a plain array"),
    "arrays: one missing": (with_array(VALIDATION, angle=leave_out), "the array 'angle'"),
    "arrays: one too many": (with_array(VALIDATION, extra=lambda _: np.zeros(3, np.float32)), "the array 'extra'"),
    "arrays: NaN": (with_array(VALIDATION, z_mean=put(np.nan)), "not finite"),
    "arrays: some angles": (with_array(VALIDATION, angle=put(np.nan)), "outside its range"),
    "arrays: angle in degrees": (with_array(VALIDATION, angle=put(90.0)), "outside its range"),
    "arrays: no probability": (with_array(VALIDATION, class_prob=put(2.0)), "does not hold probabilities"),
    "arrays: an id twice": (with_array(VALIDATION, ids=lambda i: np.zeros_like(i)), "an id twice"),
    "arrays: no such class": (with_array(VALIDATION, labels=put(4)), "none of its 4 classes"),
    "arrays: factor without a name": (
        with_array(VALIDATION, **{"factors/": lambda _: np.zeros(32, np.float32)}),
        "unusable name",
    ),
    "film: no such image": (with_array(SNAPSHOTS, ids=put(10**9)), "not in the run's validation"),
    "film: no such epoch": (with_array(SNAPSHOTS, epochs=put(99, -1)), "not those of its run"),
    "film: backwards": (with_array(SNAPSHOTS, epochs=lambda e: e[::-1].copy()), "not those of its run"),
    "film: other frames": (with_array(SNAPSHOTS, z_mean=lambda z: z[:2].copy()), "but the run's is"),
    "manifold: other images": (with_array(MANIFOLD, images=lambda i: i[..., :8].copy()), "not its model's"),
    "manifold: other type": (with_array(MANIFOLD, images=lambda i: i.astype(np.float32)), "does not hold the images"),
}


@pytest.mark.parametrize("case", CONTENT)
def test_content_that_is_not_a_sound_run_s_is_refused(case, refused):
    changes, reason = CONTENT[case]
    refused(bundled({name: content for name, content in (FILES | changes).items() if content is not None}), reason)


def set_in(section, **values):
    return lambda config: config[section].update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_in("model", hidden=[4096] * 12), "the same weights"),
        (set_in("model", hidden=[4096]), "its model needs"),
        (set_in("model", hidden=[1] * 5000), "more than 256 layers"),
        (set_in("model", hidden=[10**9]), "not one of this version"),
        (set_in("model", latent_dim=64), "its model needs"),
        (set_in("model", new_setting=1), "not one of this version: model.new_setting"),
        (set_in("dataset", train_per_class=10**12), "not one of this version: dataset.train_per_class"),
        (set_in("dataset", train_per_class=10**5, size=512), "pixels per class"),
        (set_in("dataset", source="file", sha256="0" * 64, path="/etc/passwd"), "on some machine"),
        (set_in("dataset", source="file", sha256="0" * 64, path="../../x.npz"), "on some machine"),
        (set_in("dataset", source="file", sha256="0" * 64, path=".."), "on some machine"),
        (set_in("dataset", source="file", sha256="0" * 64, path="C:\\x.npz"), "on some machine"),
        (set_in("training", epochs=0), "not one of this version: training.epochs"),
        (lambda config: config.update(schema_version=99), "not one of this version: schema_version"),
    ],
)
def test_a_configuration_that_asks_for_too_much_is_refused(change, reason, refused):
    refused(bundled(with_config(change)), reason)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "..\\evil",
        "C:/evil",
        f"{ID}/../evil",
        f"{ID}/../../evil",
        f"{ID}/a/b",
        f"{ID}/",
        ID,
        f"{ID}/CONFIG.JSON",
        f"{ID.upper()}/config.json",
        f"{ID}/config.json ",
        f"{ID}/config.json\0.txt",
        "jobs/lock",
        "0123456789ab\n/config.json",
        "\x1b[2J",
        "MANIFEST.JSON",
    ],
)
def test_a_name_that_leads_anywhere_else_is_refused(name, refused):
    raw = name.encode()
    placeholder = "x" * len(raw)  # zipfile tidies some names up, so they are put in afterwards
    bundle = bundled({**FILES, placeholder: b"evil"}).replace(placeholder.encode(), raw)
    refused(bundle, "has no place in a bundle|not both in the bundle|cannot be shown")


def test_the_manifest_must_list_what_is_there_and_nothing_else(refused):
    listed = {name: manifest.listed(content).model_dump() for name, content in FILES.items()}
    refused(bundled(FILES, files=listed | {f"{ID}/log.txt": listed[NOTE]}), "not both in the bundle")
    refused(bundled(FILES, files={name: entry for name, entry in listed.items() if name != NOTE}), "not both in")
    wrong = listed[NOTE] | {"sha256": "0" * 64}
    refused(bundled(FILES, files=listed | {NOTE: wrong}), "another SHA-256")
    refused(bundled(FILES, files=listed | {NOTE: listed[NOTE] | {"bytes": 1}}), "another size")
    refused(bundled(FILES, files=listed | {NOTE: listed[NOTE] | {"path": "x"}}), "manifest.json is not valid")
    refused(bundled(FILES, files={}), "not both in the bundle")
    refused(bundled({}), "0 runs")


def test_what_is_no_bundle_is_refused(refused):
    out = io.BytesIO()
    archive.write(out, FILES.items(), packed=True)
    refused(out.getvalue(), "no manifest.json")
    refused(bundled(FILES, format="other"), "not that of a bundle")
    refused(bundled(FILES, extra=1), "manifest.json is not valid")
    refused(bundled(FILES, extra="x" * 200 * archive.MAX_ENTRIES), "manifest.json is larger than")
    for content in (b"", b"no zip", b"PK\x03\x04", b"x" * 10_000, GOLDEN[: len(GOLDEN) // 2], GOLDEN[:-1], GOLDEN[1:]):
        refused(content, "not a zip file|does not end|overlap or leave gaps|damaged")
    refused(GOLDEN + b"\0", "not a zip file")
    refused(b"#!/bin/sh\n" + GOLDEN, "does not end")


def test_too_many_runs_are_refused(refused, monkeypatch):
    other = with_config(lambda config: config.update(seed=5))
    monkeypatch.setattr(manifest, "MAX_RUNS", 1)
    refused(bundled(FILES | other), "holds 2 runs")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 4)
    refused(bundled(FILES), "more than 4 files")


@pytest.mark.parametrize("version", [4, 99, 2**40])
def test_a_newer_bundle_is_refused_with_the_advice_to_update(version, refused):
    refused(bundled(FILES, version=version), f"version {version}, newer than the 3 this program reads; update")


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5, True])
def test_a_version_that_never_was_is_refused(version, refused):
    refused(bundled(FILES, version=version), "does not read|not that of a bundle")


def test_an_older_bundle_is_migrated(store, monkeypatch):
    """As the next version will have it: the seed was called otherwise, in both places where a configuration is."""

    def rename(config):
        return {("random_state" if name == "seed" else name): value for name, value in config.items()}

    def migrate(files):
        def renamed(config):
            return {("seed" if name == "random_state" else name): value for name, value in config.items()}

        metadata, tensors = split_weights(files["model.safetensors"])
        return files | {
            "config.json": json.dumps(renamed(json.loads(files["config.json"]))).encode(),
            "model.safetensors": weights(metadata | {"config": renamed(metadata["config"])}, tensors),
        }

    monkeypatch.setitem(manifest.MIGRATIONS, 0, migrate)
    config = rename(json.loads(FILES[CONFIG]))
    metadata, tensors = split_weights(FILES[WEIGHTS])
    old = FILES | {CONFIG: json.dumps(config).encode(), WEIGHTS: weights(metadata | {"config": config}, tensors)}
    old_id = manifest.config_id(old[CONFIG])
    old = {f"{old_id}/{name[13:]}": content for name, content in old.items()}
    assert old_id != ID
    assert import_bundle(bundled(old, version=0), store).imported == (ID,)
    assert store.get(ID).config.run_id == ID
    assert import_bundle(GOLDEN, store).already_there == (ID,)


# The container itself.


def patched(entry, field, value, *, local=True, central=True):
    """The golden bundle with a field of an entry's headers changed: (offset, struct format) in either header."""
    content = bytearray(GOLDEN)
    with zipfile.ZipFile(io.BytesIO(GOLDEN)) as file:
        info, start = file.getinfo(entry), file.start_dir
    at_central = GOLDEN.index(b"PK\x01\x02", start)
    while GOLDEN[at_central + 46 : at_central + 46 + len(entry)] != entry.encode():
        at_central = GOLDEN.index(b"PK\x01\x02", at_central + 4)
    places = {
        "flags": (6, 8, "<H"),
        "method": (8, 10, "<H"),
        "crc": (14, 16, "<L"),
        "packed": (18, 20, "<L"),
        "size": (22, 24, "<L"),
        "n_extra": (28, 30, "<H"),
        "attributes": (None, 38, "<L"),
        "offset": (None, 42, "<L"),
        "name": (30, 46, f"<{len(entry)}s"),
    }
    in_local, in_central, code = places[field]
    if local and in_local is not None:
        struct.pack_into(code, content, info.header_offset + in_local, value)
    if central:
        struct.pack_into(code, content, at_central + in_central, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("flags", 0x1, "encrypted"),
        ("flags", 0x41, "encrypted"),
        ("flags", 0x8, "packed in a way"),
        ("method", zipfile.ZIP_BZIP2, "packed in a way"),
        ("method", zipfile.ZIP_LZMA, "packed in a way"),
        ("method", zipfile.ZIP_STORED, "two sizes"),
        ("crc", 0, "damaged"),
        ("size", 10, "another size"),
        ("size", 10**6, "another size"),
        ("size", 0xFFFFFFFF, "unpack to more than"),
        ("packed", 0xFFFFFFFF, "overlap or leave gaps"),
        ("packed", 1, "overlap or leave gaps"),
        ("n_extra", 20, "packed in a way|damaged"),
        ("attributes", (stat.S_IFLNK | 0o777) << 16, "not a plain file"),
        ("attributes", (stat.S_IFDIR | 0o777) << 16, "not a plain file"),
        ("attributes", (stat.S_IFIFO | 0o777) << 16, "not a plain file"),
        ("attributes", (stat.S_IFCHR | 0o777) << 16, "not a plain file"),
        ("attributes", 0x10, "not a plain file"),
        ("offset", 0, "overlap or leave gaps"),
        ("offset", 0xFFFFFFFF, "overlap or leave gaps"),
    ],
)
def test_an_entry_that_is_no_plain_file_is_refused(field, value, reason, refused):
    refused(patched(MANIFOLD, field, value), reason)


@pytest.mark.parametrize("field", ["flags", "method", "crc", "packed", "size", "n_extra"])
def test_an_entry_whose_two_headers_differ_is_refused(field, refused):
    refused(patched(MANIFOLD, field, 4, central=False), "two headers .* differ")


def test_a_name_that_differs_between_the_headers_is_refused(refused):
    refused(patched(NOTE, "name", b"/" * len(NOTE), central=False), "two headers .* differ")


def test_a_name_that_occurs_twice_is_refused(refused):
    out = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.write(out, [*FILES.items(), (NOTE, b"another")], packed=True)
    refused(out.getvalue(), "a file twice")


def test_a_zip_bomb_is_refused_before_it_goes_off(refused):
    out = io.BytesIO(GOLDEN)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(f"{ID}/log.txt")
        file.writestr(info, b" " * 2**27, zipfile.ZIP_DEFLATED)
    bomb = out.getvalue()
    assert len(bomb) < 2**19
    refused(bomb, "over 100 times its size")


@pytest.mark.parametrize("size", [0, 99, 2**19])
def test_a_bomb_that_announces_little_stops_there(size, refused):
    files = FILES | {NOTE: np.random.default_rng(0).integers(0, 4, 2**21, dtype=np.uint8).tobytes()}
    n_bytes = len(files[NOTE])
    listed = {name: manifest.listed(content).model_dump() for name, content in files.items()}
    bundle = bundled(files, files=listed | {NOTE: listed[NOTE] | {"bytes": size}})
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        packed = file.getinfo(NOTE).compress_size
    bundle = bundle.replace(struct.pack("<LL", packed, n_bytes), struct.pack("<LL", packed, size))
    refused(bundle, "does not unpack to the size")


def test_a_bomb_within_an_npz_is_refused(refused):
    inner = io.BytesIO()
    np.savez_compressed(inner, images=np.zeros((4, 7, 7, 1, 512, 512), np.uint8))
    refused(bundled(FILES | {MANIFOLD: inner.getvalue()}), "packed in a way")
    nested = bundled({NOTE: b" " * 2**20})
    refused(bundled(FILES | {MANIFOLD: nested}), "packed in a way")


def test_entries_that_share_their_bytes_are_refused(refused):
    """Overlapping entries (Fifield 2019): many names for one compressed kernel."""
    content = bytearray(GOLDEN)
    start = struct.unpack_from("<L", content, len(content) - 6)[0]
    listing = bytes(content[start:-22])
    first = 46 + struct.unpack_from("<H", listing, 28)[0]
    count = struct.unpack_from("<H", content, len(content) - 14)[0]
    again = listing[:first].replace(CONFIG.encode(), f"{ID}/config.jsom".encode())
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count + 1, count + 1, len(listing) + len(again), start, 0)
    refused(bytes(content[:start]) + listing + again + end, "overlap")


def end_with(**changes):
    """The golden bundle with another end-of-directory record."""
    names = ("signature", "disk", "first_disk", "here", "count", "size", "start", "comment")
    values = dict(zip(names, struct.unpack("<4s4H2LH", GOLDEN[-22:]), strict=True)) | changes
    return GOLDEN[:-22] + struct.pack("<4s4H2LH", *values.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"disk": 1},
        {"first_disk": 1},
        {"here": 1},
        {"count": 1, "here": 1},
        {"count": 11, "here": 11},
        {"count": 0xFFFF, "here": 0xFFFF},
        {"size": 0xFFFFFFFF},
        {"start": 0xFFFFFFFF},
        {"start": 0},
        {"comment": 5},
        {"signature": b"PK\x06\x06"},
    ],
)
def test_an_end_that_does_not_fit_is_refused(changes, refused):
    refused(end_with(**changes), "not a zip file|does not end|more than|fewer files|between its files|damaged")


def test_zip64_records_and_comments_are_refused(refused):
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10, 10, 100, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(GOLDEN) - 22, 1)
    refused(GOLDEN[:-22] + record + locator + GOLDEN[-22:], "does not end")
    out = io.BytesIO(GOLDEN)
    with zipfile.ZipFile(out, "a") as file:
        file.comment = b"hello"
    refused(out.getvalue(), "not a zip file|does not end")


def test_a_zip_of_another_program_with_extra_fields_is_refused(refused):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in FILES.items():
            with file.open(name, "w", force_zip64=True) as member:
                member.write(content)
    refused(out.getvalue(), "packed in a way|differ|overlap")


def test_no_single_changed_byte_gets_through(tmp_path):
    """What is accepted all the same, as a time stamp is, changes nothing of what is imported."""
    rng = np.random.default_rng(0)
    sound = RunStore(tmp_path / "sound")
    import_bundle(GOLDEN, sound)
    for number, at in enumerate(rng.integers(0, len(GOLDEN), 150)):
        content = bytearray(GOLDEN)
        content[at] ^= int(rng.integers(1, 256))
        other = RunStore(tmp_path / f"{number}")
        try:
            import_bundle(bytes(content), other)
        except UserError:
            assert not other.root.exists()
        else:
            assert as_on_disk(other.root) == as_on_disk(sound.root)


def test_a_directory_or_a_pipe_is_no_bundle(tmp_path, store):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none.zip"):
        with pytest.raises(UserError, match="no bundle"):
            import_bundle(path, store)
