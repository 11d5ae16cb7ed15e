"""Commands for embeddings: ``embed``, ``embeddings``, ``propose`` and ``classify``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ssrvae_core.cli.app import (
    RESUMES,
    Detach,
    Device,
    Json,
    ShownView,
    SkipMissing,
    Store,
    app,
    file_data,
    images_for,
    interruptible,
    setting,
    setting_names,
    spare,
)
from ssrvae_core.cli.compare import LEAVES
from ssrvae_core.cli.console import (
    epoch_progress,
    in_percent,
    print_json,
    print_sections,
    print_submitted,
    print_table,
    say,
)
from ssrvae_core.config import DATASETS, DatasetConfig, EmbeddingConfig, ModelConfig, UserError
from ssrvae_core.invocation import command
from ssrvae_core.runs import EmbeddingRun, EmbeddingStore, RunStore, embedding_config
from ssrvae_core.runs.interrupting import leaving_within
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.progress import roughly
from ssrvae_core.times import time_text

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from ssrvae_core.data.labels import Labels
    from ssrvae_core.runs.embeddings.files import Samples
    from ssrvae_core.runs.embeddings.progress import EmbeddingProgress

EmbeddingId = Annotated[str, typer.Argument(metavar="EMBEDDING", help="An embedding's id, or the beginning of it.")]
LabelTable = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="A table with the columns id or file, and label, in place of the labels that the data bring.",
    ),
]


def _names() -> Iterator[str]:
    """Yield the dotted names that ``--set`` takes."""
    yield from (f"embedding.{name}" for name in setting_names(ModelConfig))
    yield from (f"embedding.{name}" for name in setting_names(EmbeddingConfig) if not name.startswith("model."))
    yield from (f"dataset.{name}" for name in setting_names(DatasetConfig))


@app.command(epilog="Settings for --set: " + ", ".join(_names()) + ".")
def embed(
    data: Annotated[str, typer.Option(help=f"{', '.join(DATASETS)}, or the path of an image file or folder.")],
    seed: Annotated[int, typer.Option(help="Seed of the training, and of the proposals.")] = 0,
    view: ShownView = None,
    skip_missing: SkipMissing = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Such as embedding.latent_dim=8.")
    ] = None,
    detach: Detach = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Learn the features of a data set without labels, once, or go on with it; masks are used where there are some."""
    given = dict(setting(text) for text in settings or [])
    for option, value, name in (("--seed", seed, "seed"), ("--view", view, "dataset.view")):
        if value and name in given:
            raise UserError(f"{option} and --set {name} say the same thing; give one of them.")
    named = data in DATASETS
    dataset, loader = (None, None) if named else file_data(data, view, skip_missing)
    changes = {"dataset.view": view} if view else {}
    config = embedding_config(data=data if named else None, dataset=dataset, seed=seed, settings=changes | given)
    if detach:
        from ssrvae_core.runs.embeddings.execute import check

        check(config, device)
        print_submitted(JobQueue(RunStore(store)).submit("embed", embedding=config, device=device), as_json)
        return
    from ssrvae_core.runs.embeddings.execute import train_embedding

    with interruptible(), epoch_progress() as progress, leaving_within(LEAVES, lambda: _interrupted(progress)):
        task = progress.add_task("embedding", total=1.0, at="starting", news="")

        def tell(now: EmbeddingProgress) -> None:
            left = "" if now.seconds_left is None else f", {roughly(now.seconds_left)}"
            progress.update(task, completed=now.share, at=f"{now.in_words}{left}")

        one = train_embedding(config, RunStore(store), device=device, on_progress=tell, loader=loader)
    print(f"Embedding {one.id} is {one.status.state} after {one.status.seconds:.0f} s, in {one.path}.")
    if one.status.state == "finished":
        print(f"'{command(f'propose {one.id[:6]}')}' says which images to label first.")
    else:
        print(f"The same command {_goes_on(one)}.")
    if as_json:
        print_json(_row(one))


