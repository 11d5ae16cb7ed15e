"""What you can add to: image sources, and methods to compare with. One declaration per entry, here and nowhere else.

::

    from ssrvae_core.registry import RIVALS, SOURCES, RivalSpec, SourceSpec

    RIVALS["my-method"] = RivalSpec(fit, title="My method", version=1)
    SOURCES["crystals"] = SourceSpec(draw_crystals, generated=True, masks=True)

A plain function will do as well: it declares nothing, and nothing is taken for granted of it. Jobs, sweeps and the
dashboard's server are processes of their own. They know an entry if the module that adds it is named in the environment
variable ``SSRVAE_PLUGINS`` (several with commas between them), and can be imported there: installed, or in a folder of
``PYTHONPATH``.
"""

from __future__ import annotations

import os
import re
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from ssrvae_core.schema import UserError

PLUGINS = "SSRVAE_PLUGINS"
"""Environment variable with the modules that add entries."""

NAME = r"^[a-z0-9][a-z0-9_-]{0,39}$"
"""What an entry may be called, as a pattern."""

Function = Callable[..., Any]


@dataclass(frozen=True)
class SourceSpec:
    """An image source, and what is known of all its images.

    Attributes
    ----------
    draw : callable or str
        ``(DatasetConfig) -> ImageSet``, or ``"module:function"``, imported when it is first used.
    generated : bool
        Whether the images are put together by :func:`ssrvae_core.data.generated.generate`: numbers per class, poses and
        validation part are then those of the configuration.
    posed : bool
        Whether its images are turned, sheared, shifted and scaled by no more than ``dataset.labelled`` and
        ``dataset.unlabelled`` say, as those of a generated source are. Otherwise nothing is known of their poses, as of
        a file's.
    own_validation : bool
        Whether it always brings validation images of its own, as a generated source does.
    masks : bool
        Whether its images have masks.
    most_per_class : int, optional
        Images per class there are, for training and validation together; None where there is no end to them.
    """

    draw: Function | str
    generated: bool = False
    posed: bool = False
    own_validation: bool = False
    masks: bool = False
    most_per_class: int | None = None

    @property
    def poses_known(self) -> bool:
        """Whether the disorder of the configuration says how far the images are turned."""
        return self.generated or self.posed

    @property
    def validates(self) -> bool:
        """Whether it always brings validation images of its own."""
        return self.generated or self.own_validation

    def __call__(self, config: Any) -> Any:
        """Return the images of a data set's configuration."""
        return _function(self.draw)(config)


@dataclass(frozen=True)
class RivalSpec:
    """A method to compare with.

    Attributes
    ----------
    fit : callable or str
        A :data:`ssrvae_core.evaluation.rivals.Rival`, or ``"module:function"``, imported when it is first used.
    title : str
        What it is called on pages and in reports; by default its name.
    version : int
        Version of its recipe: results of another version are not used, and a new version is fitted again.
    masks : bool
        Whether ``predict_proba`` takes the images' masks (N, H, W) as a second argument, None where there are none.
    """

    fit: Function | str
    title: str = ""
    version: int = 1
    masks: bool = False

    def __call__(self, data: Any, seed: int, device: str) -> Any:
        """Fit it on a split."""
        return _function(self.fit)(data, seed, device)


@cache
def _imported(place: str) -> Function:
    module, _, name = place.partition(":")
    found: Function = getattr(import_module(module), name)
    return found


def _function(entry: Function | str) -> Function:
    return _imported(entry) if isinstance(entry, str) else entry


Spec = TypeVar("Spec")


