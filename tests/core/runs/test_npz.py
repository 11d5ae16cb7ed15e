"""Arrays that cannot be read: the reason is said, and no file is called damaged that is whole."""

import re
from unittest.mock import Mock

import numpy as np
import pytest

from ssrvae_core.runs.npz import UnreadableArrays, read_npz


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "a.npz", ids=np.arange(1000), images=np.zeros((10, 8, 8), np.float32))
    return tmp_path / "a.npz"


def refusal(file, *required):
    with pytest.raises(UnreadableArrays) as caught:
        read_npz(file, list(required), "do it again")
    text = str(caught.value)
    assert str(file) in text and text.startswith(caught.value.what) and text.endswith(".") and ". " not in text
    return text


def test_a_whole_file_that_does_not_fit_into_memory_is_not_called_damaged(file, monkeypatch):
    monkeypatch.setattr(np, "load", Mock(side_effect=MemoryError))
    text = refusal(file)
    assert "memory" in text and "damaged" not in text and "do it again" not in text


def test_a_header_that_asks_for_more_than_the_file_holds_is_damage(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", ids=np.arange(1000))
    content = (tmp_path / "a.npz").read_bytes()
    (shape,) = re.findall(rb"\(1000,\), } {6}", content)
    asked = content.replace(shape, b"(1000000000,)}"[: len(shape)].ljust(len(shape)))
    (tmp_path / "a.npz").write_bytes(asked)
    monkeypatch.setattr(np, "load", Mock(side_effect=MemoryError))
    assert "damaged" in refusal(tmp_path / "a.npz") and "do it again" in refusal(tmp_path / "a.npz")


def test_what_cannot_be_opened_or_is_no_archive_is_told_apart(file, monkeypatch):
    assert "'labels'" in refusal(file, "labels")
    file.write_bytes(file.read_bytes()[:500])
    assert "damaged" in refusal(file)
    file.unlink()
    assert "No such file" in refusal(file) and "damaged" not in refusal(file)
