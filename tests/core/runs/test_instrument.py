"""A folder that an instrument writes into: every image is in the table once, whatever happens in between."""

import csv
import os
from functools import partial

import numpy as np
import pytest
import tifffile
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.runs import everything
from ssrvae_core.runs.growing import GrowingTable
from ssrvae_core.runs.instrument import Classified, FolderAway, Skipped, Watch

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def classify(finished):
    return partial(everything.classify_others, finished.model("cpu"), by=everything.usual_of(finished))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "microscope").mkdir()
    return tmp_path / "microscope"


@pytest.fixture
def watching(finished, classify, folder, tmp_path):
    """Open a watch, as the command does when it starts; it is closed by whoever opens it."""

    def open_table():
        return GrowingTable(tmp_path / "table.csv", finished.class_names, finished.config.model.latent_dim)

    class Open:
        def __enter__(self):
            self.table = open_table().__enter__()
            try:
                return Watch(folder, finished.config.dataset, classify, finished.class_names, self.table)
            except BaseException:
                self.table.__exit__()
                raise

        def __exit__(self, *error):
            self.table.__exit__(*error)

    return Open


@pytest.fixture
def rows(tmp_path):
    def read():
        with (tmp_path / "table.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return read


def picture(path, side=16):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side), dtype=np.uint8)).save(path)
    return path


def names(found):
    return [one.name for one in found]


def looks(watch, n=2):
    """Look as often as a file needs that does not change, and return what was found."""
    return [found for _ in range(n) for found in watch.look()]


def test_files_are_classified_as_they_come_also_in_new_folders(watching, folder, rows):
    with watching() as watch:
        assert looks(watch) == []
        picture(folder / "a.png")
        (found,) = looks(watch)
        assert isinstance(found, Classified) and found.n == 1 and 0 < found.confidence <= 1
        picture(folder / "b.png")
        picture(folder / "later" / "c.png")
        assert names(looks(watch)) == ["b.png", "later/c.png"]
        assert looks(watch) == []
    assert [row["name"] for row in rows()] == ["a.png", "b.png", "later/c.png"]
    assert [int(row["id"]) for row in rows()] == [0, 1, 2]
    assert all(row["class"] and np.isfinite(float(row["outlier_score"])) for row in rows())


def test_what_is_said_of_an_image_does_not_depend_on_those_that_came_with_it(watching, folder, rows, tmp_path):
    for name in "abc":
        picture(folder / f"{name}.png")
    with watching() as watch:
        looks(watch)
    together = rows()
    (tmp_path / "table.csv").unlink()
    (folder / "a.png").rename(tmp_path / "a.png")
    (folder / "c.png").rename(tmp_path / "c.png")
    with watching() as watch:
        looks(watch)
    assert [row | {"id": "1"} for row in rows()] == [together[1]]


def test_a_restart_reads_no_file_again_and_goes_on_with_the_ids(watching, folder, rows, monkeypatch):
    picture(folder / "a.png")
    tifffile.imwrite(folder / "stack.tif", RNG.integers(0, 256, (3, 16, 16), dtype=np.uint8), photometric="minisblack")
    with watching() as watch:
        assert [one.n for one in looks(watch)] == [1, 3]
    before = rows()
    assert [row["name"] for row in before] == ["a.png", "stack.tif#0", "stack.tif#1", "stack.tif#2"]
    with watching() as watch:
        with monkeypatch.context() as patch:
            patch.setattr("ssrvae_core.runs.instrument.open_images", None)  # it would fail
            assert looks(watch) == []
        picture(folder / "b.png")
        assert names(looks(watch)) == ["b.png"]
    assert rows()[:4] == before and rows()[4]["id"] == "4"


def test_a_name_that_a_spreadsheet_would_calculate_is_known_after_a_restart(watching, folder, rows):
    picture(folder / "=1+1.png")
    with watching() as watch:
        assert names(looks(watch)) == ["=1+1.png"]
    assert [row["name"] for row in rows()] == ["'=1+1.png"]
    with watching() as watch:
        assert looks(watch) == []
        picture(folder / "=1+1.png")
        later(folder / "=1+1.png", 10)
        assert names(looks(watch)) == ["=1+1.png"]
    assert len(rows()) == 1


def test_a_file_that_grows_is_waited_for(watching, folder, rows):
    content = picture(folder / "whole.png").read_bytes()
    (folder / "whole.png").unlink()
    growing = folder / "growing.png"
    with watching() as watch:
        for end in (0, 10, 50, 100):
            growing.write_bytes(content[:end])
            assert looks(watch, 1) == []
        growing.write_bytes(content)
        assert looks(watch, 1) == []
        assert names(looks(watch, 1)) == ["growing.png"]
    assert len(rows()) == 1


