"""A page of Streamlit with a line of text: what it costs before there is anything to show."""

import streamlit as st

st.set_page_config(layout="wide")
st.text("A line of text")
