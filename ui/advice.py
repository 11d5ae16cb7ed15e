"""What each setting of a training does and when to touch it, in groups that are told in a sentence each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Settings that belong together.

    Attributes
    ----------
    title : str
        Heading.
    about : str
        What they do and when to touch them, in a sentence.
    settings : dict of str to str
        By dotted name, what the setting does and when to touch it.
    """

    title: str
    about: str
    settings: dict[str, str]


_DISORDER = {
    "rotation": "How far {half} images are turned at most, in degrees. Raise it to make the task harder.",
    "shear": "How far {half} images are sheared at most, in degrees. Raise it to make the task harder.",
    "shift": "How far {half} images are shifted at most, as a fraction of the side. Raise it to make the task harder.",
    "scale": "Smallest and largest size factor of {half} images. Widen it to make the task harder.",
}

GROUPS: tuple[Group, ...] = (
    Group(
        "How long",
        "How often the model sees the images: train longer where the accuracy still rises at the end.",
        {
            "training.epochs": "How often all images are gone through. More take longer; touch it first where the "
            "accuracy still rises at the end, and for a quick look set it to 1 or 2.",
            "training.starts": "Short trainings at the beginning, of which the best goes on. With few labels they "
            "protect from a bad beginning; set 1 to save the time.",
            "training.start_epochs": "Epochs of each short start. Leave it, unless starts come out alike.",
            "training.min_steps": "Fewest steps of an epoch, so that a small data set is seen several times in each. "
            "Lower it for a quick look at few images.",
            "training.early_stop": "Epochs without a lower training loss after which the training ends by itself. Set "
            "it for very long trainings; empty, the training goes to its end.",
        },
    ),
    Group(
        "Images",
        "What is drawn or read; of your own images only the view and the grey levels can be chosen.",
        {
            "dataset.view": "What the model sees: the image as it is, its silhouette (mask), or the inside of the mask "
            "on black (masked). Take mask or masked where neighbours or the background mislead it.",
            "dataset.intensity": "Raw grey levels that become black and white, two numbers. Set them on the Data page, "
            "where what they do is seen.",
            "dataset.skip_missing": "Pass over rows of a table of labels whose picture is not there. Only for such "
            "tables.",
            "dataset.size": "Side of the generated images in pixels. Smaller ones are trained on faster.",
            "dataset.train_per_class": "Generated training images per class, labelled and unlabelled together. Fewer "
            "make a quicker and harder task.",
            "dataset.validation_per_class": "Generated images per class that the accuracy is measured on. More make it "
            "more precise.",
            "dataset.seed": "Seed of the generated images. Another one draws other images of the same kind.",
            **{
                f"dataset.{half}.{name}": sentence.format(half=half)
                for half in ("labelled", "unlabelled")
                for name, sentence in _DISORDER.items()
            },
        },
    ),
    Group(
        "Validation",
        "How much the accuracy is measured on; more makes it more precise and leaves fewer labels to learn from.",
        {
            "split.validation_fraction": "Share of the labelled images that is held out to measure the accuracy, where "
            "the data bring no such part of their own.",
        },
    ),
    Group(
        "Model",
        "What the model can express: leave it, unless classes stay mixed after a long training.",
        {
            "model.latent_dim": "Dimension of the content latent z, the axes of the map. 2 can be drawn; take 3 to 10 "
            "where classes overlap on the map although the model tells them apart.",
            "model.second_opinion": "Measured shapes and ring spectra have a say in the class, where they tell labels "
            "better that were left out. Leave it on for real particles; it costs little.",
            "model.standardise": "The classifier sees every image at equal brightness and contrast. Leave it on where "
            "exposure differs between micrographs.",
            "model.centre": "Bring the centre of intensity to the middle of the image first. Switch it off where "
            "neighbouring particles pull it away.",
            "model.likelihood": "How grey levels are compared with what is drawn. Gaussian suits noisy grey images, "
            "Bernoulli images that are nearly black and white.",
            "model.gaussian_sd": "Noise of a pixel that the Gaussian likelihood expects. Raise it for noisy images.",
            "model.networks": "Convolutions (conv) or fully connected layers alone (mlp), as the paper has them.",
            "model.channels": "Widths of the convolutions, with commas between. Wider is slower and seldom better.",
            "model.hidden": "Widths of the fully connected layers, with commas between. Leave it.",
            "model.activation": "Function between the layers. Leave it.",
        },
    ),
    Group(
        "Rotation and position",
        "How the ss-rVAE takes orientation and position out of the image: touch it where particles sit off-centre or "
        "crops show their neighbours.",
        {
            "model.disc": "Radius of the disc that is compared, in half sides of the image. Lower it where corners "
            "show neighbours.",
            "model.radii": "Rings of the polar grid. More resolve finer detail and are slower.",
            "model.angles": "Directions of the polar grid. More resolve the angle better and are slower.",
            "model.shift_steps": "Small shifts in each direction that are tried as well; 0 tries none. Set 1 where "
            "particles are not centred to a pixel; it is slower.",
            "model.shift_step": "Length of such a shift in pixels.",
            "model.angle_prior": "Whether unlabelled images may be turned any way (uniform) or are nearly upright "
            "(von_mises). Leave it uniform for particles on a grid.",
            "model.angle_prior_labelled": "The same of labelled images. Take von_mises where you turned them upright.",
            "model.angle_concentration": "How nearly upright that is: 8 is about 20 degrees, more is closer.",
            "model.angle": "The paper's model alone: a latent for the angle.",
            "model.angle_sd": "The paper's model alone: how far angles spread beforehand, in radians.",
            "model.translation": "The paper's model alone: latents for the shift. Switch it on where particles are not "
            "centred.",
            "model.translation_sd": "The paper's model alone: how far shifts spread beforehand, in half sides.",
            "model.scaling": "The paper's model alone: a latent for the size. Switch it on where sizes differ and do "
            "not matter.",
            "model.scaling_sd": "The paper's model alone: how far size factors spread beforehand.",
            "model.pixel_fraction": "The paper's model alone: share of the pixels drawn in a step. Less is faster and "
            "noisier.",
        },
    ),
    Group(
        "Variation that does not matter",
        "Changes of an image that leave its class as it is: widen them to what your particles show, and no further.",
        {
            "training.augment": "Change images at random in training by what does not matter for the class. Leave it "
            "on, unless every change matters.",
            "training.augmentation.rotation": "Any rotation; the ss-VAE, which is the control, never has it.",
            "training.augmentation.shear": "Shear at most, in degrees. Raise it where particles are seen tilted.",
            "training.augmentation.scale": "Change of size at most, as a logarithm. Set 0 where the size tells classes "
            "apart.",
            "training.augmentation.shift": "Shift at most, as a fraction of the side. Raise it where particles sit "
            "off-centre.",
            "training.augmentation.intensity": "Change of contrast and brightness at most. Set 0 where the grey level "
            "tells classes apart.",
        },
    ),
    Group(
        "What is learnt from what",
        "Weights of the terms of the loss: touch them to see what a term does; the presets have values that work.",
        {
            "training.aux_weight": "Weight of telling the labelled images right. Raise it where the model gets its own "
            "labels wrong.",
            "training.consistency_weight": "Weight of telling an unlabelled image the same however it is changed; 0 "
            "switches it off. It is what learns classes from unlabelled images.",
            "training.consistency_threshold": "Confidence from which an unlabelled image counts for that. Lower it "
            "where few images ever do.",
            "training.generative_weight": "Weight of drawing the images well (ELBO); 0 trains the classifier alone.",
            "training.classifier_elbo_weight": "Share of that which reaches the classifier; 1 is as published (M2).",
            "training.beta_start": "Weight of the prior of the latents (KL) at the start. Raise it for a rounder map.",
            "training.beta_end": "The same at the end.",
            "training.beta_ramp_epochs": "Epochs over which it goes from start to end; 0: at once.",
            "training.gauge_weight": "Weight of drawing a class the way up its upright labelled images are; 0 where "
            "they are not upright.",
            "training.generative_shear": "Upright labelled images count as sheared ones, too. Goes with the gauge.",
            "training.labelled_epochs": "First epochs in which upright labelled images alone teach what is drawn. Goes "
            "with the gauge.",
        },
    ),
    Group(
        "Steps",
        "How the optimiser goes: lower the learning rate if the loss jumps or is not a number; leave the rest.",
        {
            "training.learning_rate": "Length of a step. Lower it three-fold if the loss jumps or is not a number.",
            "training.schedule": "Whether the learning rate falls to 0 along a cosine or stays.",
            "training.batch_size": "Unlabelled images per step. Smaller batches learn more per epoch and take longer.",
            "training.labelled_batch_size": "Labelled images per step; a small labelled part is gone through again and "
            "again.",
            "training.gradient_clip": "Largest gradient, in units of its running mean. Lower it if the loss jumps.",
        },
    ),
    Group(
        "What is kept",
        "How often the training is written down, for resuming it and for its film: they change no result.",
        {
            "training.checkpoint_every": "Epochs between checkpoints, from which a stopped training goes on.",
            "training.snapshot_every": "Epochs between the frames of the training film. Raise it for long trainings.",
            "training.tracked": "Validation images in each frame. Fewer make a smaller run.",
        },
    ),
)
"""All settings that a form shows, in the order in which it shows them."""

ADVICE: dict[str, str] = {name: help for group in GROUPS for name, help in group.settings.items()}
"""What each setting does and when to touch it, by its dotted name."""
