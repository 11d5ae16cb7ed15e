"""The scikit-learn face of the core: an estimator that takes the same road as every run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ssrvae_core.config import MODELS, DatasetConfig, RunConfig, UserError, choose, run_config
from ssrvae_core.data import UNLABELLED, ImageSet, Split
from ssrvae_core.data.arrays import check_shape, images_of, limits_of, rows_of, seed_of, shape_of
from ssrvae_core.data.labels import without_missing
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.records import Epoch, Predictions
from ssrvae_core.training.trainer import Trainer

SETTINGS = {
    "latent_dim": "model.latent_dim",
    "likelihood": "model.likelihood",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "augment": "training.augment",
}
"""Parameters of the estimator, and the settings of a run they stand for."""


class SSRVAEClassifier(ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, BaseEstimator):
    """Semi-supervised classifier of images whose objects lie at any angle.

    Learns from a few labelled and many unlabelled images; :meth:`transform` gives what varies within a class.

    Parameters
    ----------
    rotation : {"marginal", "latent", "none"}, optional
        Sum the rotation out exactly, infer it (as the paper does), or know nothing of it; by default the preset's.
    latent_dim : int, optional
        Dimension of the latent z.
    likelihood : {"bernoulli", "continuous_bernoulli", "gaussian"}, optional
        Distribution of a pixel.
    epochs : int, optional
        Passes over the larger of the labelled and the unlabelled set; a small set is passed several times per epoch,
        see ``training.min_steps``.
    batch_size : int, optional
        Unlabelled images per step.
    learning_rate : float, optional
        Of the Adam optimiser.
    augment : bool, optional
        Whether the classifier learns from images under declared nuisances.
    preset : str
        A name in :data:`ssrvae_core.config.PRESETS`; it says what every parameter that is None stands for.
    settings : mapping of str to value, optional
        Further settings by their dotted name, such as ``{"model.angles": 32, "training.aux_weight": 50}``. They
        override the parameters above.
    device : str
        ``cpu``, ``cuda``, ``mps`` or ``auto``.
    random_state : int, RandomState or None
        Seed. An int makes two fits equal.
    image_shape : tuple, optional
        (height, width) or (height, width, channels) of the images in the rows of a two-dimensional X. By default a
        row is a square image with one channel; where its length is not a square number, it fills the smallest square
        row by row, and the rest of that is dark.
    verbose : int
        Above 0, print a line per epoch.

    Attributes
    ----------
    classes_ : array (K,)
        The classes found in y, sorted.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : array of str (n_features_in_,)
        Names of the columns of X, where X is a data frame that has them.
    image_shape_ : tuple
        (height, width) or (height, width, channels) of an image.
    scale_ : tuple of float
        The values of X that are black and white: (0, 1) if all of X is between them, else its smallest and largest
        value, single values set apart from all others aside. Later images are cut off there.
    model_ : SSVAE
        The trained model, see :class:`ssrvae_core.models.SSVAE`.
    config_ : RunConfig
        Every setting it was trained with.
    history_ : list of dict
        What each epoch reached, named as in :class:`ssrvae_core.records.Epoch`. Nothing is held out of X, so the
        validation accuracy is None.

    Notes
    -----
    The model is M2 of Kingma et al. 2014 (arXiv 1406.5298) with a pose, after Ziatdinov et al. (arXiv 2105.11475).

    Examples
    --------
    >>> from ssrvae_core import SSRVAEClassifier
    >>> classifier = SSRVAEClassifier(rotation="marginal", latent_dim=2, random_state=0)
    """

    classes_: np.ndarray
    n_features_in_: int

    def __init__(
        self,
        rotation: str | None = None,
        latent_dim: int | None = None,
        *,
        likelihood: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        augment: bool | None = None,
        preset: str = "fast",
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
        image_shape: tuple[int, ...] | None = None,
        verbose: int = 0,
    ) -> None:
        self.rotation = rotation
        self.latent_dim = latent_dim
        self.likelihood = likelihood
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.preset = preset
        self.settings = settings
        self.device = device
        self.random_state = random_state
        self.image_shape = image_shape
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from images of which some have a label.

        Parameters
        ----------
        X : array (n, height, width), (n, height, width, channels), (n, channels, height, width) or (n, features)
            The images; intensities of any unit. Up to four channels are found before or behind the pixels.
        y : array, list or series (n,)
            Class of each image, a number or a name. Unlabelled are -1, NaN, None, pandas' NA, masked values, and texts
            such as "", "-1" and "nan" (see :func:`ssrvae_core.data.labels.is_unlabelled`).

        Warns
        -----
        UserWarning
            If a text such as "unknown" is taken as unlabelled, or single values of X set apart from all others are cut
            off.

        Raises
        ------
        UserError
            If labels, shape or a setting cannot be used, or the training diverges.
        ValueError
            If X or y is not an array of finite numbers, as scikit-learn says it.
        """
        rows, shape = rows_of(X)
        y, doubts = without_missing(y)
        for doubt in doubts:
            warnings.warn(doubt, UserWarning, stacklevel=2)
        values, y = validate_data(self, rows, y, dtype=np.float32, ensure_min_features=2)
        self.image_shape_ = shape_of(shape, self.image_shape, values.shape[1])
        self.classes_, labels = _encode_labels(y)
        self.scale_ = limits_of(values, self.image_shape_)
        self.config_ = self._config()
        trainer = Trainer(self.config_, _parts(self._images(values, labels)), self.device)
        self.history_ = []
        for epoch in trainer.fit():
            self.history_.append(epoch.as_json())
            if self.verbose:
                print(_line(epoch, self.config_.training.epochs))
        self.model_ = trainer.model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each image, (n,), in the values of y."""
        predictions = self._predictions(X)
        return self.classes_[predictions.predicted]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the class probabilities q(y|x), float32 (n, K), in the order of ``classes_``."""
        return self._predictions(X).class_prob

    def transform(self, X: Any) -> np.ndarray:
        """Return the latent means, float32 (n, latent_dim), of q(z|x,y) at the most probable class."""
        return self._predictions(X).z_mean

    def angle(self, X: Any) -> np.ndarray:
        """Return the angle each object is seen at, float32 (n,): radians, counter-clockwise; NaN without rotation."""
        return self._predictions(X).angle

    def decode(self, z: Any, y: Any, angle: Any = 0.0) -> np.ndarray:
        """Draw objects as the model imagines them.

        Parameters
        ----------
        z : array (n, latent_dim)
            Latents.
        y : array (n,) or one class
            Classes, in the values of the y given to :meth:`fit`.
        angle : array (n,) or float
            Radians, counter-clockwise; 0 draws the de-rotated object. Has no effect without rotation.

        Returns
        -------
        float32 array (n, height, width) or (n, height, width, channels)
            Expected intensities, in the unit of X.

        Raises
        ------
        UserError
            If a class is unknown, or the arrays do not fit together.
        """
        check_is_fitted(self)
        z = np.asarray(z, dtype=np.float32)
        if z.ndim != 2 or z.shape[1] != self._n_features_out:
            raise UserError(f"z has the shape {z.shape}; give an array (n, {self._n_features_out}), a row an object.")
        labels, angles = self._class_indices(y), np.atleast_1d(np.asarray(angle, dtype=np.float32))
        if not {labels.shape, angles.shape} <= {(1,), (len(z),)}:
            raise UserError(
                f"z has {len(z)} rows, but y has the shape {np.shape(y)} and angle {angles.shape}; give one value for"
                " all rows or one for each."
            )
        images = self.model_.decode(
            torch.tensor(z),
            torch.tensor(np.broadcast_to(labels, len(z))),
            torch.tensor(np.broadcast_to(angles, len(z)), device=self.model_.device),
        )
        low, high = self.scale_
        channels_last = images.permute(0, 2, 3, 1).reshape(-1, *self.image_shape_).cpu().numpy()
        return low + (high - low) * channels_last

    def __sklearn_tags__(self) -> Tags:
        """Say that X may be three-dimensional, and that latents are single precision."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        """Number of columns of `transform`; the mixin names them."""
        return self.config_.model.latent_dim

    def _config(self) -> RunConfig:
        """Return the run that the parameters describe."""
        rotations: dict[str, str] = {model.rotation: name for name, model in MODELS.items()}
        own = {dotted: getattr(self, name) for name, dotted in SETTINGS.items()}
        given = {dotted: value for dotted, value in own.items() if value is not None} | dict(self.settings or {})
        for dotted in given:
            if not dotted.startswith(("model.", "training.")):
                raise UserError(
                    f"'{dotted}' is not a setting of an estimator; its settings begin with model. or training."
                )
        return run_config(
            preset=self.preset,
            dataset=DatasetConfig(source="array"),
            model=None if self.rotation is None else choose("rotation", rotations, self.rotation),
            seed=seed_of(self.random_state),
            # numpy's numbers come from parameter grids; the configuration knows Python's only.
            settings={name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()},
        )

    def _images(self, values: np.ndarray, labels: np.ndarray) -> ImageSet:
        """Put rows of values (n, features) into images with intensities in [0, 1]."""
        return ImageSet(
            images=images_of(values, self.image_shape_, self.scale_),
            labels=labels,
            ids=np.arange(len(values)),
            class_names=tuple(map(str, self.classes_)),
        )

    def _predictions(self, X: Any) -> Predictions:
        """Return all that the model says of images."""
        check_is_fitted(self)
        rows, shape = rows_of(X)
        values = validate_data(self, rows, dtype=np.float32, reset=False)
        check_shape(shape, self.image_shape_)
        return predict(self.model_, self._images(values, np.full(len(values), UNLABELLED)))

    def _class_indices(self, y: Any) -> np.ndarray:
        """Return the positions in ``classes_`` of one class or of many, int64 (n,)."""
        index = {name: position for position, name in enumerate(self.classes_.tolist())}
        names = np.ravel(y).tolist()
        for name in names:
            if name not in index:
                raise UserError(f"y has the class {name!r}, which was not in fit; choose one of {list(index)}.")
        return np.array([index[name] for name in names], dtype=np.int64)


def _encode_labels(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes (K,), and the position of each label among them, int64 (n,), -1 where unlabelled."""
    labelled = np.ones(len(y), dtype=bool) if y.dtype.kind in "US" else y != UNLABELLED
    if not labelled.any():
        raise UserError(f"Every label in y is {UNLABELLED}, which means unlabelled; label some images of each class.")
    check_classification_targets(y[labelled])
    classes, positions = np.unique(y[labelled], return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            f"The labels in y have 1 class ('{classes[0]}'), but a classifier needs at least two; label images of"
            " another class."
        )
    labels = np.full(len(y), UNLABELLED)
    labels[labelled] = positions
    return classes, labels


def _parts(images: ImageSet) -> Split:
    """Split into labelled and unlabelled images; nothing is held out."""
    labelled = images.labels != UNLABELLED
    return Split(
        labelled=images.take(np.flatnonzero(labelled)),
        unlabelled=images.take(np.flatnonzero(~labelled)),
        # The trainer follows some images through the training; here is nobody to look at them, so one will do.
        validation=images.take(np.arange(1)).without_labels(),
        hidden_labels=images.labels[~labelled],
    )


def _line(epoch: Epoch, n_epochs: int) -> str:
    """One line on an epoch."""
    return (
        f"epoch {epoch.epoch}/{n_epochs}: ELBO {epoch.elbo_unlabelled:.1f} unlabelled, {epoch.elbo_labelled:.1f}"
        f" labelled; classification {epoch.classification:.4f}; {epoch.seconds:.1f} s"
    )
