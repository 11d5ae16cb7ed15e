"""The sentences of the Learn page; the numbers in them are those of the image on the turntable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssrvae_core.evaluation.turning import Turning
from ssrvae_core.shares import share
from ui.learn import angles_text, wrong_at
from ui.markdown import Markdown, filled

OPENING = (
    "A card on a table, or a particle under a microscope, can lie at any angle. It stays the same thing. "
    "**Turn the image with the slider, and watch which model still knows what it is.**"
)

HOW = (
    "**How the answer comes about.** The ss-rVAE reads the image on rings around its centre and pools over the angle,"
    " so that a turn changes nothing in what its network says of the class, and in training it had to draw every image"
    " again, labelled or not, at whatever angle fits. If it was trained with a second opinion, a simple rule on"
    " measurements of the shape answers as well, and labels left out of training say whether the network, the rule or"
    " both are believed."
)

WORDS = """
**Semi-supervised.** Labels are expensive: a person has to look at each image. So the models here get many images but
only a few labels. From the labels they learn the names of the classes; from all images they learn what there is to see.

**Latent space.** The models describe an image by its class and a few numbers, the latent variables *z*: for instance
how slim the shape is. Images with similar *z* look alike. All possible values of *z* together are the latent space.

**Invariance.** Something is invariant if it stays the same while something else changes. Your class does not change
when you lie down. The ss-rVAE has this built in: it tries every angle at once and adds up the evidence. The ss-VAE has
not: it would have to see every class at every angle, with labels.

**Posterior.** What can be said of an unknown after looking: a probability for every value it could have. The shape on
the circle is the posterior of the angle. A narrow peak means "I am sure"; two peaks mean "it is one of these".

**Second opinion.** A ruler can know what a network does not: how round or how long a shape is. An ss-rVAE can have a
simple rule on such measurements beside its network; the Confusion page then says which of the two it believes.

**Autoencoder.** A network that draws an image again from its short description. If the drawing is good, the description
holds what matters. The ss-rVAE keeps the angle apart from *z*, so it can draw every image with the turn taken out.
"""


@dataclass(frozen=True)
class Step:
    """One step of the experiment: plain text, and the answer."""

    task: str
    question: str
    answer: Markdown


def steps(
    titles: Sequence[str], seen: Sequence[Turning], truth: int, name: str, labelled_range: float | None
) -> list[Step]:
    """Return the guided experiment on one image.

    Parameters
    ----------
    titles, seen : sequence
        The models' names, and what each says of the image.
    truth : int
        Its class, -1 where unknown.
    name : str
        Name of that class.
    labelled_range : float, optional
        Half-range of the angles labelled images have, degrees; None where that is not known.
    """
    first = Step(
        "Put the slider at 0°.", "How sure do you expect each model to be of the class?", _at(titles, seen, truth, 0)
    )
    second = Step(
        "Turn slowly to 90°, then all the way round.",
        "At which angles does each model change its mind?",
        _round(titles, seen, truth, name, labelled_range),
    )
    third = Step(
        "Watch what each model draws while you turn.",
        "What do you expect to happen to the two drawings?",
        filled(
            "A model without rotation has to describe the angle by class and *z*: its drawing turns along, blurs, or"
            " becomes something else. The ss-rVAE explains the turn by its angle, so its drawing stays the same."
        ),
    )
    fourth = Step(
        "Look at the shape on the circle, and choose another class.",
        "For which class do you expect two peaks?",
        filled(
            "A peak moves by as much as you turn: the angle was never labelled, the model finds it by itself. Its"
            " zero is that of the labelled images, where they come nearly upright; else it chooses one for each class."
            " A shape that looks the same after half a turn, such as diamonds, gives two peaks: nothing in the image"
            " can tell which one is right."
        ),
    )
    return [first, second, third, fourth]


def _at(titles: Sequence[str], seen: Sequence[Turning], truth: int, degrees: int) -> Markdown:
    """Say how sure each model is of the true class at one angle."""
    if truth < 0:
        return filled("The true class of this image is not known, so look whether the models agree.")
    row = [int(np.flatnonzero(one.degrees == degrees)[0]) for one in seen]
    parts = [
        f"{title} gives the true class {share(float(one.class_prob[at, truth]))}"
        for title, one, at in zip(titles, seen, row, strict=True)
    ]
    return filled(
        "{each}. Labelled images look like this one, so it is the easy case: a model without the invariance can be as "
        "sure here, or surer.",
        each="; ".join(parts),
    )


def _round(
    titles: Sequence[str], seen: Sequence[Turning], truth: int, name: str, labelled_range: float | None
) -> Markdown:
    """Say at which angles each model is wrong, and why that is so."""
    if truth < 0:
        return filled("The true class of this image is not known, so count how often each model changes its mind.")
    counts = ". ".join(
        f"{title} is wrong {angles_text(wrong_at(one, truth), len(one.degrees))}"
        for title, one in zip(titles, seen, strict=True)
    )
    why = (
        f"The labels only showed {name} turned by at most {labelled_range:g}° (the frame in the strips)."
        if labelled_range is not None and labelled_range < 180
        else ""
    )
    return filled(
        "{counts}.{why} A model with the invariance needs no other angles: whatever it learnt of one, it knows of all.",
        counts=counts,
        why=filled(" {why}", why=why) if why else "",
    )


def terms(titles: Sequence[str], seen: Sequence[Turning], truth: int, degrees: int) -> Markdown:
    """Explain the terms of the loss with their values at one angle, as a Markdown list."""
    at = int(np.flatnonzero(seen[0].degrees == degrees)[0])

    def now(values: Sequence[np.ndarray]) -> str:
        return ", ".join(f"{title} {value[at]:.2f}" for title, value in zip(titles, values, strict=True))

    lines = [
        "Training makes these three small. A *nat* is a unit of surprise: 0 is no surprise at all.",
        "- **Reconstruction**: how surprising the image is, given what the model draws. A good drawing makes it small; "
        "compare it between angles, not between the models, which look at different pixels. "
        "*Now, at {degrees}°: {reconstruction}.*",
        "- **KL of z** (Kullback-Leibler divergence): how far the description *z* of this image is from that of a"
        " typical one. It keeps the latent space in one piece, without holes, so that any point of it can be drawn. "
        "*Now: {kl}.*",
    ]
    values: dict[str, object] = {
        "degrees": degrees,
        "reconstruction": now([one.reconstruction for one in seen]),
        "kl": now([one.kl for one in seen]),
    }
    if truth >= 0:
        guessing = np.log(seen[0].class_prob.shape[1])
        lines.append(
            "- **Classification**: how surprised the model is by the true class. Only labelled images can have this"
            " term; 0 means certain and right, and {guessing} is guessing. *Now: {classification}.*"
        )
        values |= {"guessing": f"{guessing:.2f}", "classification": now([one.classification(truth) for one in seen])}
    return filled("\n".join(lines), **values)


def pixels(name: str, turned: float, others: Mapping[str, float]) -> Markdown:
    """Explain why a turn is a long way in pixels, by distances to the image turned and to other classes."""
    start = (
        "**Why turning is hard for a computer.** To a computer an image is a list of pixel values. Turn it, and nearly"
        " every pixel takes another value, although nothing has changed for you. "
    )
    distances = "".join(f", {value:.2f} from one of the {other}" for other, value in others.items())
    here = f"Measured on this image of the {name}: {turned:.2f} apart from itself turned by 90°{distances}"
    scale = " (root mean squared difference of the pixels; 0 is the same image, 1 is black against white)."
    return filled(start + "{here}" + scale, here=here)
