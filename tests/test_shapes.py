"""Shape annotations are checked while the tests run, so that none can be false."""

import importlib
import inspect
import re

import jaxtyping
import pytest
import torch

from ssrvae_core.geometry import rotation, transform
from ssrvae_core.models.networks import DenseDecoder
from tests import shapes


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(jaxtyping.TypeCheckError, match="transform"):
        transform(torch.zeros(5, 2), torch.zeros(3, 2, 2), torch.zeros(4, 2))


def test_a_method_is_checked_too():
    decoder = DenseDecoder(2, 3, (8,), (1, 4, 4), "tanh")
    with pytest.raises(jaxtyping.TypeCheckError, match="DenseDecoder"):
        decoder.forward(torch.zeros(5, 2), torch.zeros(4, 3))


def test_another_number_type_is_refused():
    with pytest.raises(jaxtyping.TypeCheckError, match="rotation"):
        rotation(torch.zeros(3, dtype=torch.int64))


def test_what_a_function_returns_is_checked():
    @jaxtyping.jaxtyped(typechecker=shapes.check)
    def halved(x: jaxtyping.Float[torch.Tensor, " n"]) -> jaxtyping.Float[torch.Tensor, " n"]:
        return x[::2]

    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        halved(torch.zeros(4))


@pytest.mark.parametrize("name", shapes.annotated_modules())
def test_every_annotation_of_a_shape_can_be_evaluated(name):
    """One that cannot, such as one with two variadic dimensions, would pass unchecked."""
    module = importlib.import_module(name)
    owners = [module, *(one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == name)]
    members = [getattr(one, "fget", getattr(one, "__func__", one)) for owner in owners for one in vars(owner).values()]
    functions = [inspect.unwrap(one) for one in members if inspect.isfunction(one) and one.__module__ == name]
    hints = [hint for one in [*owners, *functions] for hint in inspect.get_annotations(one).values()]
    shapes_of_arrays = [hint for hint in hints if re.search(r"\[(Tensor|np\.ndarray), ", str(hint))]
    assert shapes_of_arrays
    for hint in shapes_of_arrays:
        eval(hint, vars(module))
