"""The least page of Streamlit with two scatters: what its parts cost before anything of ours is in it."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

POINTS = 400

st.set_page_config(layout="wide")
rng = np.random.default_rng(0)
for column in st.columns(2):
    x, y = rng.normal(size=(2, POINTS))
    column.plotly_chart(go.Figure(go.Scattergl(x=x, y=y, mode="markers")))


@st.fragment
def round_trip() -> None:
    """Answer a click."""
    st.text("It is on" if st.checkbox("Switch") else "It is off")


round_trip()
