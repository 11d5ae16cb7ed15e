"""A damaged file of any format is read or refused in one sentence, soon; benchmarks/fuzz.py does it for longer."""

import time

import numpy as np
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data.readers import open_images
from ssrvae_core.data.summary import summary
from tests.core.data.small_files import damaged, small_files

CASES = 25
LONGEST = 5
"""Seconds of processor time that a damaged file may take."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return small_files(tmp_path_factory.mktemp("small"))


def test_whole_files_are_read(files):
    for name, (_, read) in files.items():
        assert summary(open_images(read)).images == (1 if name in ONE_PICTURE else 6), name


ONE_PICTURE = {"palette.tif", "a.png", "a.jpg", "a.bmp", "a.gif", "a.webp", "a.pgm", "a.jp2"}


def refusal(path):
    """The sentence a file is refused with; a full stop where it is read."""
    try:
        summary(open_images(path))
    except UserError as error:
        return str(error)
    return "."


def test_damaged_files_are_read_or_refused_in_one_sentence_soon(files):
    rng = np.random.default_rng(12)
    for name, (file, read) in files.items():
        whole = file.read_bytes()
        for case in range(CASES):
            file.write_bytes(damaged(whole, rng))
            began = time.process_time()
            sentence = refusal(read)
            assert sentence.endswith(".") and "\n" not in sentence, (name, case, sentence)
            assert time.process_time() - began < LONGEST, (name, case)
        file.write_bytes(whole)
