"""What pydantic refuses is told without its words, whatever a model of ours asks for."""

import re

import pytest

from ssrvae_core.config import UserError, run_config

THEIRS = re.compile("input should|field required|unable to parse|tuple|after validation")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("training.epochs", -1, "1 or more .got -1"),
        ("training.epochs", "x", "whole number"),
        ("training.epochs", 1.5, "whole number"),
        ("model.latent_dim", None, "whole number"),
        ("model.rotation", "foo", "'marginal' or 'latent'"),
        ("model.gaussian_sd", 0, "greater than 0"),
        ("split.validation_fraction", 2, "less than 1"),
        ("training.learning_rate", "a", "a number"),
        ("training.learning_rate", float("nan"), "finite"),
        ("dataset.labelled.scale", [1], "missing"),
        ("dataset.labelled.scale", [1, 2, 3], "2 values or fewer"),
        ("model.channels", ["a"], "whole number"),
        ("dataset.view", "x", "'image', 'mask' or 'masked'"),
        ("model", 3, "group of settings"),
    ],
)
def test_a_setting_that_is_refused_is_told_in_words_of_ours(name, value, said):
    with pytest.raises(UserError, match=said) as told:
        run_config(settings={name: value})
    assert name in str(told.value) and not THEIRS.search(str(told.value).lower()) and str(told.value).endswith(".")