def test_a_file_that_changes_while_it_is_read_is_waited_for(watching, folder, rows, monkeypatch):
    from ssrvae_core.runs import instrument

    file, read = picture(folder / "a.png"), instrument.open_images

    def changing(path):
        opened = read(path)
        picture(path)
        os.utime(path, ns=(1, 1))
        return opened

    with watching() as watch:
        with monkeypatch.context() as patch:
            patch.setattr(instrument, "open_images", changing)
            assert looks(watch) == []
        assert names(looks(watch)) == [file.name]
    assert len(rows()) == 1


@pytest.mark.parametrize("broken", ["cut off", "of another size", "no picture"])
def test_a_broken_file_is_told_of_once_and_tried_again_when_it_changes(watching, folder, rows, broken):
    picture(folder / "good.png")
    content = picture(folder / "bad.png").read_bytes()
    if broken == "of another size":
        picture(folder / "bad.png", side=24)
    else:
        (folder / "bad.png").write_bytes(content[:60] if broken == "cut off" else b"hello")
    with watching() as watch:
        found = {one.name: one for one in looks(watch)}
        assert isinstance(found["good.png"], Classified)
        bad = found["bad.png"]
        assert isinstance(bad, Skipped) and bad.reason.endswith(".") and ". " not in bad.reason
        assert looks(watch, 3) == []
        (folder / "bad.png").write_bytes(content)
        assert names(looks(watch)) == ["bad.png"]
    assert [row["name"] for row in rows()] == ["good.png", "bad.png"]


def test_other_files_and_hidden_ones_are_left_alone(watching, folder):
    (folder / "notes.txt").write_text("a sample")
    (folder / "scan.emi").write_bytes(b"beside a .ser")
    picture(folder / ".hidden.png")
    with watching() as watch:
        assert looks(watch, 3) == []


def test_a_folder_that_is_away_for_a_while_loses_nothing(watching, folder, rows):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
        folder.rename(folder.with_name("away"))
        with pytest.raises(FolderAway, match="microscope"):
            looks(watch)
        folder.with_name("away").rename(folder)
        picture(folder / "b.png")
        looks(watch)
    assert [row["name"] for row in rows()] == ["a.png", "b.png"]


def test_two_watches_do_not_write_into_one_table(watching):
    with watching(), pytest.raises(UserError, match="Another process"), watching():
        pass
    with watching():
        pass


