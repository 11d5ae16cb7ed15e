"""The embedding from Python: features once per data set, then class probabilities and proposals after every label."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from pydantic import ValidationError
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ssrvae_core.config import EmbeddingConfig, UserError, describe
from ssrvae_core.data import UNLABELLED
from ssrvae_core.data.arrays import check_shape, images_of, limits_of, rows_of, seed_of, shape_of
from ssrvae_core.data.labels import without_missing
from ssrvae_core.embedding.features import Features
from ssrvae_core.embedding.head import DOUBT, DOUBT_ACROSS_MICROGRAPHS, Mixture
from ssrvae_core.embedding.neighbours import Neighbours
from ssrvae_core.embedding.proposals import outlier_scores, propose


class ParticleEmbedding(BaseEstimator):
    """Embedding of particles at any angle, on which a handful of labels makes a classifier in milliseconds.

    :meth:`fit` learns from all images without a label, once. Labels then cost nothing: :meth:`propose` says which
    images to label next, and :meth:`predict_proba` fits a closed-form head to the labels there are.

    Parameters
    ----------
    latent_dim : int, optional
        Dimension of the latents that are learnt without labels.
    steps : int, optional
        Optimisation steps of the unsupervised stage.
    blocks : sequence of {"latents", "pooled", "rings", "descriptors"}, optional
        Kinds of features.
    device : str
        ``cpu``, ``cuda``, ``mps`` or ``auto``.
    random_state : int, RandomState or None
        Seed. An int makes two fits equal.
    image_shape : tuple, optional
        (height, width) or (height, width, channels) of the images in the rows of a two-dimensional X; as in
        :class:`ssrvae_core.SSRVAEClassifier`.

    Attributes
    ----------
    features_ : float32 array (n, F)
        Features of the images in fit, each with mean 0 and standard deviation 1, but for values cut off far out.
    outlier_scores_ : float array (n,)
        How far each image is from its neighbours; 1 is as usual.
    columns_ : dict of str to slice
        Columns of ``features_`` of each kind.
    image_shape_ : tuple
        (height, width) or (height, width, channels) of an image.
    scale_ : tuple of float
        The values of X that are black and white, as in :class:`ssrvae_core.SSRVAEClassifier`.
    n_features_in_ : int
        Number of values in an image.
    config_ : EmbeddingConfig
        Every setting.

    Notes
    -----
    The latents are M1 of Kingma et al. 2014 (arXiv 1406.5298) with the rotation summed out.

    Examples
    --------
    >>> from ssrvae_core import ParticleEmbedding
    >>> embedding = ParticleEmbedding(random_state=0)
    """

    n_features_in_: int

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        steps: int | None = None,
        blocks: tuple[str, ...] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.steps = steps
        self.blocks = blocks
        self.device = device
        self.random_state = random_state
        self.image_shape = image_shape

    def fit(self, X: Any, masks: Any = None, groups: Any = None) -> Self:
        """Learn the features of images; labels have no part in it.

        Parameters
        ----------
        X : array (n, height, width), (n, height, width, channels), (n, channels, height, width) or (n, features)
            The images; intensities of any unit.
        masks : bool array (n, height, width), optional
            True inside the particle. By default its outline is found by a threshold.
        groups : array (n,), optional
            Micrograph of each image, a number or a name. Where there are several, what is particular to a micrograph is
            guarded against: latents and ring spectra have to be clearly better than the descriptors to be heeded, and
            for images of a micrograph without labels it is measured on labelled micrographs that are left out.

        Raises
        ------
        UserError
            If shape, masks, groups or a setting cannot be used, or the training diverges.
        ValueError
            If X is not an array of finite numbers, as scikit-learn says it.
        """
        self.config_ = self._config()
        rows, shape = rows_of(X)
        values = validate_data(self, rows, dtype=np.float32, ensure_min_features=2, ensure_min_samples=2)
        self.image_shape_ = shape_of(shape, self.image_shape, values.shape[1])
        self.scale_ = limits_of(values, self.image_shape_)
        names = [None] * len(values) if groups is None else self._checked_groups(groups, len(values))
        self._micrographs = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._groups = np.array([self._micrographs[name] for name in names]) if len(self._micrographs) > 1 else None
        self._seed = seed_of(self.random_state)
        self._features = Features(self.config_, self._seed, self.device)
        images = images_of(values, self.image_shape_, self.scale_)
        self.features_ = self._features.fit_transform(images, self._masks(masks, len(images)))
        self.columns_ = self._features.columns()
        self.outlier_scores_ = outlier_scores(self.features_)
        self._sets = self._sets_of_features()
        self._neighbours = [Neighbours.fit(self.features_[:, own]) for own in self._sets]
        return self

    def transform(self, X: Any, masks: Any = None) -> np.ndarray:
        """Return the features of images, float32 (n, F), fitted ones or others; parameters as in :meth:`fit`."""
        check_is_fitted(self)
        rows, shape = rows_of(X)
        values = validate_data(self, rows, dtype=np.float32, reset=False)
        check_shape(shape, self.image_shape_)
        images = images_of(values, self.image_shape_, self.scale_)
        return self._features.transform(images, self._masks(masks, len(images)))

    def predict_proba(self, y: Any, X: Any = None, masks: Any = None, groups: Any = None) -> np.ndarray:
        """Fit the head to labels, and return the class probabilities.

        Parameters
        ----------
        y : array, list or series (n,)
            Class of each image in fit, a number or a name. Unlabelled are -1, NaN, None, pandas' NA, masked values, and
            texts such as "", "-1" and "nan" (see :func:`ssrvae_core.data.labels.is_unlabelled`).
        X : array, optional
            Other images to judge, as in :meth:`fit`; by default those in fit.
        masks : bool array, optional
            Those of X.
        groups : array, optional
            Micrograph of each image in X, by the numbers or names in fit. By default they are of other micrographs,
            where there were several in fit.

        Returns
        -------
        float32 array (n, K)
            In the order of the sorted classes in y.

        Raises
        ------
        UserError
            If no image is labelled, y has another length than X in fit had, groups another than X, or masks or groups
            are given without X.
        """
        check_is_fitted(self)
        for name, values in (("masks", masks), ("groups", groups)):
            if X is None and values is not None:
                raise UserError(f"{name} are given without X; give the images they belong to.")
        _, labels = self._labels(y)
        if (labels == UNLABELLED).all():
            raise UserError(
                f"Every label in y is {UNLABELLED}, which means unlabelled; label some images of each class first,"
                " such as those that propose(y) returns."
            )
        features = self.features_ if X is None else self.transform(X, masks)
        return self._head(labels).predict_proba(features, self._elsewhere(labels, len(features), X is None, groups))

    def propose(self, y: Any, n: int = 10) -> np.ndarray:
        """Return which images to label next.

        Parameters
        ----------
        y : array, list or series (n,)
            As in :meth:`predict_proba`; every image may be unlabelled.
        n : int
            Images to propose.

        Returns
        -------
        int array (n,)
            Their positions in X, the most telling first; fewer where fewer are unlabelled. The same labels give the
            same proposals.

        Raises
        ------
        UserError
            If y has another length than X in fit had, or n is below 1.
        """
        check_is_fitted(self)
        if n < 1:
            raise UserError(f"n is {n}; ask for at least 1 image to label.")
        classes, labels = self._labels(y)
        probabilities = None
        if len(classes) > 1:
            elsewhere = self._elsewhere(labels, len(labels), True, None)
            probabilities = self._head(labels).predict_proba(self.features_, elsewhere)
        rng = np.random.default_rng(self._seed)
        return propose(self.features_, probabilities, labels, int(n), rng, self.outlier_scores_)

    def __sklearn_tags__(self) -> Tags:
        """Say that X may be three-dimensional."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _config(self) -> EmbeddingConfig:
        """Return the settings that the parameters describe."""
        given = {"steps": self.steps, "blocks": self.blocks}
        values = EmbeddingConfig().model_dump()
        values |= {name: value for name, value in given.items() if value is not None}
        if self.latent_dim is not None:
            values["model"]["latent_dim"] = self.latent_dim
        try:
            return EmbeddingConfig.model_validate(values)
        except ValidationError as error:
            raise UserError(describe(error)) from error

    def _head(self, labels: np.ndarray) -> Mixture:
        """Fit heads to all features and, where there are others, to the descriptors alone."""
        doubt = DOUBT if self._groups is None else DOUBT_ACROSS_MICROGRAPHS
        return Mixture.fit(self.features_, labels, self._sets, doubt, self._groups, self._neighbours)

    def _sets_of_features(self) -> list[np.ndarray]:
        """Return the columns of each head, those of the descriptors last."""
        every = np.arange(self.features_.shape[1])
        described = every[self.columns_.get("descriptors", slice(0))]
        return [every, described] if 0 < len(described) < len(every) else [every]

    def _elsewhere(self, labels: np.ndarray, n: int, fitted: bool, groups: Any) -> np.ndarray | None:
        """Return which of n images are of a micrograph without labels; None where micrographs are not told apart."""
        names = None if groups is None else self._checked_groups(groups, n)
        if self._groups is None:
            return None
        if fitted:
            numbers = self._groups
        else:
            numbers = np.full(n, -1) if names is None else np.array([self._micrographs.get(name, -1) for name in names])
        return ~np.isin(numbers, self._groups[labels != UNLABELLED])

    @staticmethod
    def _checked_groups(groups: Any, n: int) -> list:
        groups = np.asarray(groups)
        if groups.shape != (n,):
            raise UserError(f"groups has the shape {groups.shape}, but there are {n} images; give one value per image.")
        return list(groups.tolist())

    def _labels(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes (K,), and the position of each label among them, int64 (n,), -1 where unlabelled."""
        y, doubts = without_missing(y)
        for doubt in doubts:
            warnings.warn(doubt, UserWarning, stacklevel=3)
        y = np.asarray(y)
        if y.shape != (len(self.features_),):
            raise UserError(
                f"y has the shape {y.shape}, but there were {len(self.features_)} images in fit; give one value for"
                f" each of them, {UNLABELLED} where it is unlabelled."
            )
        labelled = np.ones(len(y), dtype=bool) if y.dtype.kind in "US" else y != UNLABELLED
        try:
            classes, positions = np.unique(y[labelled], return_inverse=True)
        except TypeError as error:
            raise UserError("y holds both numbers and names; give either the one or the other.") from error
        labels = np.full(len(y), UNLABELLED)
        labels[labelled] = positions
        return classes, labels

    def _masks(self, masks: Any, n: int) -> np.ndarray | None:
        """Return masks as bool (n, height, width), or None."""
        if masks is None:
            return None
        masks = np.asarray(masks)
        expected = (n, *self.image_shape_[:2])
        if masks.shape != expected or not (masks.dtype == bool or np.isin(masks, (0, 1)).all()):
            raise UserError(
                f"masks has the shape {masks.shape} and the type {masks.dtype}; give bool {expected}, true inside the"
                " particle."
            )
        return masks.astype(bool)