@app.command()
def embeddings(
    embedding_id: Annotated[str | None, typer.Argument(metavar="[EMBEDDING]", help="Show this one.")] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """List the embeddings, last updated first."""
    there = EmbeddingStore(RunStore(store))
    if embedding_id is not None:
        show_embedding(there.get(embedding_id), as_json)
        return
    found, broken = there.scan()
    table = Table("id", "data", "images", "labelled", "seed", "state", "done", "updated")
    for one in found:
        images, labelled = (str(value) if value is not None else "-" for value in (one.n_images, one.status.n_labelled))
        done, updated = in_percent(one.share), time_text(one.status.updated, seconds=True)
        table.add_row(one.id, one.data_name, images, labelled, str(one.config.seed), one.status.state, done, updated)
    for lost in broken:
        table.add_row(lost.id, "", "", "", "", "broken", "", "")
    print_table(table) if found or broken else print(f"There are no embeddings in {there.store.root} yet.")
    for one in found:
        if one.status.error is not None:
            say(f"{one.id} {one.status.state}: {one.status.error}")
    for lost in broken:
        say(f"{lost.id} is broken: {lost.reason}")
    if as_json:
        print_json([*map(_row, found), *({"id": lost.id, "state": "broken", "error": lost.reason} for lost in broken)])


def show_embedding(one: EmbeddingRun, as_json: bool) -> None:
    """Show an embedding's state and configuration."""
    row = _row(one)
    shown = row | {"seconds": round(row["seconds"], 1), "updated": time_text(row["updated"], seconds=True)}
    for name, value in (shown | {"share": in_percent(row["share"])}).items():
        if value is not None:
            print(f"{name:>18}  {value}")
    print_sections(one.config)
    if as_json:
        print_json(row | {"config": one.config.model_dump(mode="json")})


@app.command()
def propose(
    embedding_id: EmbeddingId,
    labels: LabelTable = None,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Images to propose.")] = 10,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Say which images to label next, the most telling first."""
    one = EmbeddingStore(RunStore(store)).get(embedding_id)
    images = one.images()
    samples, told = images.samples, _labels(images.samples, labels)
    chosen = images.answers.propose(told.index, n)
    if not len(chosen):
        print("Every image has a label already; a table of fewer, with --labels, takes the place of those of the data.")
    rows: list[dict[str, Any]] = [
        {
            "id": int(samples.ids[position]),
            "name": samples.name(position) or None,
            "group": samples.group(position) or None,
            "outlier_score": round(float(images.answers.outlier_scores[position]), 3),
        }
        for position in chosen.tolist()
    ]
    table = Table("id", "file", "micrograph", "outlier score", title="To label next")
    for row in rows:
        table.add_row(str(row["id"]), row["name"] or "-", row["group"] or "-", f"{row['outlier_score']:.2f}")
    if rows:
        print_table(table)
    if as_json:
        print_json({"id": one.id, "labelled": int((told.index >= 0).sum()), "propose": rows})


@app.command()
def classify(
    embedding_id: EmbeddingId,
    out: Annotated[Path, typer.Option(help="The table to write, as CSV.")],
    labels: LabelTable = None,
    data: Annotated[
        str | None, typer.Option(help="Other images, an image file or folder; by default those of the embedding.")
    ] = None,
    skip_missing: SkipMissing = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Classify all images from a few labels, and write class, confidence and every probability as a table."""
    import numpy as np

    from ssrvae_core.data.dataset import UNLABELLED
    from ssrvae_core.data.labels import Labels
    from ssrvae_core.runs.embeddings.labels import present
    from ssrvae_core.runs.tables import write_classes

    runs = RunStore(store)
    one = EmbeddingStore(runs).get(embedding_id)
    spare(out, runs, data)
    images = one.images()
    told = present(_labels(images.samples, labels))
    if not told.class_names:
        raise UserError(
            f"No image of embedding {one.id} has a label; label some of those that"
            f" '{command(f'propose {one.id[:6]}')}' names, and give the table with --labels."
        )
    if data is None:
        samples, given, scores = images.samples, told, images.answers.outlier_scores
        probabilities = images.answers.predict_proba(told.index)
    else:
        samples, probabilities = _others(one, data, told, skip_missing, device)
        given, scores = Labels(np.full(len(samples), UNLABELLED), told.class_names), None
    write_classes(out, samples, given, probabilities, scores)
    n, labelled = len(samples), int((told.index >= 0).sum())
    n_classes = len(told.class_names)
    from_labels = f"{labelled} {'label' if labelled == 1 else 'labels'} of"
    from_labels += f" {n_classes} {'class' if n_classes == 1 else 'classes'}"
    print(f"Wrote the classes of {n} {'image' if n == 1 else 'images'} to {out}, from {from_labels}.")
    if as_json:
        counts = {name: int((probabilities.argmax(axis=1) == k).sum()) for k, name in enumerate(told.class_names)}
        print_json({"id": one.id, "images": n, "labelled": labelled, "classes": counts, "out": str(out)})


def _interrupted(progress: Progress) -> None:
    """Say that nothing is lost, from a computation that does not listen."""
    progress.console.show_cursor()
    say(f"Interrupted; {RESUMES}.")


def _labels(samples: Samples, table: Path | None) -> Labels:
    """Return the labels of a table, else those that the data bring; say how doubtful ones were taken."""
    from ssrvae_core.runs.embeddings.labels import read_labels

    if table is None:
        return samples.labels
    labels = read_labels(table, samples)
    for remark in labels.remarks:
        say(remark)
    return labels


def _others(
    one: EmbeddingRun, data: str, labels: Labels, skip_missing: bool, device: str
) -> tuple[Samples, np.ndarray]:
    """Return images that are not the embedding's, and their class probabilities."""
    from ssrvae_core.data import naming, whole
    from ssrvae_core.runs.embeddings.files import Samples

    embedding = one.embedding(device)
    asked = images_for(one, data, skip_missing, generated=False)
    images = whole(asked.images)
    (channels, height, width), own = images.image_shape, one.images().image_shape
    with naming(asked.config):
        if (channels, height, width) != own:
            raise UserError(
                f"Its images have {height} x {width} pixels and {channels} channels, but those of embedding {one.id}"
                f" have {own[1]} x {own[2]} and {own[0]}; give images of that size."
            )
        return Samples.of(images), embedding.predict_proba(labels.index, images.images, images.masks)


def _goes_on(one: EmbeddingRun) -> str:
    goes_on = one.progress.goes_on if one.progress else ""
    return f"goes on from {goes_on}" if goes_on else "begins again"


def _row(one: EmbeddingRun) -> dict[str, Any]:
    """Return what ``embeddings`` says of one."""
    return {
        "id": one.id,
        "state": one.status.state,
        "data": one.data_name,
        "seed": one.config.seed,
        "images": one.n_images,
        "labelled": one.status.n_labelled,
        "steps": one.steps,
        "steps_done": one.steps_done,
        "share": one.share,
        "seconds": one.status.seconds,
        "updated": one.status.updated,
        "device": one.status.device,
        "path": str(one.path),
        "error": one.status.error,
    }
