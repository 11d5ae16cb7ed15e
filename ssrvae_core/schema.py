"""The frozen models that say everything about a run, with the defaults.

A run *is* its config: :attr:`RunConfig.run_id` is a hash of its canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SCHEMA_VERSION: Final = 1


class UserError(ValueError):
    """An error a user can fix. Its text is one sentence: what is wrong, where, and what to do."""


class MissingPictures(UserError):
    """A table of labels names pictures that are not there.

    Attributes
    ----------
    all_missing : bool
        Whether none is there; otherwise ``skip_missing`` goes on without them.
    """

    def __init__(self, sentence: str, all_missing: bool) -> None:
        super().__init__(sentence)
        self.all_missing = all_missing


class Frozen(BaseModel):
    """Base of every configuration model: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


LARGEST_SEED: Final = 2**32 - 1
"""What every library that is seeded here takes."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]

Widths = tuple[Annotated[int, Field(ge=1, le=4096)], ...]
"""Numbers of units, layer by layer."""


class Disorder(Frozen):
    """Ranges of the nuisances applied to the drawn objects; every one is drawn uniformly.

    The object is scaled, then sheared, then rotated, then shifted.
    """

    rotation: float = Field(0.0, ge=0, le=180, description="half-range of the angle, degrees")
    shear: float = Field(0.0, ge=0, le=60, description="half-range of either shear angle, degrees")
    shift: float = Field(0.0, ge=0, le=0.5, description="half-range of either shift, fraction of the image side")
    scale: tuple[float, float] = Field((1.0, 1.0), description="range of the size factor")

    @model_validator(mode="after")
    def _scale_in_order(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale must be two numbers with 0 < low <= high, got {low} and {high}")
        return self


class DatasetConfig(Frozen):
    """What images a run sees, before they are split."""

    source: str = Field("cards", description="a registered generator (cards, particles, digits) or 'file'")
    path: str | None = Field(None, description="the image file or folder, for source 'file'")
    sha256: str | None = Field(None, description="fingerprint of the file's content, for source 'file'")
    size: int = Field(48, ge=8, le=512, description="side of the generated images, pixels")
    labelled: Disorder = Field(Disorder(), description="disorder of the labelled images")
    unlabelled: Disorder = Field(Disorder(), description="disorder of the unlabelled and the validation images")
    train_per_class: int = Field(
        3200, ge=1, le=100_000, description="training images per class, labelled and unlabelled together"
    )
    validation_per_class: int = Field(1000, ge=1, le=100_000, description="validation images per class")
    view: Literal["image", "mask", "masked"] = Field(
        "image", description="the image as it is, its silhouette, or its contrast-normalised inside on black"
    )
    intensity: tuple[float, float] | None = Field(
        None,
        description="raw grey levels that become 0 and 1, for a file; None: integers are divided by their type's"
        " largest value, floats lie in [0, 1] already",
    )
    skip_missing: bool = Field(
        False, description="pass over the rows of a table of labels whose picture is not there, for a folder"
    )
    seed: Seed = 0

    @field_validator("intensity")
    @classmethod
    def _intensity_in_order(cls, intensity: tuple[float, float] | None) -> tuple[float, float] | None:
        if intensity is not None and not intensity[0] < intensity[1]:
            raise ValueError("it needs two numbers, first the grey level of black, then a larger one for white")
        return intensity

    @model_validator(mode="after")
    def _file_has_path(self) -> Self:
        if (self.source == "file") != (self.path is not None):
            raise ValueError("source 'file' needs a path, and only it takes one")
        if self.source == "file" and not self.sha256:
            raise ValueError(
                "a file needs the fingerprint of its content (sha256), which tells its runs from those of other files;"
                " name the file with --data, or take what ssrvae_core.data.file_dataset(path) returns"
            )
        return self


def ratio_text(ratio: float) -> str:
    """Return a supervised ratio in percent."""
    return f"{100 * ratio:g} %"


class SplitConfig(Frozen):
    """Which training images carry labels, and which images are held out.

    At most one of ``labels_per_class`` and ``labelled_ratio`` is set. With neither, every label the data set
    has is used. Subsets are nested: with one seed, fewer labels are always a subset of more.
    """

    labels_per_class: int | None = Field(None, ge=1)
    labelled_ratio: float | None = Field(None, gt=0, le=1, description="labelled / all training images")
    by_group: bool = Field(False, description="hold out whole groups (micrographs) for validation")
    validation_fraction: float = Field(
        0.25, gt=0, lt=1, description="share held out when the data set brings no validation part of its own"
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.labels_per_class is not None and self.labelled_ratio is not None:
            raise ValueError("set labels_per_class or labelled_ratio, not both")
        return self

    @property
    def in_words(self) -> str:
        """How many labels there are."""
        if self.labelled_ratio is not None:
            return f"{ratio_text(self.labelled_ratio)} labelled"
        if self.labels_per_class is None:
            return "all labels"
        return f"{self.labels_per_class} {'label' if self.labels_per_class == 1 else 'labels'} per class"

    def labels_in_words(self, n: int | None) -> str:
        """How many labels there are, where all ``n`` are used their number, if it is known: "30 labels"."""
        if n is None or self.labelled_ratio is not None or self.labels_per_class is not None:
            return self.in_words
        return f"{n:,} {'label' if n == 1 else 'labels'}"


class ModelConfig(Frozen):
    """The generative model and its inference networks."""

    rotation: Literal["none", "marginal", "latent"] = Field(
        "marginal", description="no invariance (ss-VAE), rotation summed out exactly, or a latent angle (the paper's)"
    )
    latent_dim: int = Field(2, ge=1, le=64, description="dimension of the content latent z")
    likelihood: Literal["bernoulli", "continuous_bernoulli", "gaussian"] = "bernoulli"
    gaussian_sd: float = Field(0.3, gt=0, description="pixel standard deviation of the Gaussian likelihood")
    centre: bool = Field(True, description="bring the intensity centroid to the centre first")
    networks: Literal["conv", "mlp"] = "conv"
    channels: Widths = Field((32, 64), min_length=1, description="widths of the convolutions of classifier and encoder")
    hidden: Widths = Field((128, 128), min_length=1, description="widths of the fully connected layers")
    activation: Literal["relu", "gelu", "tanh", "softplus"] = "relu"
    # The polar frame of the marginal engine.
    radii: int = Field(24, ge=2, le=256, description="rings of the polar grid")
    angles: int = Field(64, ge=8, le=512, description="directions of the polar grid")
    disc: float = Field(1.0, gt=0, le=1.5, description="radius of the polar disc, in half short sides of the image")
    standardise: bool = Field(
        False,
        description="the classifier sees each image at mean 0 and standard deviation 1, and both beside it",
    )
    second_opinion: bool = Field(
        False,
        description="classes are told by the network, by a head on ring spectra and shape descriptors, or by both:"
        " whichever tells labels better that were left out",
    )
    shift_steps: int = Field(0, ge=0, le=3, description="steps of the sum over small shifts in each direction, 0: none")
    shift_step: float = Field(1.0, gt=0, description="length of one such step, pixels")
    angle_prior: Literal["uniform", "von_mises"] = "uniform"
    angle_prior_labelled: Literal["uniform", "von_mises"] = "uniform"
    angle_concentration: float = Field(8.0, gt=0, description="concentration of the von Mises angle prior(s)")
    # The pose latents of the latent engine; prior widths as in the reference.
    angle: bool = Field(True, description="one latent for the angle (rotation='latent' only)")
    translation: bool = Field(False, description="two further latents for the shift (rotation='latent' only)")
    scaling: bool = Field(False, description="one further latent for the scale (rotation='latent' only)")
    angle_sd: float = Field(1.0, gt=0, description="prior standard deviation of the latent angle, radians")
    translation_sd: float = Field(0.1, gt=0, description="prior standard deviation of the shift, half sides")
    scaling_sd: float = Field(0.1, gt=0, description="prior standard deviation of the scale factor")
    pixel_fraction: float = Field(
        1.0, gt=0, le=1, description="share of the pixels the latent engine's decoder sees in a training step"
    )

    @property
    def asks(self) -> bool:
        """Whether there is a second opinion; the ss-VAE, which is the control, asks for none."""
        return self.second_opinion and self.rotation != "none"

    @property
    def name(self) -> str:
        """Name of the model family: ``ss-vae``, ``ss-rvae`` or ``ss-rvae-paper``."""
        return {"none": "ss-vae", "marginal": "ss-rvae", "latent": "ss-rvae-paper"}[self.rotation]


class Augmentation(Frozen):
    """Nuisances the user declares irrelevant to the class; but for the intensity they only move the sampling grid."""

    rotation: bool = Field(True, description="any rotation (never used by the ss-VAE)")
    shear: float = Field(5.0, ge=0, le=60, description="half-range, degrees")
    scale: float = Field(0.1, ge=0, lt=1, description="half-range of log size")
    shift: float = Field(0.04, ge=0, le=0.5, description="half-range, fraction of the image side")
    intensity: float = Field(0.1, ge=0, lt=1, description="half-range of contrast and brightness")


class TrainingConfig(Frozen):
    """The optimisation."""

    epochs: int = Field(8, ge=1, le=100_000)
    starts: int = Field(
        1, ge=1, le=20, description="short starts, of which the one that is sure of most unlabelled images goes on"
    )
    start_epochs: int = Field(1, ge=1, description="epochs of a short start; the chosen one's are the run's first")
    batch_size: int = Field(100, ge=1, description="unlabelled images per step")
    labelled_batch_size: int = Field(32, ge=1, description="labelled images per step; the labelled set cycles")
    min_steps: int = Field(
        100, ge=1, le=100_000, description="fewest steps of an epoch: a small data set is seen several times"
    )
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Literal["constant", "cosine"] = Field("cosine", description="learning rate over the epochs")
    gradient_clip: float = Field(10.0, gt=0, description="largest gradient norm, in units of its running mean")
    beta_start: float = Field(1.0, gt=0, description="KL weight at the start")
    beta_end: float = Field(1.0, gt=0)
    beta_ramp_epochs: int = Field(0, ge=0, description="epochs over which the KL weight goes from start to end")
    aux_weight: float = Field(30.0, ge=0, description="weight of the auxiliary classification loss")
    augment: bool = True
    augmentation: Augmentation = Augmentation()
    consistency_weight: float = Field(30.0, ge=0, description="weight of the consistency loss; 0 switches it off")
    consistency_threshold: float = Field(0.95, gt=0, lt=1, description="smallest confidence of a pseudo-label")
    generative_weight: float = Field(1.0, ge=0, description="weight of the ELBO; 0 trains the classifier alone")
    classifier_elbo_weight: float = Field(
        0.03, ge=0, le=1, description="share of the unlabelled ELBO's gradient that reaches the classifier; 1 is M2's"
    )
    gauge_weight: float = Field(
        0.0, ge=0, description="weight of the gauge: what is drawn of a class stands as its upright labelled images do"
    )
    generative_shear: bool = Field(
        False, description="the likelihood of upright labelled images is that of sheared ones, as far as augmentation"
    )
    labelled_epochs: int = Field(
        0, ge=0, description="first epochs in which upright labelled images alone teach what is drawn"
    )
    early_stop: int | None = Field(None, ge=1, description="epochs without a better training loss before stopping")
    checkpoint_every: int = Field(1, ge=1, description="epochs between checkpoints")
    snapshot_every: int = Field(1, ge=1, description="epochs between snapshots for the training film")
    tracked: int = Field(1000, ge=1, description="validation images tracked in the snapshots")

    def trained(self, epochs: int) -> int:
        """Epochs that were trained by the time this many of the run are done: those of all short starts count."""
        return epochs + (self.starts - 1) * min(self.start_epochs, self.epochs) if epochs else 0


class EmbeddingConfig(Frozen):
    """The embedding of particles: what is learnt without labels, and which features the head stands on."""

    model: ModelConfig = ModelConfig(latent_dim=16)
    steps: int = Field(1500, ge=1, description="optimisation steps of the unsupervised stage")
    batch_size: int = Field(100, ge=1, description="images per step")
    learning_rate: float = Field(2e-3, gt=0, description="at the first step; it falls to 0 along a cosine")
    gradient_clip: float = Field(10.0, gt=0, description="largest gradient norm, in units of its running mean")
    blocks: tuple[Literal["latents", "pooled", "rings", "descriptors"], ...] = Field(
        ("latents", "rings", "descriptors"), min_length=1, description="kinds of features that are joined"
    )
    components: int = Field(20, ge=1, description="principal components of ring spectra, and of pooled responses")


LATER: Final = {
    ("model", "standardise"): False,
    ("model", "second_opinion"): False,
    ("training", "starts"): 1,
    ("training", "start_epochs"): 1,
    ("training", "gauge_weight"): 0.0,
    ("training", "generative_shear"): False,
    ("training", "labelled_epochs"): 0,
}
"""Settings younger than the schema version, and the value that says what was done before they were there: with it they
are not part of a run's id, so that the runs of a store keep theirs."""


FOUND_BY: Final = ("path", "skip_missing")
"""Settings of a data set that say how its content is found, and not what it is."""


def canonical_json(values: Mapping[str, Any]) -> str:
    """Return a dumped configuration as JSON with sorted keys and no spaces, without what makes no other run.

    That is how a file is found and read (the hash of its content stands for it) and what is in :data:`LATER`.
    """
    told = {name: dict(group) if isinstance(group, Mapping) else group for name, group in values.items()}
    if isinstance(told.get("dataset"), dict):
        for name in FOUND_BY:
            told["dataset"].pop(name, None)
    for (group, name), before in LATER.items():
        if isinstance(told.get(group), dict) and told[group].get(name) == before:
            del told[group][name]
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def run_id_of(canonical: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a canonical JSON."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


class RunConfig(Frozen):
    """Everything that determines a run. Device, store and time limit are not part of it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    dataset: DatasetConfig = DatasetConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    seed: Seed = 0

    def canonical_json(self) -> str:
        """See :func:`canonical_json`."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the SHA-256 of the canonical JSON."""
        return run_id_of(self.canonical_json())