@pytest.mark.parametrize("moment", ["while it is written", "before its first byte"])
def test_rows_are_whole_whatever_ends_the_process(watching, folder, rows, tmp_path, monkeypatch, moment):
    """What is on disk when the machine loses power is taken back, and the file is read again."""
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    before = (tmp_path / "table.csv").read_bytes()
    tifffile.imwrite(folder / "s.tif", RNG.integers(0, 256, (5, 16, 16), dtype=np.uint8), photometric="minisblack")
    with watching() as watch:
        seen, write = [], os.pwrite

        def look(descriptor, content, at):
            if moment == "while it is written":
                content = bytes(content)
                write(descriptor, content[: len(content) // 2], at)
                seen.append((tmp_path / "table.csv").read_bytes())
            elif seen or bytes(content[:1]) != b"\0":
                seen.append((tmp_path / "table.csv").read_bytes())
            return write(descriptor, content, at)

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", look)
            looks(watch)
    after = (tmp_path / "table.csv").read_bytes()
    assert len(before) < len(seen[0]) and seen[0] != after
    (tmp_path / "table.csv").write_bytes(seen[0])
    with watching() as watch:
        assert (tmp_path / "table.csv").read_bytes() == before
        assert names(looks(watch)) == ["s.tif"]
    assert (tmp_path / "table.csv").read_bytes() == after and len(rows()) == 6


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_write_that_is_interrupted_leaves_the_table_as_it_was(watching, folder, tmp_path, monkeypatch, error):
    picture(folder / "a.png")
    with watching() as watch:
        before = (tmp_path / "table.csv").read_bytes()

        def failing(_):
            raise error

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises((KeyboardInterrupt, UserError)):
            looks(watch)
        assert (tmp_path / "table.csv").read_bytes() == before


def test_a_table_that_was_moved_is_not_written_to(watching, folder, tmp_path):
    picture(folder / "a.png")
    with watching() as watch:
        (tmp_path / "table.csv").rename(tmp_path / "moved.csv")
        with pytest.raises(UserError, match="moved or deleted"):
            looks(watch)


def test_a_row_that_somebody_damaged_is_named(watching, folder, tmp_path):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    with (tmp_path / "table.csv").open("a") as file:
        file.write("oops,row\n")
    with pytest.raises(UserError, match="oops"), watching():
        pass


def test_a_torn_last_row_is_taken_back(watching, folder, rows, tmp_path):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    whole = (tmp_path / "table.csv").read_bytes()
    (tmp_path / "table.csv").write_bytes(whole[:-10])
    with watching() as watch:
        assert names(looks(watch)) == ["a.png"]
    assert (tmp_path / "table.csv").read_bytes() == whole


def test_many_files_are_classified_together(watching, folder, classify, monkeypatch):
    for i in range(7):
        picture(folder / f"{i}.png")
    monkeypatch.setattr("ssrvae_core.runs.instrument.TOGETHER", 3)
    sizes = []
    with watching() as watch:
        watch.classify = lambda images: sizes.append(len(images)) or classify(images)
        looks(watch)
    assert sizes == [3, 3, 1]


def later(path, seconds):
    """Have a file be of a later time, as one that was written again is."""
    at = path.stat().st_mtime_ns + int(seconds * 1e9)
    os.utime(path, ns=(at, at))


def test_a_file_that_is_overwritten_is_classified_again_and_its_rows_are_replaced(watching, folder, rows, tmp_path):
    stack = folder / "stack.tif"
    tifffile.imwrite(stack, RNG.integers(0, 256, (3, 16, 16), dtype=np.uint8), photometric="minisblack")
    picture(folder / "a.png")
    with watching() as watch:
        assert not any(one.again for one in looks(watch))
        before = rows()
        picture(folder / "a.png")
        tifffile.imwrite(stack, RNG.integers(0, 256, (2, 16, 16), dtype=np.uint8), photometric="minisblack")
        assert looks(watch, 1) == []
        assert [(one.name, one.again) for one in looks(watch, 1)] == [("a.png", True), ("stack.tif", True)]
        assert looks(watch, 3) == []
        picture(folder / "b.png")  # and the table goes on growing
        assert [(one.name, one.again) for one in looks(watch)] == [("b.png", False)]
        with pytest.raises(UserError, match="Another process"), watching():
            pass
    assert [row["name"] for row in rows()] == ["a.png", "stack.tif#0", "stack.tif#1", "b.png"]
    assert [int(row["id"]) for row in rows()] == [4, 5, 6, 7]
    assert rows()[0]["z_1"] != before[0]["z_1"]
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_a_file_that_was_overwritten_while_nobody_watched_is_classified_again_once(watching, folder, rows):
    for name in "ab":
        picture(folder / f"{name}.png")
    with watching() as watch:
        looks(watch)
    later(picture(folder / "a.png"), 3600)
    for expected in (["a.png"], []):
        with watching() as watch:
            assert names(looks(watch)) == expected
            later(watch.table.out, 7200)  # time passes
    assert [row["name"] for row in rows()] == ["b.png", "a.png"]


def test_an_overwriting_that_is_not_finished_or_broken_leaves_the_rows_as_they_are(watching, folder, rows):
    file = picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
        before, content = rows(), picture(folder.with_name("other") / "a.png").read_bytes()
        for end in (0, 20, 40):
            file.write_bytes(content[:end])
            assert looks(watch, 1) == []
        (found,) = looks(watch, 1)
        assert isinstance(found, Skipped) and looks(watch, 2) == [] and rows() == before
        file.unlink()
        assert looks(watch) == [] and rows() == before
        file.write_bytes(content)
        assert names(looks(watch)) == ["a.png"]
    assert len(rows()) == 1 and rows()[0]["z_1"] != before[0]["z_1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_replacing_that_is_interrupted_leaves_the_table_as_it_was(watching, folder, tmp_path, monkeypatch, error):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
        before = (tmp_path / "table.csv").read_bytes()
        picture(folder / "a.png")

        def failing(*_):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises((KeyboardInterrupt, UserError)):
                looks(watch)
        assert (tmp_path / "table.csv").read_bytes() == before
        assert names(looks(watch)) == ["a.png"]
    assert [file for file in tmp_path.iterdir() if file.suffix == ".tmp"] == []


@pytest.mark.parametrize("read", [True, False])
def test_a_file_that_may_not_be_read_is_tried_again_once_it_may(watching, folder, monkeypatch, read):
    from ssrvae_core.runs import instrument

    file, usual = picture(folder / "a.png"), instrument.open_images

    def refused(path):
        if not path.stat().st_mode & 0o400:  # root may read it all the same
            raise UserError(f"{path} cannot be opened (Permission denied); check its permissions.")
        return usual(path)

    monkeypatch.setattr(instrument, "open_images", refused)
    file.chmod(0)
    with watching() as watch:
        (found,) = looks(watch)
        assert isinstance(found, Skipped) and looks(watch) == []
        if read:
            file.chmod(0o644)
        assert names(looks(watch)) == (["a.png"] if read else [])


def test_an_overwriting_that_the_watch_did_not_live_to_see_is_found_by_the_next(watching, folder, rows):
    """Rows that other files added meanwhile make the table younger than the overwritten file."""
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
        before = rows()[0]
        picture(folder / "b.png")
        looks(watch, 1)
        picture(folder / "a.png")
        assert names(looks(watch, 1)) == ["b.png"]
    for expected in (["a.png"], []):
        with watching() as watch:
            assert names(looks(watch)) == expected
    after = {row["name"]: row for row in rows()}
    assert len(rows()) == 2 and after["a.png"]["z_1"] != before["z_1"]


def test_an_older_file_that_takes_the_place_of_one_while_nobody_watched_is_found(watching, folder, rows):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    later(picture(folder / "a.png"), -3600)
    with watching() as watch:
        assert names(looks(watch)) == ["a.png"]


@pytest.mark.parametrize("moment", ["before its rows are added", "before its stamp is kept"])
@pytest.mark.parametrize("overwritten", [True, False])
def test_a_crash_leaves_no_row_of_another_content(watching, folder, rows, monkeypatch, moment, overwritten):
    file = picture(folder / "a.png")
    if overwritten:
        with watching() as watch:
            looks(watch)
            picture(file)

    class Crash(BaseException):
        pass

    def crash(*_, **__):
        raise Crash

    where = "growing.GrowingTable.append" if moment == "before its rows are added" else "stamps.append_line"
    with watching() as watch, monkeypatch.context() as patch:
        patch.setattr(f"ssrvae_core.runs.{where}", crash)
        with pytest.raises(Crash):
            looks(watch)
    for expected in (["a.png"], []):
        with watching() as watch:
            assert names(looks(watch)) == expected
    assert [row["name"] for row in rows()] == ["a.png"]


def test_a_table_of_an_earlier_version_goes_on_and_is_remembered_from_then_on(watching, folder, rows, tmp_path):
    for name in "abc":
        picture(folder / f"{name}.png")
    with watching() as watch:
        looks(watch)
    (tmp_path / "table.csv.watch").unlink()
    later(tmp_path / "table.csv", 1)
    later(picture(folder / "a.png"), 3600)
    with watching() as watch:
        assert looks(watch, 1) == [], "the others are older than the table"
    later(tmp_path / "table.csv", 7200)
    with watching() as watch:
        assert names(looks(watch)) == ["a.png"]
        picture(folder / "d.png")
        assert names(looks(watch)) == ["d.png"]
    with watching() as watch:
        assert looks(watch) == []
    assert [row["name"] for row in rows()] == ["b.png", "c.png", "a.png", "d.png"]


def test_what_was_remembered_of_another_table_of_that_name_does_not_count(watching, folder, rows, tmp_path):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    (tmp_path / "table.csv").rename(tmp_path / "first.csv")
    for _ in range(2):
        with watching() as watch:
            looks(watch)
    assert [row["name"] for row in rows()] == ["a.png"]
    assert (tmp_path / "table.csv.watch").read_text().count("a.png") == 1


@pytest.mark.parametrize("damage", ["{}\n", "[1]\n", "x\n", '{"before": 1}\n{"name": "a.png"}\n', "\udcff\n"])
def test_damage_in_what_is_remembered_is_a_sentence(watching, folder, tmp_path, damage):
    picture(folder / "a.png")
    with watching() as watch:
        looks(watch)
    (tmp_path / "table.csv.watch").write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"table\.csv\.watch is damaged.*delete it"), watching():
        pass


def test_a_torn_line_of_what_is_remembered_has_that_file_classified_again(watching, folder, rows, tmp_path):
    for name in "ab":
        picture(folder / f"{name}.png")
    with watching() as watch:
        looks(watch)
    kept = tmp_path / "table.csv.watch"
    kept.write_bytes(kept.read_bytes()[:-10])
    with watching() as watch:
        assert names(looks(watch)) == ["b.png"]
    with watching() as watch:
        assert looks(watch) == []
    assert sorted(row["name"] for row in rows()) == ["a.png", "b.png"]
