"""The command that judges a trained model: ``evaluate``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ssrvae_core.cli.app import Device, Json, RunId, SkipMissing, Store, app, images_for
from ssrvae_core.cli.console import print_evaluation, print_json, say
from ssrvae_core.config import UserError
from ssrvae_core.runs import Run, RunStore

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet
    from ssrvae_core.models import SSVAE


@app.command()
def evaluate(
    run_id: RunId,
    data: Annotated[str | None, typer.Option(help="Other images: a data set's name, or a path.")] = None,
    skip_missing: SkipMissing = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Judge a trained model: on its own validation images, or on others.

    Of a data set with a validation part that part is used, else every labelled image.
    """
    run = RunStore(store).get(run_id)
    if data is None:
        if run.status.validation is None:
            raise UserError(f"Run {run.id} has no evaluation: it is {run.status.state}; train it to the end first.")
        values = run.status.validation
    else:
        from ssrvae_core.data import naming, split, whole
        from ssrvae_core.evaluation.evaluate import evaluate as judge

        asked = images_for(run, data, skip_missing)
        images = whole(asked.images)
        with naming(asked.config):
            if asked.is_own() and asked.config.source == "file":
                say(f"Run {run.id} was trained on {data}; only the images it held out are judged.")
                images = split(images, run.config.split).validation
            model = run.model(device)
            say_who_is_not_asked(model, images.has_masks)
            values = judge(model, _as_the_run_labels(images, run, data))
    print(f"Run {run.id} on {data or 'its validation images'}:")
    print_evaluation(values, run.class_names)
    if as_json:
        print_json({"id": run.id, "data": data, **values})


def say_who_is_not_asked(model: SSVAE, masks: bool) -> None:
    """Say so where the network tells the classes alone, as the images have no masks."""
    if model.opinion is not None and model.opinion.counts and model.opinion.needs_masks and not masks:
        say(
            "The run's shape descriptors were measured on masks, which these images lack: the network tells them alone."
        )


def _as_the_run_labels(images: ImageSet, run: Run, data: str) -> ImageSet:
    """Return the images to judge a run on, their classes numbered as the run numbers them."""
    import numpy as np

    chosen = images.labels >= 0 if images.validation is None else images.validation & (images.labels >= 0)
    if not chosen.any():
        raise UserError(f"No image of {data} has a label to judge by; use 'predict' for images without labels.")
    images = images.take(np.flatnonzero(chosen))
    unnamed = images.class_names == tuple(map(str, range(images.n_classes)))
    if unnamed and not set(images.class_names) & set(run.class_names) and images.n_classes <= len(run.class_names):
        say(
            f"{data} does not name its classes; they are taken in the order of the run's: {', '.join(run.class_names)}."
        )
        return replace(images, class_names=run.class_names)
    if unknown := [name for name in images.class_names if name not in run.class_names]:
        raise UserError(
            f"{data} has the class '{unknown[0]}', which run {run.id} does not know; "
            f"its classes are {', '.join(run.class_names)}."
        )
    number = np.array([run.class_names.index(name) for name in images.class_names])
    return replace(images, labels=number[images.labels], class_names=run.class_names)
