"""The Data page: what it promises of data sets, uploads, disorder, splits and addresses."""

from __future__ import annotations

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import DATASETS, DatasetConfig, Disorder, RunConfig, SplitConfig, UserError
from ssrvae_core.data import READERS, ImageSet, load, read_images, readers, split
from ssrvae_core.runs import Run, RunStore, Status
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.uploads import uploads
from tests.ui.conftest import APP
from tests.ui.test_pages import HOSTILE, said
from ui import browsing, datasets, deleting
from ui.sliders import resolve_numbers
from ui.uploads import keep

TEACHING = DATASETS["cards-teaching"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("SSRVAE_STORE", str(tmp_path))
    return RunStore(tmp_path)


@pytest.fixture
def open_data(store):
    def go(**address):
        app = AppTest.from_file(str(APP), default_timeout=60).switch_page("pages/data.py")
        for name, value in address.items():
            app.query_params[name.replace("_", "-")] = value
        return app.run()

    return go


def npz(**fields):
    buffer = io.BytesIO()
    np.savez(buffer, **fields)
    return buffer.getvalue()


def some_images(n=24, **fields):
    rng = np.random.default_rng(1)
    base = {"images": rng.random((n, 10, 10), dtype=np.float32), "labels": np.arange(n) % 3 - (np.arange(n) > 20)}
    return npz(**(base | fields))


def png(seed):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_of_pictures(*more):
    return zipped(*((f"set/{'rod' if i % 2 else 'cube'}/{i}.png", png(i)) for i in range(16)), *more)


# Without a page.


@pytest.mark.parametrize("name", DATASETS)
def test_counting_without_pixels_gives_what_loading_would(name):
    config = DATASETS[name].model_copy(update={"train_per_class": 6, "validation_per_class": 3})
    rule = SplitConfig(labels_per_class=2, seed=3)
    quick, whole = datasets.parts_of(config, rule), split(load(config), rule)
    for part in ("labelled", "unlabelled", "validation"):
        mine, true = getattr(quick, part), getattr(whole, part)
        assert mine.ids.tolist() == true.ids.tolist() and mine.labels.tolist() == true.labels.tolist()
        for factor, values in mine.factors.items():
            np.testing.assert_array_equal(values, true.factors[factor])


def test_the_numbers_add_up_and_name_what_has_no_label():
    images = np.zeros((7, 1, 8, 8), np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    parts = split(ImageSet(images, labels, np.arange(7), ("a", "b")), SplitConfig(labels_per_class=1))
    table = datasets.counts(parts)
    assert table["Class"].tolist() == ["a", "b", "no label"]
    assert table.iloc[:, 1:].to_numpy().sum() == 7
    assert table.iloc[-1].tolist() == ["no label", 0, 1, 0]
    assert datasets.parts_text(table) == "2 labelled, 3 unlabelled, 2 validation"


def test_what_is_downloaded_reads_back_as_the_same_split(tmp_path):
    config = DATASETS["particles"].model_copy(update={"train_per_class": 4, "validation_per_class": 2, "size": 16})
    rule = SplitConfig(labels_per_class=1)
    (tmp_path / "data.npz").write_bytes(datasets.as_npz(config, rule))
    before, after = split(load(config), rule), split(read_images(tmp_path / "data.npz"), SplitConfig())
    for part in ("labelled", "unlabelled", "validation"):
        mine, theirs = getattr(before, part), getattr(after, part)
        order = np.argsort(mine.ids)
        for name in ("images", "labels", "ids", "masks"):
            np.testing.assert_array_equal(getattr(mine, name)[order], getattr(theirs, name))
        assert mine.class_names == theirs.class_names and mine.factors.keys() == theirs.factors.keys()
    assert (after.hidden_labels == -1).all()


def test_examples_differ_in_their_disorder_alone():
    strong = TEACHING.model_copy(update={"labelled": Disorder(), "unlabelled": Disorder(rotation=180)})
    parts = datasets.parts_of(strong, SplitConfig(labels_per_class=4))
    labelled, unlabelled = datasets.examples(strong, parts)
    assert labelled.ids.tolist() == unlabelled.ids.tolist()
    assert not labelled.factors["angle"].any() and np.abs(unlabelled.factors["angle"]).max() > 1
    assert (unlabelled.labels == -1).all() and set(labelled.labels.tolist()) == {0, 1, 2, 3}


def test_factors_that_vary_are_shown_in_degrees_and_pixels():
    parts = datasets.parts_of(TEACHING, SplitConfig(labels_per_class=4))
    factors = datasets.factors(TEACHING, parts)
    assert set(factors) == {"Angle (degrees)", "Shear x (degrees)", "Shear y (degrees)"}
    assert 100 < factors["Angle (degrees)"]["Unlabelled"].max() <= 120
    assert factors["Angle (degrees)"]["Labelled"].max() <= 12


def test_a_draft_is_a_run_with_this_data_and_split():
    rule = SplitConfig(labelled_ratio=0.1, seed=4)
    config = datasets.draft(TEACHING, rule)
    assert (config.dataset, config.split, config.seed) == (TEACHING, rule, 4)


def test_a_gallery_escapes_class_names():
    images = ImageSet(np.zeros((1, 1, 8, 8), np.float32), np.array([0]), np.array([5]), ("<script>",))
    assert "<script>" not in datasets.gallery(images)


@pytest.mark.parametrize("asked", ["x", "nan", "inf", "-1", "181", "1,2", "", "1e999"])
def test_a_number_that_is_none_or_too_large_falls_back(asked):
    assert resolve_numbers(asked, 0, 180, (12,)) == ((12,), True)


def test_numbers_come_from_the_address_in_order():
    assert resolve_numbers("0.8,1.2", 0.5, 1.5, (1, 1)) == ((0.8, 1.2), False)
    assert resolve_numbers("1.2,0.8", 0.5, 1.5, (1, 1)) == ((1, 1), True)
    assert resolve_numbers(None, 0, 1, (0.5,)) == ((0.5,), False)


# The page.


@pytest.mark.parametrize("name", ["cards-a", "particles", "digits"])
def test_a_named_data_set_shows_its_images_classes_and_factors(name, open_data):
    app = open_data(data=name)
    assert not app.exception and not app.error
    assert app.selectbox(key="data-data").value == name
    assert f"{name}: " in said(app) and "(changed)" not in said(app)
    assert {"Classes", "Factors of variation"} <= {header.value for header in app.subheader}


def test_the_address_restores_data_disorder_and_split(open_data):
    app = open_data(data="cards-b2", u_rotation="90", l_scale="0.8,1.2", rule="ratio", ratio="0.1", seed="7")
    assert app.slider(key="data-cards-b2-u-rotation").value == 90
    assert app.slider(key="data-cards-b2-l-scale").value == (0.8, 1.2)
    assert "1,280 labelled" in said(app) and "seed 7" in said(app) and "(changed)" in said(app)
    assert not app.warning


def test_a_slider_changes_the_address_and_the_default_leaves_it(open_data):
    app = open_data(data="cards-teaching")
    app.slider(key="data-cards-teaching-u-rotation").set_value(60).run()
    assert app.query_params["u-rotation"] in ("60", ["60"])
    app.slider(key="data-cards-teaching-u-rotation").set_value(120).run()
    assert "u-rotation" not in app.query_params


def test_another_data_set_begins_with_its_own_disorder(open_data):
    app = open_data(data="cards-teaching", u_rotation="60")
    app.selectbox(key="data-data").set_value("cards-a").run()
    assert app.slider(key="data-cards-a-u-rotation").value == 60 == DATASETS["cards-a"].unlabelled.rotation
    app.selectbox(key="data-data").set_value("cards-b2").run()
    assert app.slider(key="data-cards-b2-u-rotation").value == 120
    assert not app.warning and not app.exception


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_address_falls_back_with_a_sentence(value, open_data):
    app = open_data(data=value, u_rotation=value, l_scale=value, labels=value, seed=value, rule=value)
    assert not app.exception and not app.error
    refused = 4 if value.strip("0") == "" and value else 6  # many zeros are a zero
    assert len([w for w in app.warning if "not available" in w.value]) == refused
    assert "<script" not in said(app) and "](" not in said(app)


def test_more_labels_than_there_are_is_one_sentence(open_data):
    app = open_data(data="cards-teaching")
    app.number_input(key="data-cards-teaching-labels").set_value(500).run()
    assert not app.exception
    assert "500 labels per class are asked for" in app.error[0].value
    app.number_input(key="data-cards-teaching-labels").set_value(50).run()
    assert not app.error and "200 labelled" in said(app)


def test_after_a_refused_file_nothing_else_is_shown_as_if_it_were_the_result(open_data, store):
    app = open_data()
    app.file_uploader[0].upload("evil.png", b"<svg>", "image/png").run()
    assert not app.exception and "is not a .png file" in app.error[0].value
    assert "Nothing was added" in said(app) and not app.get("html")[1:]  # but for the styles of every page
    assert "Train on this" not in [button.label for button in app.button]
    app.button[-1].click().run()  # which shows the set that was chosen before
    assert not app.error and "160 labelled" in said(app)


def test_many_pictures_at_once_are_one_data_set_with_its_table(open_data, store):
    table = b"file,label\n" + b"".join(b"p%d.png,%s\n" % (i, b"ab"[i % 2 : i % 2 + 1]) for i in range(10))
    files = [(f"p{i}.png", png(i), "image/png") for i in range(12)] + [("labels.csv", table, "text/csv")]
    app = open_data()
    app.file_uploader[0].set_value(files).run()
    assert not app.exception and not app.error
    (kept,) = uploads(store.root)
    assert kept.name == "12 pictures.zip" and app.selectbox(key="data-data").value == kept.id
    assert "8 labelled, 2 unlabelled, 2 validation" in said(app)


def test_several_files_of_a_data_set_each_are_all_taken_and_each_refused_one_is_named(open_data, store):
    other = some_images(images=np.random.default_rng(5).random((24, 10, 10), dtype=np.float32))
    files = [("one.npz", some_images(), ""), ("torn.npz", b"PK\x03\x04 junk", ""), ("two.npz", other, "")]
    app = open_data()
    app.file_uploader[0].set_value(files).run()
    assert not app.exception and {kept.name for kept in uploads(store.root)} == {"one.npz", "two.npz"}
    (error,) = app.error
    assert "torn.npz" in error.value and "Labelled images" in said(app)
    assert any("one.npz" in told.value and "two.npz" in told.value for told in app.info)


def test_pictures_that_do_not_go_together_are_named_as_they_were_handed_in(open_data, store):
    taller = io.BytesIO()
    Image.new("L", (12, 14)).save(taller, format="PNG")
    app = open_data()
    app.file_uploader[0].set_value([("a.png", png(0), ""), ("b.png", taller.getvalue(), "")]).run()
    (error,) = app.error
    assert "a.png" in error.value and "b.png" in error.value and ".zip" not in error.value


def test_a_table_without_its_pictures_says_what_to_choose_with_it(open_data, store):
    app = open_data()
    app.file_uploader[0].set_value([("one.npz", some_images(), ""), ("labels.csv", b"file,label\na.png,a", "")]).run()
    (error,) = app.error
    assert "labels.csv" in error.value and "picture" in error.value
    assert [kept.name for kept in uploads(store.root)] == ["one.npz"]


def test_a_single_picture_is_shown_with_what_to_do_about_it(open_data, store):
    app = open_data(data=keep("lone.png", png(0), store).id)
    assert not app.exception and not app.error
    assert "one picture of 12 x 12 pixels" in said(app)
    assert "Delete lone.png" in [button.label for button in app.button]
    assert not app.number_input, "there is nothing to split"


def test_an_upload_is_deleted_unless_something_is_trained_on_it(store, monkeypatch):
    kept = keep("mine.npz", some_images(), store)
    monkeypatch.setattr("ssrvae_core.runs.jobs.ensure_dispatcher", lambda store: None)
    job = JobQueue(store).submit(config=datasets.draft(datasets.read(kept).config, SplitConfig()))
    with pytest.raises(UserError, match=f"mine.npz is used by job {job.id}, which is queued"):
        deleting.delete(kept)
    JobQueue(store).cancel(job.id)
    deleting.delete(kept)
    assert not uploads(store.root) and not list((store.root / "uploads").glob("*.npz"))


def test_the_runs_on_an_upload_are_found_by_its_content(store):
    kept, other = keep("mine.npz", some_images(), store), keep("other.npz", some_images(n=30), store)
    config = datasets.draft(datasets.read(kept).config, SplitConfig())
    moved = config.model_copy(update={"dataset": config.dataset.model_copy(update={"path": "/elsewhere/a.npz"})})
    run = Run(moved.run_id, store.path(moved.run_id), moved, Status())
    assert deleting.runs_on(kept, [run]) == [run] and deleting.runs_on(other, [run]) == []


def test_a_viewer_deletes_nothing(open_data, store, monkeypatch):
    kept = keep("mine.npz", some_images(), store)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_data(data=kept.id)
    assert not app.exception and not any(button.label.startswith("Delete") for button in app.button)
    with pytest.raises(UserError, match="read-only"):
        deleting.delete(kept)


def test_every_image_is_found_by_part_and_class_and_only_a_label_that_is_there_is_hidden():
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    images = ImageSet(np.zeros((7, 1, 8, 8), np.float32), labels, np.arange(7)[::-1].copy(), ("a", "b"))
    parts = split(images, SplitConfig(labels_per_class=1))
    everything = browsing.rows_of(parts, "all", "all")
    assert [int(getattr(parts, part).ids[row]) for part, row in everything] == list(range(7))
    assert {part for part, _ in browsing.rows_of(parts, "unlabelled", "all")} == {"unlabelled"}
    captions = [browsing.caption(parts, *row)[0] for row in browsing.rows_of(parts, "unlabelled", "all")]
    assert sorted(captions) == ["a, label hidden", "b, label hidden", "no label"]
    assert len(browsing.rows_of(parts, "all", "0")) == 3 and len(browsing.rows_of(parts, "all", "-1")) == 1


@pytest.mark.parametrize("part", ["labelled", "unlabelled", "validation"])
def test_generated_images_are_browsed_as_they_are_trained_on(part):
    config = TEACHING.model_copy(update={"train_per_class": 6, "validation_per_class": 2})
    rule = SplitConfig(labels_per_class=2)
    parts, true = datasets.parts_of(config, rule), split(load(config), rule)
    rows = [(part, 1), (part, 0)]
    for (_, row), picture in zip(rows, datasets.pictures_of(config, parts, rows), strict=True):
        np.testing.assert_array_equal(picture, getattr(true, part).images[row])


def test_whole_micrographs_are_held_out_where_there_are_any(open_data, store):
    content = some_images(groups=np.arange(24) // 4, labels=np.arange(24) % 3)
    app = open_data(data=keep("mine.npz", content, store).id)
    assert not app.error and app.session_state["data-group"] == "groups"
    assert "Every training image has a label" in said(app)


def test_a_section_with_nothing_in_it_is_not_there(open_data, store):
    app = open_data(data=keep("mine.npz", some_images(), store).id)
    assert "Factors of variation" not in [header.value for header in app.subheader]


def test_an_upload_is_taken_shown_and_split_by_group(open_data, store):
    app = open_data()
    content = some_images(groups=np.arange(24) // 3, masks=np.ones((24, 10, 10), bool))
    app.file_uploader[0].upload("particles.npz", content, "application/octet-stream").run()
    assert not app.exception and not app.error
    assert "particles.npz (uploaded" in said(app)
    assert "10 x 10 pixels, 3 classes" in said(app)
    assert len(list((store.root / "uploads").glob("*.npz"))) == 1


def test_a_file_whose_every_image_has_a_label_is_taken_with_all_of_them(open_data, store):
    kept = keep("mine.npz", some_images(labels=np.arange(24) % 3), store)
    app = open_data(rule="labels")
    app.selectbox(key="data-data").set_value(kept.id).run()
    assert not app.exception and not app.error
    assert app.selectbox(key="data-rule").value == "all"  # and not what the set before it was left at
    assert "0 unlabelled" in said(app)


@pytest.mark.parametrize("suffix", [".npz", ".zip"])
def test_an_upload_is_read_twice_at_most_and_hashed_once_on_its_way_to_the_gallery(
    open_data, store, monkeypatch, suffix
):
    counts = Counter()

    def counted(name, function):
        def call(*arguments, **options):
            counts[name] += 1
            return function(*arguments, **options)

        return call

    for ending in (".npz", ".zip"):
        monkeypatch.setitem(READERS, ending, counted("reads", READERS[ending]))
    monkeypatch.setattr(readers, "read_zip", counted("reads", readers.read_zip))
    monkeypatch.setattr(readers, "_fingerprint", counted("hashes", readers._fingerprint))
    content = some_images() if suffix == ".npz" else zip_of_pictures()
    app = open_data()
    app.file_uploader[0].upload(f"mine{suffix}", content, "application/octet-stream").run()
    assert not app.exception and not app.error
    (kept,) = (store.root / "uploads").glob("*.npz")
    grey = app.slider(key=f"data-{kept.name[:12]}-grey")
    grey.set_value((20.0, 200.0)).run()
    assert not app.exception and not app.error and "Labelled images" in said(app)
    assert counts["reads"] <= 2 and counts["hashes"] <= 1


def test_what_was_read_is_told_and_any_file_has_the_control_for_grey_levels(open_data, store):
    app = open_data(data=keep("mine.zip", zip_of_pictures(("notes.txt", b"hello")), store).id)
    assert not app.exception and not app.error
    for told in ("16 images of 12 x 12 pixels", "grey levels (uint8)", "cube 8", "rod 8", "files ending in .txt (1)"):
        assert told in said(app).replace("\\", "")


def test_missing_pictures_of_a_table_are_a_choice(open_data, store):
    pictures = [(f"p{i}.png", png(i)) for i in range(8)]
    rows = "".join(f"p{i}.png,{'ab'[i % 2]}\n" for i in range(11))
    app = open_data()
    content = zipped(("labels.csv", b"file,label\n" + rows.encode()), *pictures)
    app.file_uploader[0].upload("mine.zip", content, "application/zip").run()
    assert "3 of 11 rows" in app.error[0].value and "p8" in app.error[0].value
    app.button(key="data-skip-missing").click().run()
    assert not app.exception and not app.error, app.error[0].value
    assert "rows of labels.csv (3)" in said(app).replace("\\", "")


def test_the_views_of_a_file_with_masks_can_be_looked_at(open_data, store):
    kept = keep("a.npz", some_images(masks=np.ones((24, 10, 10), bool)), store)
    app = open_data(data=kept.id, view="mask")
    assert not app.exception and not app.error
    assert app.session_state["data-view"] == "mask"


def test_a_file_of_floats_beyond_one_gets_a_range_of_grey_levels(open_data, store):
    kept = keep("raw.npz", some_images(images=np.random.default_rng(0).normal(500, 90, (24, 10, 10))), store)
    app = open_data(data=kept.id)
    assert not app.exception and not app.error
    low, high = app.slider(key=f"data-{kept.id}-grey").value
    assert 100 < low < 400 and 600 < high < 900
    app.slider(key=f"data-{kept.id}-grey").set_value((low, 700.0)).run()
    assert not app.exception and not app.error


def test_a_hostile_upload_is_a_sentence(open_data, store):
    app = open_data()
    app.file_uploader[0].upload("<b>evil</b>.npz", b"PK\x03\x04 junk", "application/zip").run()
    assert not app.exception
    assert "cannot be opened" in app.error[0].value and "<b>" not in app.error[0].value
    assert app.title[0].value == "Data"


def test_a_file_without_labels_says_what_is_missing(open_data, store):
    kept = keep("a.npz", npz(images=np.random.default_rng(0).random((5, 10, 10))), store)
    app = open_data(data=kept.id)
    assert not app.exception and not app.error
    assert "a.npz" in app.info[0].value and "label" in app.info[0].value and str(store.root) not in app.info[0].value
    assert not app.number_input, "there is nothing to split"
    shown = "".join(element.proto.body for element in app.get("html"))
    assert shown.count("<figure>") == 5, "they are shown all the same"
    assert "All 5 images" in [fold.label for fold in app.expander]


def test_images_that_are_not_split_are_labelled_or_not():
    labels = np.array([0, -1, 1, 1, -1])
    images = ImageSet(np.zeros((5, 1, 8, 8), np.float32), labels, np.arange(5), ("a", "b"))
    parts = datasets.undivided(images)
    assert parts.labelled.ids.tolist() == [0, 2, 3] and parts.unlabelled.ids.tolist() == [1, 4]
    assert not len(parts.validation) and browsing.caption(parts, "unlabelled", 0)[0] == "no label"
    assert len(browsing.rows_of(parts, "all", "all")) == 5


def test_a_viewer_sees_no_uploader_and_cannot_train(open_data, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = open_data()
    assert not app.exception and not app.file_uploader
    assert "read-only" in said(app)
    assert "data-train" not in [button.key for button in app.button]


def test_what_is_handed_over_is_what_the_train_page_finds():
    def script():
        import streamlit as st

        from ssrvae_core.config import DATASETS, SplitConfig
        from ui import datasets

        assert datasets.handed_over() is None
        datasets.hand_over(datasets.draft(DATASETS["cards-b1"], SplitConfig(labelled_ratio=0.02)))
        found = datasets.handed_over()
        st.write(found.dataset == DATASETS["cards-b1"], found.split.labelled_ratio)

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert RunConfig.model_validate_json(app.session_state[datasets.TRAIN_DRAFT]).split.labelled_ratio == 0.02


def test_a_draft_for_a_rule_that_cannot_be_is_refused():
    with pytest.raises(UserError, match="labels per class are asked for"):
        datasets.parts_of(TEACHING, SplitConfig(labels_per_class=401))


def test_where_every_label_is_used_the_validation_images_are_shown():
    rng = np.random.default_rng(0)
    images = ImageSet(
        images=rng.random((20, 1, 8, 8), dtype=np.float32),
        labels=np.arange(20) % 2,
        class_names=("left", "right"),
        ids=np.arange(20),
    )
    parts = split(images, SplitConfig())
    assert not len(parts.unlabelled)
    _, others = datasets.examples(DatasetConfig(source="file", path="mine.npz", sha256="0" * 64), parts)
    assert len(others) and set(others.ids) <= set(parts.validation.ids)
