"""Whatever is not a constant of the program goes through ``ui.markdown``: held by the source of every page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    f for f in sorted([*ROOT.glob("ui/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"]) if f.name != "markdown.py"
]
HELPERS = {"verbatim", "filled", "public", "len"}
"""Calls whose result may be shown."""
FIRST = {
    "error",
    "warning",
    "info",
    "success",
    "exception",
    "caption",
    "markdown",
    "write",
    "title",
    "header",
    "subheader",
    "toast",
    "spinner",
    "expander",
    "popover",
    "status",
    "button",
    "download_button",
    "link_button",
    "form_submit_button",
    "checkbox",
    "toggle",
    "radio",
    "selectbox",
    "multiselect",
    "slider",
    "select_slider",
    "text_input",
    "text_area",
    "number_input",
    "file_uploader",
    "segmented_control",
    "pills",
    "dialog",
    "metric",
    "badge",
    "text",
    "code",
    "tabs",
    "date_input",
    "time_input",
    "chat_message",
    "chat_input",
    "camera_input",
    "color_picker",
    "latex",
}
"""What reads its first argument as Markdown, or shows it as it is."""
NAMED = {"label", "body", "help", "caption", "text", "title", "delta"}
OF_STREAMLIT = {"text", "progress", "info", "title"}
"""Names of other things as well, which are not looked at there."""
BUTTONS = {"segmented_control", "pills", "radio"}


def is_constant_name(node):
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.isupper()


def is_safe(node):
    """Whether an expression is made of constants, numbers, and what a helper returned."""
    match node:
        case ast.Constant():
            return True
        case ast.Name() | ast.Attribute():
            return is_constant_name(node)
        case ast.Subscript():
            return is_constant_name(node.value)
        case ast.IfExp():
            return is_safe(node.body) and is_safe(node.orelse)
        case ast.BinOp(op=ast.Add()):
            return is_safe(node.left) and is_safe(node.right)
        case ast.JoinedStr():
            return all(map(is_safe, node.values))
        case ast.FormattedValue():  # a string would not take the format of a number
            form = node.format_spec.values[0].value if node.format_spec else ""
            return is_safe(node.value) or form[-1:] in {"d", "f", "g", "%", ","}
        case ast.Call():
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            return name in HELPERS
    return False


def texts(call):
    """The arguments of a call that Streamlit shows."""
    name = call.func.attr
    place = 0 if name in FIRST else 1 if name == "progress" else None
    if place is not None and len(call.args) > place:
        yield call.args[place]
    for keyword in call.keywords:
        if keyword.arg in NAMED and (name in FIRST or name in {"progress", "page_link", "image", "TextColumn"}):
            yield keyword.value


def unsafe(source):
    """Lines where something is shown that nobody looked at."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        of = ast.unparse(call.func.value)
        if of == "markdown" or (call.func.attr in OF_STREAMLIT and of not in {"st", "st.sidebar"}):
            continue
        found += [(call.lineno, ast.unparse(call)[:80]) for node in texts(call) if not is_safe(node)]
        if call.func.attr in BUTTONS:
            forms = [keyword.value for keyword in call.keywords if keyword.arg == "format_func"]
            wrapped = [
                isinstance(f, ast.Call) and getattr(f.func, "id", getattr(f.func, "attr", "")) == "words" for f in forms
            ]
            found += [] if all(wrapped) else [(call.lineno, f"{call.func.attr}(format_func=...)")]
    return found


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.name != "markdown.py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_a_page_shows_is_a_constant_or_went_through_the_helper(path):
    assert not unsafe(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "st.error(str(error))",
        'st.warning(f"{name} is gone.")',
        'right.caption(f"{name}")',
        'st.button("Go", help=text)',
        "st.page_link(PAGE, label=name)",
        "st.progress(0.5, name)",
        'st.pills("Runs", options, format_func=str)',
        'st.markdown("**" + name + "**")',
    ],
)
def test_a_name_that_reaches_streamlit_by_itself_is_found(line):
    assert unsafe(line)


@pytest.mark.parametrize("line", ['st.info("Nothing yet.")', 'st.caption(f"{n:d} runs")', "st.error(verbatim(name))"])
def test_constants_numbers_and_what_a_helper_returned_are_not(line):
    assert not unsafe(line)
