"""Supervised ratio (Video 3): one slider over models that are trained already, and the accuracy that comes of it."""

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures.counts import validation_text
from ssrvae_core.invocation import demo_command
from ssrvae_core.reports.film import ALIGNED
from ssrvae_core.reports.label_axis import RATIO, amounts_in_words
from ssrvae_core.runs.comparison import list_rivals
from ssrvae_core.runs.mode import is_viewer
from ui import films, markdown, ratio_film, ratios
from ui.entry import in_a_sentence, through_app
from ui.markdown import note, public, verbatim
from ui.overview import complaint
from ui.presentation import places, presenting
from ui.runs import caption, finished, n_images, nothing_yet, store
from ui.state import drop, pick

PAGE = "ratio"

through_app()
_, choices, stage = places("Supervised ratio")
opening = choices.container()
runs, broken = store().scan()
trained, complaints = ratio_film.readable_runs(ratios.swept(finished(runs)))
with choices:
    for sentence in complaints:
        markdown.error(sentence)
films_of_store = ratios.families(trained)
shelf = ratio_film.shelf(films_of_store, st.query_params.get("ratio"))


def nothing_of_own() -> None:
    """Say what to do about a store without a film."""
    if films_of_store or complaints:
        return
    if finished(runs):
        st.info(
            "No run of this store was trained at a supervised ratio, and none with several numbers of labels per class."
            " The command below trains both models at four ratios."
        )
        st.code(public(demo_command()), language="bash")
    else:
        nothing_yet(unfinished=len(runs) + len(broken))


if shelf.remark:
    with choices:
        markdown.warning(shelf.remark)
if not shelf.families:
    nothing_of_own()
    st.stop()

# Which runs.

families = {family.id: family for family in shelf.families}
columns = iter(choices.columns([2, 1, 1]))
if len(families) > 1:
    with next(columns):
        labels = shelf.labels()
        family = families[
            pick(PAGE, "of", "Data set", list(families), next(iter(families)), format_func=labels.__getitem__)
        ]
else:
    (family,) = shelf.families
    with choices:
        drop("of", "Data set", family.id)
ready = family.id == shelf.ready
if not presenting():
    with opening:
        came = "These runs came with the program." if ready else ""
        markdown.show("How many labels does a model need? Move the slider, or let it play. {came}", came=came)
seeds = [str(seed) for seed in family.seeds]
if len(seeds) > 1:
    with next(columns):
        help = "Of the frames; the curves are the mean over all seeds, from the lowest to the highest."
        seed = int(pick(PAGE, "seed", "Seed", seeds, seeds[0], help=help))
else:
    seed = family.seeds[0]
    with choices:
        drop("seed", "Seed", seeds[0])
rivals = ratios.rivals_of(family, list_rivals(store()))
film = ratio_film.film_of(family, rivals, seed)

# What is missing, and what is being trained of it.

untrained = ratio_film.untrained(family, film)
lacking = {amount: ratios.missing(family, amount, seed) for amount in {*family.amounts, *untrained}}
wanted = {config.run_id for configs in lacking.values() for config in configs}
asked_for = {amount: ratio_film.works_of(store(), configs) for amount, configs in lacking.items()}
works = [work for of_step in asked_for.values() for work in of_step]
live = [work.id for work in works if work.live]
with choices.container():  # also where it is empty: a film that changes its place on the page would start again
    for lost in broken:
        if lost.id in wanted:
            markdown.warning(complaint(lost) or lost.id)
    if live:
        ratio_film.progress(store(), [config for configs in lacking.values() for config in configs], live)
    else:
        ratio_film.show_works(store(), works)
offers = {
    amount: ratios.offer(configs, family.axis, amount)
    for amount, configs in lacking.items()
    if configs and not asked_for[amount] and not is_viewer()
}


def start_training(amount: float) -> None:
    """Train what is missing at the number of labels whose button was pressed."""
    try:
        ratio_film.train(store(), lacking[amount])
    except UserError as error:
        markdown.error(str(error))
    else:
        st.rerun()


@st.fragment
@in_a_sentence
def show() -> None:
    """Show the film; a step of it changes the address and the links below it, nothing else."""
    reel = ratio_film.reel_of(family, rivals, seed, film, films.width_of(PAGE), films.room_of(PAGE))
    now = films.show(
        PAGE,
        "ratio",
        film.axis.capitalize(),
        reel,
        pause=films.PAUSE_MS[film.axis],
        file_name=f"{film.axis.replace(' ', '-')}-{family.id}",
        offers=offers,
        on_offer=start_training,
    )
    here = [run for run in family.of_seed(seed) if ratios.amount_in(run) == reel.steps[now]["position"]]
    here.sort(key=lambda run: family.models.index(run.config.model.name))
    about = caption(here, *n_images(here[0])) if here else f"{family.runs[0].data_name}, nothing trained."
    note(f"{about} {ALIGNED} {spread()}")
    with st.container(horizontal=True, vertical_alignment="center"):
        films.menu(
            f"{film.axis.replace(' ', '-')}-{family.id}",
            film.axis.capitalize(),
            summary(),
            film,
            lambda: film.figure(start=reel.steps[now]["position"], missing=untrained),
            lambda: ratios.ratio_table(family, rivals),
        )
        if here and not ready:  # which has no model to look into
            at = reel.steps[now]["label"] if family.axis == RATIO else here[0].labels_in_words
            chosen = {"left": here[0].id, "right": here[1].id if len(here) > 1 else "none"}
            st.page_link(
                "pages/latent_space.py",
                label=verbatim(f"These runs in Latent space ({at})"),
                icon=":material/scatter_plot:",
                query_params=chosen,
            )


def spread() -> str:
    """Say what the curves are made of."""
    parts = []
    if len(family.seeds) > 1:
        parts.append(
            f"Curves: mean over the seeds {', '.join(map(str, sorted(family.seeds)))}, from lowest to highest."
        )
    if rivals:
        parts.append("Dashed: other methods on the same labels.")
    if family.others:
        parts.append(f"{family.others} runs with other settings of their model are left out.")
    return " ".join(parts)


def summary() -> str:
    """Caption the film as a file: data, N, models, ratios and seeds."""
    first = family.runs[0]
    n, judged = n_images(first)
    text = f"{'at' if family.axis == RATIO else 'with'} {amounts_in_words(family.axis, *family.amounts)}"
    names = " and ".join(track.name for track in film.tracks)
    ids = ", ".join(run.id for run in sorted(family.of_seed(seed), key=ratios.amount_in))
    return (
        f"{first.data_name}, {validation_text(judged, n)}. {names} {text}, "
        f"seed {seed}: runs {ids}. {ALIGNED} {spread()}"
    )


with stage:
    show()
if family.id in (shelf.ready, shelf.part):
    ratio_film.offer_labels(store())
nothing_of_own()
