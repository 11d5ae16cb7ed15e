"""Overview: the store at a glance, what is being trained, and the way to each run's figures."""

import streamlit as st

from ssrvae_core.runs import RunStore
from ui import export
from ui.entry import through_app
from ui.overview import LIVE, complaint, duration, remaining_seconds, runs_table
from ui.runs import NO_RUN, finished, nothing_yet, partner, run_label, store

through_app()
st.title("Overview")
runs, broken = store().scan()
if not runs and not broken:
    nothing_yet()
    st.stop()

live = [run.id for run in runs if run.status.state in LIVE]
done = finished(runs)
st.caption(
    f"{len(runs) + len(broken)} runs: {len(done)} finished, {len(live)} under way, "
    f"{len(runs) + len(broken) - len(done) - len(live)} not finished."
)


@st.fragment(run_every=2 if live else None)
def progress(root: str, ids: list[str]) -> None:
    """Show how far the live runs are, and reload the page when one of them ends."""
    now = {run.id: run for run in RunStore(root).runs()}
    if any(run_id not in now or now[run_id].status.state not in LIVE for run_id in ids):
        st.rerun()
    for run in (now[run_id] for run_id in ids):
        left = remaining_seconds(run)
        when = "waiting for its first epoch" if left is None else f"about {duration(left)} to go"
        epochs = run.config.training.epochs
        share = min(run.status.epoch / epochs, 1.0)
        st.progress(share, f"{run_label(run)}: epoch {run.status.epoch} of {epochs}, {when}")


if live:
    st.subheader("Under way")
    progress(str(store().root), live)

st.subheader("Runs")
table = runs_table(runs, broken)
event = st.dataframe(
    table,
    hide_index=True,
    height=min(38 + 35 * len(table), 430),
    on_select="rerun",
    selection_mode="single-row",
    key="overview-runs",
    alt="Table of the runs in the store; select a row for its figures.",
    column_order=[name for name in table.columns if name != "Ratio"],
    column_config={
        "Labels": st.column_config.TextColumn(help="Labelled images the model sees"),
        "Accuracy": st.column_config.ProgressColumn(
            help="On the validation images", format="%.3f", min_value=0, max_value=1, color="primary", width="small"
        ),
        "Time": st.column_config.TextColumn(help="Wall time of the training"),
        "Updated": st.column_config.DatetimeColumn(format="MM-DD HH:mm", help="Month and day; UTC"),
    },
)

chosen = [([*runs, *broken])[row] for row in event["selection"]["rows"] if row < len(table)]
if not chosen:
    st.caption("Select a row, by the box at its left, for the figures of that run.")
elif chosen[0] in done:
    run = chosen[0]
    other = partner(run, done)
    beside = {"left": run.id, "right": other.id if other else NO_RUN}
    st.markdown(f"**{run_label(run)}**" + (f" beside {run_label(other)}" if other else ""))
    with st.container(horizontal=True):
        st.page_link("pages/latent_space.py", label="Latent space", icon=":material/scatter_plot:", query_params=beside)
        st.page_link("pages/confusion.py", label="Confusion", icon=":material/grid_on:", query_params=beside)
else:
    st.info(complaint(chosen[0]) or f"Run {chosen[0].id} has not finished yet; its figures come with its end.")

complaints = [sentence for run in [*runs, *broken] if (sentence := complaint(run))]
if complaints:
    plural = "run" if len(complaints) == 1 else "runs"
    with st.expander(f"{len(complaints)} {plural} did not finish, and why", expanded=len(complaints) <= 3):
        for sentence in complaints:
            st.text(sentence)

export.menu("overview", "Runs", "", table=lambda: table)
