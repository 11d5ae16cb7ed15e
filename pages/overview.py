"""Overview: what the dashboard is for, the store at a glance, what is being trained, and the way to each run."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ssrvae_core.runs import BrokenRun, Run
from ssrvae_core.runs.comparable import same_images
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import with_owners_names
from ssrvae_core.times import with_local_times
from ui import best, export, manage, markdown
from ui.compare import FEWEST, MOST
from ui.entry import in_a_sentence, through_app
from ui.jobs import STOPPED, TRAIN, Work, all_work, bar, buttons, last_change, stopped_text
from ui.markdown import note, public, verbatim
from ui.overview import LIVE, complaint, runs_table
from ui.run_list import run_list
from ui.run_list.rows import GROUPINGS, data_sets, shown, sort_of
from ui.runs import NO_RUN, finished, nothing_yet, partner, store
from ui.state import not_there, pick

LATENT = "pages/latent_space.py"
LIBRARY = "pages/library.py"
ALL = "all"
MOST_WAITING = 5
MOST_STOPPED = 10
LOG_LINES = 3
WHY_HEIGHT = 48
"""Pixels for two lines on what is ticked: the list below does not move by what they say; what is longer scrolls."""
LOOK = 5.0  # seconds between two looks at whether something changed while nothing is trained

through_app()
st.title("Overview")
manage.news()
seen = last_change(store())
runs, broken = store().scan()
# Every epoch updates a run: those under way go by their ids, so that the table stands still and keeps what is selected.
runs.sort(key=lambda run: (run.status.state not in LIVE, run.id if run.status.state in LIVE else ""))
work = all_work(store(), runs)
live = {(one.id, one.state) for one in work if one.live}


@st.fragment(run_every=2 if live else None)
@in_a_sentence
def under_way() -> None:
    """Show what is trained and what waits for it, and draw the page again when that changes."""
    now = [one for one in all_work(store(), store().runs()) if one.live]
    if {(one.id, one.state) for one in now} != live:
        st.rerun()
    waiting = [one for one in now if one.state == "queued"]
    shown = [one for one in now if one.state != "queued"] + waiting[:MOST_WAITING]
    for one in shown:
        bar(one, waiting.index(one) if one in waiting else 0, store())
        with st.container(horizontal=True, vertical_alignment="center"):
            buttons(store(), one, "overview")
            st.page_link(TRAIN, label="Watch", icon=":material/visibility:", query_params={"job": one.id})
    if len(waiting) > MOST_WAITING:
        st.caption(f"{len(waiting) - MOST_WAITING:d} more wait for their turn.")


@st.fragment(run_every=LOOK)
def elsewhere() -> None:
    """Draw the page again when a training was begun from a terminal or another browser."""
    if last_change(store()) > seen:
        st.rerun()


def did_not_finish(stopped: list[Work]) -> None:
    """Show what stopped before its end, with the end of its log and the button to resume it."""
    sentences = [sentence for lost in broken if (sentence := complaint(lost))]
    count = len(stopped) + len(sentences)
    if not count:
        return
    title = f"{count} {'training' if count == 1 else 'trainings'} did not finish, and why"
    with st.expander(verbatim(title), expanded=count <= 3):
        for sentence in sentences:
            st.text(public(sentence))
        for one in stopped[:MOST_STOPPED]:
            st.text(public(with_owners_names(stopped_text(one), store().root)))
            if lines := one.log(LOG_LINES):
                log = with_local_times(with_owners_names("\n".join(lines), store().root))
                st.code(public(log), language=None, wrap_lines=True)
            buttons(store(), one, "overview")
        if len(stopped) > MOST_STOPPED:
            st.caption(f"{len(stopped) - MOST_STOPPED:d} more are in the table; select one there to resume it.")


def open_run(run_id: str) -> None:
    """Go where a run is looked at: a finished one to its map, another one to its training."""
    run = next((one for one in runs if one.id == run_id), None)
    if run is None:  # it was deleted meanwhile
        return
    if run in done:
        other = partner(run, done)
        st.switch_page(LATENT, query_params={"left": run.id, "right": other.id if other else NO_RUN})
    st.switch_page(TRAIN, query_params={"job": run.id})


def actions(chosen: list[Run | BrokenRun], aside: DeltaGenerator) -> None:
    """Show what can be done with the runs that are ticked; the buttons are there before any is.

    What is asked only of some runs stands aside, and what is done with one that did not finish in the place of the
    comparison, which takes several, so that nothing moves the list under the pointer.
    """
    whole = [one for one in chosen if isinstance(one, Run) and one in done]
    beside = {}
    if whole:
        comparable = (run for run in whole[1:] if same_images(whole[0], run))
        other = next(comparable, None) or partner(whole[0], done)
        beside = {"left": whole[0].id, "right": other.id if other else NO_RUN}
    several = {"runs": ",".join(run.id for run in whole[:MOST])}
    own = next((one for one in work if len(chosen) == 1 and one.id == chosen[0].id), None)
    with aside:
        pictures = manage.pictures_too(whole)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        markdown.show("**{n} of {all} selected**", n=len(chosen), all=n_runs)
        steps = (
            (LATENT, "Latent space", ":material/scatter_plot:", beside, bool(whole)),
            (LIBRARY, "Library", ":material/grid_view:", {"left": whole[0].id} if whole else {}, len(whole) == 1),
            ("pages/confusion.py", "Confusion", ":material/grid_on:", beside, bool(whole)),
            ("pages/compare.py", "Compare", ":material/compare_arrows:", several, len(whole) >= FEWEST),
        )
        for page, title, icon, query, is_ready in steps if own is None else steps[:-1]:
            if st.button(
                verbatim(title), key=f"overview-go-{title}", icon=icon, type="tertiary", disabled=not is_ready
            ):
                st.switch_page(page, query_params=query)
        if own is not None:
            buttons(store(), own, "overview-chosen")
        manage.takeaways(whole, thumbnails=pictures)
        manage.namer(chosen)
        manage.deleter(chosen, store())
    with st.container(height=WHY_HEIGHT, border=False):
        note(_said_of(chosen))


def _said_of(chosen: list[Run | BrokenRun]) -> str:
    """Say which of the ticked runs have nothing to show; where all have, what is in the store and what ticking does."""
    lacking = sum(one not in done for one in chosen)
    if not lacking:
        use = "compare or download" if is_viewer() else "compare, download or delete"
        return f"{', '.join(counts)}. A row opens its run; the boxes select runs to {use}."
    if len(chosen) > 1:
        verb, them = ("has", "it") if lacking == 1 else ("have", "them")
        return f"{lacking} of the {len(chosen)} selected {verb} not finished; figures, reports and bundles lack {them}."
    if chosen[0].id in waiting:
        return f"Run {chosen[0].id} waits for its turn; its figures come with its end."
    return complaint(chosen[0]) or f"Run {chosen[0].id} has not finished yet; its figures come with its end."


@st.fragment
@in_a_sentence
def all_runs() -> None:
    """Show the list of runs with its filter, and above it what can be done with those that are ticked."""
    names = data_sets(runs)
    data = None
    *filters, aside = st.columns([2, 2, 3] if len(names) > 1 else [2, 5], vertical_alignment="bottom")
    if len(names) > 1:
        with filters[0]:
            read = {ALL: "All data sets"} | dict(zip(names, names, strict=True))
            of = pick("overview", "of", "Data set", list(read), ALL, format_func=read.__getitem__)
            data = None if of == ALL else of
    with filters[-1]:
        group = pick("overview", "group-by", "Group by", list(GROUPINGS), "none", format_func=GROUPINGS.__getitem__)
    listed = shown([*runs, *broken], data)
    bar = st.container()
    sort = st.query_params.get("sort")
    if sort and sort_of(sort) is None:
        markdown.warning(not_there(sort, "order", "the latest first"))
        sort = None
    told = run_list("overview-runs", listed, group=group, sort=sort, waiting=waiting)
    if told.sort is None:
        st.query_params.pop("sort", None)
    elif st.query_params.get("sort") != told.sort:
        st.query_params["sort"] = told.sort
    if told.opened:
        open_run(told.opened)
    with bar:
        actions(told.ticked, aside)


if is_viewer():
    st.caption("This dashboard is read-only: runs can be looked at and downloaded, and nothing can be changed.")
done, n_runs = finished(runs), len(runs) + len(broken)
best.show(done)
if not runs and not broken and not work:
    nothing_yet()
    if not is_viewer():
        with st.expander("Import runs", icon=":material/upload:"):
            manage.importer(store())
    elsewhere()
    st.stop()

if live:
    st.subheader("Under way")
    under_way()
else:
    elsewhere()

n_running = sum(run.status.state == "running" for run in runs)
waiting = {one.id for one in work if one.state == "queued"}
n_waiting = sum(run.id in waiting for run in runs)
n_stopped = sum(run.status.state in STOPPED and run.id not in waiting for run in runs) + len(broken)
counts = [f"{n_runs} {'run' if n_runs == 1 else 'runs'}", f"{len(done)} finished"]
counts += [f"{n_running} under way"] if n_running else []
counts += [f"{n_waiting} waiting"] if n_waiting else []
counts += [f"{n_stopped} not finished"] if n_stopped else []
if n_runs:  # what waits has none yet
    st.subheader("Runs")
    all_runs()

did_not_finish([one for one in work if one.state in STOPPED])
if n_runs:
    export.menu("overview", "Runs", "", table=lambda: runs_table(runs, broken))
if not is_viewer():
    with st.expander("Import runs", icon=":material/upload:"):
        manage.importer(store())
