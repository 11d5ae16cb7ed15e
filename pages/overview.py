"""Overview: the store at a glance, what is being trained, and the way to each run's figures."""

from zlib import crc32

import streamlit as st

from ssrvae_core.reports.gather import same_images
from ssrvae_core.runs import BrokenRun, Run
from ssrvae_core.runs.mode import is_viewer
from ssrvae_core.runs.uploads import with_owners_names
from ssrvae_core.times import with_local_times, zone
from ui import export, manage, markdown
from ui.entry import in_a_sentence, through_app
from ui.jobs import STOPPED, TRAIN, Work, all_work, attempt, bar, buttons, last_change, stopped_text
from ui.markdown import note, public, verbatim
from ui.overview import LIVE, complaint, runs_table, with_local_dates
from ui.runs import NO_RUN, finished, nothing_yet, partner, run_label, store

MOST_WAITING = 5
MOST_STOPPED = 10
LOG_LINES = 3
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


if is_viewer():
    st.caption("This dashboard is read-only: runs can be looked at and downloaded, and nothing can be changed.")
if not runs and not broken and not work:
    if not is_viewer():
        st.markdown("**Start here:** the demo trains both models at four shares of labelled images, in a few minutes.")
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Start the demo", type="primary", icon=":material/play_arrow:") and attempt(
                lambda: manage.start_demo(store())
            ):
                st.rerun()
            st.page_link(TRAIN, label="Train a model of your own", icon=":material/model_training:")
        with st.expander("Import runs", icon=":material/upload:"):
            manage.importer(store())
    nothing_yet()
    elsewhere()
    st.stop()

done, n_runs = finished(runs), len(runs) + len(broken)
n_running = sum(run.status.state == "running" for run in runs)
n_stopped = sum(run.status.state in STOPPED for run in runs) + len(broken)
note(
    f"{n_runs} {'run' if n_runs == 1 else 'runs'}: {len(done)} finished, {n_running} under way, {n_stopped} not"
    " finished."
)
if live:
    st.subheader("Under way")
    under_way()
else:
    elsewhere()

st.subheader("Runs")
table = runs_table(runs, broken)
event = st.dataframe(
    with_local_dates(table),
    hide_index=True,
    height=min(38 + 35 * len(table), 430),
    on_select="rerun",
    selection_mode="multi-row",
    # Rows are selected by their numbers, so another order must forget them.
    key=f"overview-runs-{crc32(' '.join(table['Run']).encode())}",
    placeholder="",
    alt="Table of the runs in the store.",
    column_order=[name for name in table.columns if name != "Ratio"],
    column_config={
        "Labels": st.column_config.TextColumn(help="Labelled images the model sees"),
        "Accuracy": st.column_config.ProgressColumn(
            help="On the validation images", format="%.3f", min_value=0, max_value=1, color="primary", width="small"
        ),
        "Time": st.column_config.TextColumn(help="Wall time of the training"),
        "Updated": st.column_config.DatetimeColumn(format="MM-DD HH:mm", help=f"Month and day; {zone()}"),
    },
)

listed: list[Run | BrokenRun] = [*runs, *broken]
chosen = [listed[row] for row in event["selection"]["rows"] if row < len(table)]
whole = [one for one in chosen if isinstance(one, Run) and one in done]
if not chosen:
    what = "see or download" if is_viewer() else "see, download or delete"
    note(f"Select rows, by the boxes at their left, to {what} these runs.")
elif len(chosen) == 1:
    if whole:
        markdown.show("**{run}**", run=run_label(whole[0]))
    else:
        why = complaint(chosen[0]) or f"Run {chosen[0].id} has not finished yet; its figures come with its end."
        markdown.info(why)
else:
    rest = f", {len(chosen) - len(whole)} of them not finished" if len(whole) < len(chosen) else ""
    markdown.show("**{n} runs selected**{rest}", n=len(chosen), rest=rest)
if chosen:
    pictures = manage.pictures_too(whole)
    with st.container(horizontal=True, vertical_alignment="center"):
        if whole:
            comparable = (run for run in whole[1:] if same_images(whole[0], run))
            other = next(comparable, None) or partner(whole[0], done)
            beside = {"left": whole[0].id, "right": other.id if other else NO_RUN}
            st.page_link(
                "pages/latent_space.py", label="Latent space", icon=":material/scatter_plot:", query_params=beside
            )
            st.page_link("pages/confusion.py", label="Confusion", icon=":material/grid_on:", query_params=beside)
            manage.takeaways(whole, thumbnails=pictures)
        for one in work:
            if len(chosen) == 1 and one.id == chosen[0].id:
                buttons(store(), one, "overview-chosen")
        manage.deleter(chosen, store())

did_not_finish([one for one in work if one.state in STOPPED])
export.menu("overview", "Runs", "", table=lambda: table)
if not is_viewer():
    with st.expander("Import runs", icon=":material/upload:"):
        manage.importer(store())
