"""A refusal is one sentence that names the file."""

import pytest

from ssrvae_core.config import UserError
from ssrvae_core.data import read_images


def refused(path, *words, read=read_images):
    """Read a file that must be refused; return the sentence, in which these words must be."""
    with pytest.raises(UserError) as error:
        read(path)
    sentence = str(error.value)
    assert str(path) in sentence
    for word in words:
        assert word in sentence
    assert sentence.endswith(".") and ". " not in sentence and "\n" not in sentence
    return sentence
