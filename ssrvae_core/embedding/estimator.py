"""The embedding from Python: features once per data set, then class probabilities and proposals after every label."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from pydantic import ValidationError
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ssrvae_core.config import EmbeddingConfig, UserError, describe
from ssrvae_core.data import UNLABELLED
from ssrvae_core.data.arrays import check_shape, images_of, limits_of, rows_of, seed_of, shape_of
from ssrvae_core.embedding.answers import Answers, classes_of
from ssrvae_core.embedding.features import Features
from ssrvae_core.embedding.proposals import outlier_scores


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
        checked = _groups(groups, len(values))
        seed = seed_of(self.random_state)
        self._features = Features(self.config_, seed, self.device)
        images = images_of(values, self.image_shape_, self.scale_)
        features = self._features.fit_transform(images, self._masks(masks, len(images)))
        self._take(Answers(features, self._features.columns(), outlier_scores(features), checked, seed))
        return self

    @classmethod
    def fitted(cls, features: Features, answers: Answers, image_shape: tuple[int, int, int]) -> Self:
        """Return an embedding of what was fitted before, such as one that a store keeps.

        Parameters
        ----------
        features : Features
            Fitted.
        answers : Answers
            The features of the images in fit, and what belongs to them.
        image_shape : tuple
            (channels, height, width) of an image; their intensities were in [0, 1] and are in :meth:`transform`.
        """
        config, (channels, height, width) = features.config, image_shape
        embedding = cls(
            config.model.latent_dim,
            steps=config.steps,
            blocks=config.blocks,
            device=features.device,
            random_state=answers.seed,
        )
        embedding.config_, embedding._features = config, features
        embedding.image_shape_ = (height, width) if channels == 1 else (height, width, channels)
        embedding.n_features_in_ = math.prod(image_shape)
        embedding.scale_ = (0.0, 1.0)
        embedding._take(answers)
        return embedding

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
        _, labels = classes_of(y, len(self.features_))
        if (labels == UNLABELLED).all():
            raise UserError(
                f"Every label in y is {UNLABELLED}, which means unlabelled; label some images of each class first,"
                " such as those that propose(y) returns."
            )
        if X is None:
            return self._answers.predict_proba(labels)
        features = self.transform(X, masks)
        return self._answers.predict_proba(labels, features, _groups(groups, len(features)))

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
        return self._answers.propose(classes_of(y, len(self.features_))[1], n)

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

    def _take(self, answers: Answers) -> None:
        """Keep what questions are answered from."""
        self._answers, self.features_, self.columns_ = answers, answers.features, dict(answers.columns)
        self.outlier_scores_ = answers.outlier_scores

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


def _groups(groups: Any, n: int) -> np.ndarray | None:
    """Return the micrographs as an array (n,), or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise UserError(f"groups has the shape {groups.shape}, but there are {n} images; give one value per image.")
    return groups
