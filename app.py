"""The dashboard's entry point: which pages there are, and which store they look at."""

from pathlib import Path

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.registry import load_plugins
from ssrvae_core.runs.mode import is_viewer
from ui import login, look, markdown, presentation
from ui.runs import store

# A picture of our own: the browser would fetch an icon named ":material/..." from the network.
st.set_page_config(
    page_title="ss-rVAE dashboard",
    page_icon=str(Path(__file__).parent / "ui/icon.png"),
    layout="wide",
    initial_sidebar_state=look.SIDEBAR,
)

admitted = login.is_admitted()
if admitted:
    presentation.begin()

page = st.navigation(
    {
        "Explore": [
            st.Page("pages/overview.py", title="Overview", icon=":material/list:", default=True),
            st.Page("pages/latent_space.py", title="Latent space", icon=":material/scatter_plot:"),
            st.Page("pages/library.py", title="Library", icon=":material/grid_view:"),
            st.Page("pages/confusion.py", title="Confusion", icon=":material/grid_on:"),
            st.Page("pages/supervised_ratio.py", title="Supervised ratio", icon=":material/tune:"),
            st.Page("pages/training_film.py", title="Training film", icon=":material/movie:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
        ],
        "Build": [
            st.Page("pages/data.py", title="Data", icon=":material/folder_open:"),
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        ],
        "Learn": [st.Page("pages/learn.py", title="Learn", icon=":material/school:")],
    },
    position="hidden" if not admitted else "top" if presentation.presenting() else "sidebar",
)
try:
    load_plugins()
    look.show()
    if not admitted:
        login.show_login()
        st.stop()
    presentation.switch()
    login.show_visitor()
    if not presentation.presenting() and not is_viewer():  # who may only look is not told where anything lies
        with st.sidebar:  # as text: a code block would load 1.5 MB of highlighting into every page
            markdown.note(f"Runs are read from {markdown.public(str(store().root))}")
    page.run()
except UserError as error:
    markdown.error(str(error))
