"""What counts as a label, and what as none, is the same at every door."""

import math

import numpy as np
import pandas as pd
import pytest

from ssrvae_core.data.labels import LabelError, from_array, from_texts, is_doubtful, is_unlabelled, without_missing

NONE = [
    "",
    " ",
    "-1",
    "-1.0",
    "\u22121",
    "nan",
    "NaN",
    "NAN",
    "NA",
    "n/a",
    "N/A",
    "<NA>",
    "#N/A",
    "None",
    "none",
    "null",
]
NONE += [
    "NULL",
    "?",
    "-",
    "unknown",
    "Unknown",
    "unlabeled",
    "unlabelled",
    "Unlabelled",
    "_unlabeled",
    "__unlabelled__",
]
NONE += ["(unknown)", "[none]", "no label", "no_label", "not-labelled", "Not Labeled", "unclassified", "unannotated"]


@pytest.mark.parametrize("text", NONE)
def test_a_text_that_says_there_is_no_label_is_none(text):
    assert is_unlabelled(text)
    assert from_texts(["rod", text, "cube"]).index.tolist() == [1, -1, 0]
    assert from_array(np.array(["rod", text, "cube"]), 3).index.tolist() == [1, -1, 0]
    assert without_missing(["rod", text, "cube"])[0].tolist() == ["rod", -1, "cube"]


@pytest.mark.parametrize(
    "text", ["rod", "0", "1", "-2", "Na", "background", "other", "nanorod", "nonagon", "unknown rod"]
)
def test_any_other_text_is_a_class(text):
    assert not is_unlabelled(text)


@pytest.mark.parametrize("text", ["unknown", "none", "NA"])
def test_what_could_name_a_class_is_told_with_the_way_out(text):
    assert is_doubtful(text)
    (told,) = from_texts([text, text, "rod"]).remarks
    assert text in told and "2" in told and "unlabelled" in told and "name" in told
    assert without_missing([text, "rod"])[1]
    assert not from_texts(["", "-1", "nan", "rod"]).remarks


def test_names_are_one_class_whatever_their_unicode_form_and_their_case():
    labels = from_texts(["W\u00fcrfel", "Wu\u0308rfel", "rod", "Rod", "rod "])
    assert labels.class_names == ("W\u00fcrfel", "rod") and labels.index.tolist() == [0, 0, 1, 1, 1]
    (told,) = labels.remarks
    assert "'Rod' (1)" in told and "'rod' (2)" in told


def test_numbers_that_a_table_writes_as_floats_are_whole_and_stand_in_their_order():
    labels = from_texts(["10.0", "9.0", "", "nan"])
    assert labels.class_names == ("9", "10") and labels.index.tolist() == [1, 0, -1, -1]


@pytest.mark.parametrize(
    ("values", "index", "names"),
    [
        (np.array([1, 2, 1]), [0, 1, 0], ("1", "2")),
        (np.array([3, 7, -1]), [0, 1, -1], ("3", "7")),
        (np.array([0.0, np.nan, 1.0]), [0, -1, 1], ("0", "1")),
        (np.array([2.0, -1.0, 1.0], np.float16), [1, -1, 0], ("1", "2")),
        (np.array([[1], [2], [1]]), [0, 1, 0], ("1", "2")),
        (np.array([[1, 2, 1]]), [0, 1, 0], ("1", "2")),
        (np.array([[0, 1], [1, 0], [0, 0]]), [1, 0, -1], ("0", "1")),
        (np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]), [1, 0, -1], ("0", "1")),
        (np.array([[False, True], [True, False], [True, False]]), [1, 0, 0], ("0", "1")),
        (np.array([True, False, True]), [1, 0, 1], ("False", "True")),
        (np.array([5, 255, 7], np.uint8), [0, -1, 1], ("5", "7")),
        (np.array([5, 255, 200], np.uint8), [0, 2, 1], ("5", "200", "255")),
        (np.array([0, 1, 2**32 - 1], np.uint32), [0, 1, -1], ("0", "1")),
        (np.array([0, 2**64 - 1, 1], np.uint64), [0, -1, 1], ("0", "1")),
        (np.array([b"rod", b"cube", b"-1"]), [1, 0, -1], ("cube", "rod")),
        (np.array([1, 2, 1]).astype(">i4"), [0, 1, 0], ("1", "2")),
    ],
)
def test_labels_of_any_kind_are_understood(values, index, names):
    labels = from_array(values, 3)
    assert labels.index.tolist() == index and labels.class_names == names and labels.index.dtype == np.int64


def test_numbers_count_the_class_names_from_zero_or_from_one():
    assert from_array(np.array([0, 1, -1]), 3, ["a", "b"]).index.tolist() == [0, 1, -1]
    from_one = from_array(np.array([1, 2, -1]), 3, ["a", "b"])
    assert from_one.index.tolist() == [0, 1, -1] and "1 is 'a'" in from_one.remarks[0]
    assert from_array(np.array(["b", "a", ""]), 3, ["b", "a"]).index.tolist() == [0, 1, -1]


def test_one_column_of_zeros_and_ones_is_told():
    assert from_array(np.array([[0.0], [1.0], [1.0]]), 3).remarks
    assert not from_array(np.array([[0], [1], [2]]), 3).remarks


@pytest.mark.parametrize(
    ("values", "names", "says"),
    [
        (np.array([0, 1, 2]), ["a", "b"], "label 2 at image 2"),
        (np.array([0, -2, 1]), None, "label -2 at image 1"),
        (np.array([0.5, 1, 2]), None, "float64"),
        (np.array([np.inf, 1, 2]), None, "float64"),
        (np.array([0, 1]), None, "(2,)"),
        (np.zeros((3, 2, 2)), None, "(3, 2, 2)"),
        (np.array([[0.2, 0.8], [0, 1], [1, 0]]), None, "row 0"),
        (np.array([1j, 0, 1]), None, "complex128"),
        (np.array(["a", "b", "c"]), ["a", "b"], "'c'"),
        (np.array([b"\xff", b"a", b"b"]), None, "UTF-8"),
        (np.array([0, 2**63, 1], np.uint64), None, "too large"),
    ],
)
def test_labels_that_cannot_be_understood_say_why(values, names, says):
    with pytest.raises(LabelError) as error:
        from_array(values, 3, names)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "missing", [-1, -1.0, "-1", "", None, math.nan, np.nan, pd.NA, np.int8(-1), "nan", "null", pd.NaT, "unlabelled"]
)
@pytest.mark.parametrize(
    "kind", [list, tuple, lambda y: np.array(y, dtype=object), lambda y: pd.Series(y, dtype=object)]
)
def test_what_python_gives_for_no_label_is_none(missing, kind):
    y, _ = without_missing(kind(["rod", missing, "cube"]))
    assert y.tolist() == ["rod", -1, "cube"]


def test_labels_from_python_keep_their_type_where_nothing_is_missing():
    for y in (np.array([0, 1, -1]), np.array(["a", "b"]), [0, 1], [[0, 1], [1, 0]], np.array([0.5, 1.0])):
        assert without_missing(y)[0] is y
    assert without_missing([0, None, 1])[0].dtype == np.int64
    assert without_missing(np.array([0, np.nan, 1]))[0].tolist() == [0, -1, 1]
    assert without_missing(np.ma.array([0, 1, 2], mask=[0, 1, 0]))[0].tolist() == [0, -1, 2]
    assert without_missing(pd.Series([0, None, 1], dtype="Int64"))[0].tolist() == [0, -1, 1]
    assert without_missing(pd.Series(["a", None, "b"], dtype="category"))[0].tolist() == ["a", -1, "b"]
