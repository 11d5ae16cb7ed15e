"""The demo, which every page offers while there is nothing to show."""

from __future__ import annotations

import streamlit as st

from ssrvae_core.config import DEMO_RATIOS, ratio_text
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.runs.sweep_spec import DEMO
from ui import markdown
from ui.jobs import TRAIN, attempt
from ui.overview import LIVE

OVERVIEW = "pages/overview.py"


def start_demo(store: RunStore) -> str:
    """Queue the demo's sweep, and return the id of its job.

    Raises
    ------
    UserError
        If the store cannot be written, or this is a viewer.
    """
    return JobQueue(store).submit("sweep", spec=DEMO.model_dump(exclude_defaults=True)).id


def offer(store: RunStore) -> None:
    """Show the button that starts the demo, and the way to other data; or that something is under way already."""
    if any(job.state in LIVE for job in JobQueue(store).list()):
        st.caption("A training is under way; what it comes to is shown here once it has finished.")
        st.page_link(OVERVIEW, label="Watch it on the overview", icon=":material/visibility:")
        return
    *shares, most = map(ratio_text, DEMO_RATIOS)
    markdown.show(
        "**Start here:** the demo trains both models on playing cards, with {shares} of the images labelled, in a few "
        "minutes.",
        shares=f"{', '.join(shares)} and {most}",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Start the demo", type="primary", icon=":material/play_arrow:", key="start-demo") and attempt(
            lambda: start_demo(store)
        ):
            st.switch_page(OVERVIEW)
        st.page_link("pages/data.py", label="Upload your own images", icon=":material/upload_file:")
        st.page_link(TRAIN, label="Train a model of your own", icon=":material/model_training:")
    st.markdown("**Without training anything**, with models that came with the program:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("pages/learn.py", label="Learn: turn an image before two models", icon=":material/school:")
        st.page_link("pages/supervised_ratio.py", label="Supervised ratio: what labels bring", icon=":material/tune:")
