"""Tables of labels for an embedding: images by sample id or file name, and every mistake in a sentence."""

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data.labels import Labels
from ssrvae_core.runs.embeddings.files import Samples
from ssrvae_core.runs.embeddings.labels import present, read_labels

NAMES = ("a/p001.png", "a/p002.png", "b/p002.png", "stack.tif#0", "stack.tif#1", "7.png")


def samples(names=NAMES):
    return Samples(np.array([10, 11, 12, 13, 14, 15]), Labels(np.full(6, -1), ()), names)


@pytest.fixture
def table(tmp_path):
    def write(text):
        (tmp_path / "labels.csv").write_text(text)
        return tmp_path / "labels.csv"

    return write


@pytest.mark.parametrize(
    "text",
    [
        "id,label\n10,rod\n13,cube\n",
        "sample,class\n10,rod\n13,cube\n",
        "file,label\na/p001.png,rod\nstack.tif#0,cube\n",
        "file;species\np001;rod\nstack.tif#0;cube\n",
        "file,label\n10,rod\n13,cube\n",
        "id,name,label\n10,a/p001.png,rod\n11,a/p002.png,\n13,stack.tif#0,cube\n",
    ],
)
def test_images_are_named_by_sample_id_or_file(table, text):
    found = read_labels(table(text), samples())
    assert found.class_names == ("cube", "rod")
    assert found.index.tolist() == [1, -1, -1, 0, -1, -1]


def test_the_tables_that_classify_and_propose_write_are_read(table):
    header = "id,name,group,label,class,confidence,outlier_score,p_rod\n"
    text = header + "10,a/p001.png,A,rod,cube,0.9,1.0,0.1\n11,,A,,rod,1,1,1\n"
    assert read_labels(table(text), samples()).index.tolist() == [0, -1, -1, -1, -1, -1]


@pytest.mark.parametrize("missing", ["", "-1", "nan", "NA", "unlabelled", "?"])
def test_what_means_no_label_is_none(table, missing):
    found = read_labels(table(f"id,label\n10,rod\n11,{missing}\n"), samples())
    assert found.index.tolist() == [0, -1, -1, -1, -1, -1]


def test_the_same_label_twice_is_one_and_spellings_are_told(table):
    found = read_labels(table("id,label\n10,rod\n10,rod\n11,Rod\n"), samples())
    assert found.class_names == ("rod",) and found.index.tolist()[:2] == [0, 0]
    assert any("Rod" in remark for remark in found.remarks)


def test_numbers_that_are_ids_and_file_names_are_taken_by_the_name_of_their_column(table):
    of = Samples(np.array([7, 8]), Labels(np.full(2, -1), ()), ("8.png", "7.png"))
    by_id = read_labels(table("id,label\n7,rod\n"), of)
    assert by_id.index.tolist() == [0, -1] and any("sample ids" in remark for remark in by_id.remarks)
    assert read_labels(table("file,label\n7,rod\n"), of).index.tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,label\n99,rod\n", "Line 2 of .* '99', which is not an image"),
        ("file,label\nz.png,rod\n", "'z.png', which is not an image"),
        ("file,label\np002,rod\n", "fits a/p002.png and b/p002.png"),
        ("id,label\n10,rod\n11,cube\n10,cube\n", "Lines 2 and 4 .* two classes, 'rod' and 'cube'"),
        ("id,label\n10,\n11,-1\n", "No row of .* has a label"),
        ("id,group\n10,A\n", "column of labels"),
        ("nothing at all", "file,label"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_table(table, text, sentence):
    path = table(text)
    with pytest.raises(UserError, match=sentence) as caught:
        read_labels(path, samples())
    assert "labels.csv" in str(caught.value)
    assert ". " not in str(caught.value).replace(str(path), "")


def test_a_table_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="no table of labels"):
        read_labels(tmp_path / "nothing.csv", samples())
    with pytest.raises(UserError, match="no table of labels"):
        read_labels(tmp_path, samples())


def test_images_without_names_go_by_their_ids(table):
    assert read_labels(table("id,label\n12,rod\n"), samples(None)).index.tolist() == [-1, -1, 0, -1, -1, -1]
    with pytest.raises(UserError, match="such as 10"):
        read_labels(table("id,label\nx,rod\n"), samples(None))


def test_a_head_gets_only_the_classes_that_an_image_has():
    found = present(Labels(np.array([2, -1, 0, 2]), ("a", "b", "c")))
    assert (found.class_names, found.index.tolist()) == (("a", "c"), [1, -1, 0, 1])
    assert present(Labels(np.full(3, -1), ("a",))).class_names == ()
    assert present(Labels(np.array([1, 1]), ("a", "b"))).index.tolist() == [0, 0]
