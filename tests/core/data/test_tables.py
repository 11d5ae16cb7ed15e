"""Tables of labels as Excel, pandas, Kaggle and instruments write them."""

import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.data.readers import open_images

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    for name in ("a1.png", "a2.png", "b1.png", "b2.png", "c.png"):
        Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def labels(folder, table, encoding="utf-8", name="labels.csv"):
    (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode(encoding))
    found = open_images(folder).annotations
    return dict(zip(found.names, [found.class_names[i] if i >= 0 else None for i in found.labels], strict=True))


RIGHT = {"a1.png": "rod", "a2.png": "rod", "b1.png": "cube", "b2.png": "cube", "c.png": None}
PLAIN = "file,label\na1.png,rod\na2.png,rod\nb1.png,cube\nb2.png,cube\n"


def with_header(header):
    return PLAIN.replace("file,label", header)


@pytest.mark.parametrize(
    "table",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN + ",\n,\n\n  ,  \n",
        "\n\n" + PLAIN,
        "# particles of sample 7\n" + PLAIN,
        "Sample 7, taken in May\n\nOperator: A. B.\n" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        PLAIN.replace("a1.png,rod", '"a1.png","rod"'),
        PLAIN + "c.png\n",
        PLAIN + "c.png,-1\n",
        PLAIN + "c.png,NaN\n",
        PLAIN.partition("\n")[2],
        PLAIN.replace(".png", ""),
        PLAIN.replace("a1.png", "./a1.png").replace("b1.png", "D:\\set\\b1.png").replace("b2", "/srv/x/b2"),
        PLAIN.replace("a1.png", "A1.PNG"),
        with_header("id,label"),
        with_header("filename,class"),
        with_header("Image Name,Species"),
        with_header("image_id,category"),
        with_header("path,Class Name"),
        with_header("FILE,LABEL"),
        with_header("image,morphology"),
        "index," + PLAIN.replace("\n", "\n7,").removesuffix("7,"),
        "id,file,label\n" + "".join(f"{i},{line}\n" for i, line in enumerate(PLAIN.splitlines()[1:])),
    ],
)
def test_a_table_is_read_however_it_was_written(folder, table):
    assert labels(folder, table) == RIGHT


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_a_table_is_read_in_the_encodings_of_excel(folder, encoding):
    found = labels(folder, PLAIN.replace("cube", "W\u00fcrfel"), encoding)
    assert found["b1.png"] == "W\u00fcrfel"
    remarks = open_images(folder).contents.remarks
    assert any("UTF-8" in remark for remark in remarks) == (encoding in ("cp1252", "latin-1"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_fit_in_either_unicode_form(folder, form):
    (folder / "c.png").rename(folder / unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Pr\u00f6be.png"))
    found = labels(folder, PLAIN + unicodedata.normalize(form, "Pr\u00f6be.png,rod\n"))
    assert found["Pr\u00f6be.png"] == "rod"


def test_excels_numbers_fit_names_with_leading_zeros(tmp_path):
    for i in range(4):
        Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / f"{i:03d}.png")
    assert list(labels(tmp_path, "id,label\n0,a\n1,b\n2,a\n3,b\n").values()) == ["a", "b", "a", "b"]


def test_groups_and_split_are_used(folder):
    (folder / "labels.csv").write_text(
        "file,label,micrograph,split\na1.png,rod,m2,train\na2.png,rod,m1,Test\nb1.png,cube,m2,\nb2.png,cube,,val\n"
    )
    found = open_images(folder).annotations
    assert [found.group_names[g] for g in found.groups] == ["m2", "m1", "m2", "no group", "no group"]
    assert found.validation.tolist() == [False, True, False, True, False]


def test_a_table_without_labels_leaves_the_class_folders(tmp_path):
    for name in ("rod/1.png", "cube/1.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "labels.csv").write_text("file,group\nrod/1.png,7\ncube/1.png,8\n")
    found = open_images(tmp_path).annotations
    assert found.class_names == ("cube", "rod") and found.group_names == ("7", "8")


def test_pages_of_a_stack_are_labelled_by_their_number(tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.tif", RNG.integers(0, 256, (3, 12, 10), dtype=np.uint8), photometric="minisblack"
    )
    found = labels(tmp_path, "file,label\nstack.tif#0,rod\nstack.tif#2,cube\n")
    assert found == {"stack.tif#0": "rod", "stack.tif#1": None, "stack.tif#2": "cube"}
    assert set(labels(tmp_path, "file,label\nstack.tif,rod\nstack#2,cube\n").values()) == {"rod", "cube"}
    with pytest.raises(UserError, match=r"page 3 of stack.tif, which has 3 pages"):
        labels(tmp_path, "file,label\nstack.tif#3,rod\n")


def test_a_table_above_the_folder_of_pictures_is_its_table(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / "set" / "images" / "a.png")
    for row in ("a.png", "images/a.png", "set/images/a.png"):
        (tmp_path / "set" / "labels.csv").write_text(f"file,label\n{row},rod\n")
        assert open_images(tmp_path).annotations.class_names == ("rod",)


@pytest.mark.parametrize("name", ["labels.tsv", "Labels.CSV", "labels.txt"])
def test_a_table_has_one_of_a_few_names(folder, name):
    assert labels(folder, PLAIN.replace(",", "\t"), name=name) == RIGHT


def test_how_a_table_was_taken_is_told(folder):
    labels(folder, "A title\nid,species\na1.png,rod\nb1,cube\n")
    told = " ".join(open_images(folder).contents.remarks)
    assert "A title" in told and "'id'" in told and "'species'" in told


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file,label\na1.png,rod\na1.png,cube\n", ["Line 3", "a1.png", "second time"]),
        ("file,label\na,rod\n", ["a", "1 of 1"]),
        ("file,class,type\na1.png,rod,x\n", None),
        ("file,class,species\na1.png,rod,x\n", ["'class'", "'species'", "label"]),
        ("file,label\na1.png,rod,long\n", ["Line 2", "3 cells"]),
        ("file,label,split\na1.png,rod,mine\n", ["'split'", "'mine'"]),
        ("colour\nred\n", ["file,label", "colour"]),
        (b"\x00\x01\x02\x03" * 50, ["file,label"]),
        (b"", ["file,label"]),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_one_sentence(folder, table, words):
    if words is None:
        assert labels(folder, table)["a1.png"] == "rod"  # 'class' is the surer of the two
        return
    with pytest.raises(UserError) as error:
        labels(folder, table)
    sentence = str(error.value)
    assert all(word in sentence for word in words)
    assert sentence.endswith(".") and ". " not in sentence and "\n" not in sentence


def test_a_name_without_ending_that_fits_two_pictures_names_both(folder):
    Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(folder / "a1.bmp")
    with pytest.raises(UserError, match=r"'a1', which fits a1.bmp and a1.png"):
        labels(folder, "file,label\na1,rod\n")
    assert labels(folder, "file,label\na1.png,rod\nb1,cube\n")["a1.png"] == "rod"
    with pytest.raises(UserError, match=r"1 of 1 rows"):
        labels(folder, "file,label\nb1.bmp,rod\n")  # another ending is another picture


def test_a_dot_in_a_name_is_part_of_it(tmp_path):
    for name in ("sample.png", "sample.2nm.png", "p_v1.0.png"):
        Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / name)
    found = labels(tmp_path, "id,label\nsample.2nm,rod\np_v1.0,cube\n")
    assert found == {"sample.png": None, "sample.2nm.png": "rod", "p_v1.0.png": "cube"}


def test_a_row_of_another_folder_is_not_a_picture_of_the_same_name(tmp_path):
    (tmp_path / "m1").mkdir()
    Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / "m1" / "p0.png")
    with pytest.raises(UserError, match="1 of 1 rows"):
        labels(tmp_path, "file,label\nm2/p0.png,rod\n")
    assert labels(tmp_path, "file,label\nD:\\set\\m1\\p0.png,rod\n") == {"m1/p0.png": "rod"}


def test_one_column_for_each_class_is_one_hot(folder):
    found = labels(folder, "filename,cube,rod\na1.png,0,1\na2.png,0,1\nb1.png,1,0\nb2.png,1.0,\nc.png,0,0\n")
    assert found == RIGHT


def test_columns_that_say_nothing_of_labels_are_never_taken_for_them(folder):
    for table in ("filename,width,height\na1.png,5,6\n", "Datei,Ort,Klasse\na1.png,x,rod\n", "a1.png,2024,rod\n"):
        with pytest.raises(UserError, match="name these two columns"):
            labels(folder, table)


def test_columns_that_are_not_used_are_told(folder):
    labels(folder, "file,label,set,is_valid\na1.png,rod,A,1\nb1.png,cube,B,0\n")
    assert any("set, is_valid" in remark for remark in open_images(folder).contents.remarks)


def test_a_class_of_five_thousand_digits_is_refused_in_a_sentence(folder):
    with pytest.raises(UserError, match="1 to 100 characters"):
        labels(folder, f"file,label\na1.png,{'7' * 5000}\nb1.png,8\n")


def test_a_table_in_a_folder_of_its_own_is_told_where_it_belongs(tmp_path):
    for place in ("imgs", "labels"):
        (tmp_path / place).mkdir()
    Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / "imgs" / "a.png")
    Image.fromarray(RNG.integers(0, 256, (12, 10), dtype=np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "labels.csv").write_text("file,label\nb.png,rod\n")
    with pytest.raises(UserError, match=r"labels\.csv is a table of labels.*beside the folders"):
        open_images(tmp_path)