class Registry(UserDict[str, Spec]):
    """Entries by name. A plain function becomes an entry that declares nothing.

    Parameters
    ----------
    declare : callable
        ``(name, entry, known) -> spec`` makes a declaration of what is added in the place of ``known``, None where
        there is nothing yet.
    entries : dict
        Those to begin with.
    """

    advice = f"or name the module that adds it in {PLUGINS}, so that every process knows it"
    """What else to do about a name that is not there."""

    def __init__(self, declare: Callable[[str, Spec | Function, Spec | None], Spec], entries: dict[str, Spec]) -> None:
        self._declare = declare
        super().__init__(entries)

    def __setitem__(self, name: str, entry: Spec | Function) -> None:
        """Add an entry; a function in the place of a known one takes over what that declares.

        Raises
        ------
        UserError
            If the name could not stand in a command or address, or the entry is neither a declaration nor a function.
        """
        if not re.fullmatch(NAME, name):
            raise UserError(
                f"'{name}' cannot be the name of an entry; use 1 to 40 lower-case letters, digits, '-' and '_'."
            )
        if not callable(entry):
            raise UserError(f"The entry '{name}' is of type {type(entry).__name__}; give a declaration or a function.")
        self.data[name] = self._declare(name, entry, self.data.get(name))


def _declared_source(name: str, entry: SourceSpec | Function, known: SourceSpec | None) -> SourceSpec:
    if isinstance(entry, SourceSpec):
        return entry
    return SourceSpec(entry) if known is None else replace(known, draw=entry)


def _declared_rival(name: str, entry: RivalSpec | Function, known: RivalSpec | None) -> RivalSpec:
    if not isinstance(entry, RivalSpec):
        entry = RivalSpec(entry) if known is None else replace(known, fit=entry)
    words = name.replace("-", " ").replace("_", " ")
    return entry if entry.title else replace(entry, title=words[:1].upper() + words[1:])


SOURCES: Registry[SourceSpec] = Registry(
    _declared_source,
    {
        "cards": SourceSpec("ssrvae_core.data.cards:draw_cards", generated=True),
        "particles": SourceSpec("ssrvae_core.data.particles:draw_particles", generated=True, masks=True),
        "digits": SourceSpec("ssrvae_core.data.digits:draw_digits", generated=True, most_per_class=174),
        "file": SourceSpec("ssrvae_core.data.readers:read_file"),
    },
)
"""Image sources by name; one that no named data set has is a data set of its own name."""

_PIXELS = "ssrvae_core.evaluation.rivals.pixels"
_NETWORKS = "ssrvae_core.evaluation.rivals.convolutional"

RIVALS: Registry[RivalSpec] = Registry(
    _declared_rival,
    {
        "decision-tree": RivalSpec(f"{_PIXELS}:decision_tree", "Decision tree", 2),
        "random-forest": RivalSpec(f"{_PIXELS}:random_forest", "Random forest", 2),
        "xgboost": RivalSpec(f"{_PIXELS}:xgboost", "XGBoost", 2),
        "logistic-regression": RivalSpec(f"{_PIXELS}:logistic_regression", "Logistic regression", 2),
        "knn": RivalSpec(f"{_PIXELS}:knn", "k nearest neighbours", 2),
        "label-spreading": RivalSpec("ssrvae_core.evaluation.rivals.spreading:label_spreading", "Label spreading", 2),
        "shape-descriptors": RivalSpec(
            "ssrvae_core.evaluation.rivals.shape:shape_classifier", "Shape descriptors", 1, masks=True
        ),
        "cnn": RivalSpec(f"{_NETWORKS}:cnn", "CNN", 1),
        "cnn-fixmatch": RivalSpec(f"{_NETWORKS}:cnn_fixmatch", "CNN with FixMatch", 1),
    },
)
"""Methods the models are compared with, by name."""


def source_of(name: str) -> SourceSpec:
    """Return what is declared of a source; of one that is not known here, nothing."""
    return SOURCES.get(name) or SourceSpec("")


def rival_title(name: str) -> str:
    """Return what a method is called; one that is not known here goes by its name."""
    spec = RIVALS.get(name)
    return name if spec is None else spec.title


def load_plugins() -> None:
    """Import the modules named in ``SSRVAE_PLUGINS``, each once a process.

    Raises
    ------
    UserError
        If one cannot be imported.
    """
    for module in filter(None, re.split(r"[\s,]+", os.environ.get(PLUGINS, ""))):
        try:
            import_module(module)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split()).replace(". ", "; ").rstrip(".")
            raise UserError(
                f"The module '{module}' of {PLUGINS} cannot be imported ({reason}); install it or add its folder to "
                "PYTHONPATH, or take it out."
            ) from error
