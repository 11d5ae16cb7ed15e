"""From runs to what people look at: figures gathered from the store, films, and self-contained reports."""
