"""Exports of a library: tables, folders of pictures, an image file, a page. Exactly the ids given are written."""

from ssrvae_core.library.exports.image_file import labels_text, write_image_file
from ssrvae_core.library.exports.page import page_title, write_page
from ssrvae_core.library.exports.pictures import folders_text, write_pictures
from ssrvae_core.library.exports.tables import write_csv, write_parquet

__all__ = [
    "folders_text",
    "labels_text",
    "page_title",
    "write_csv",
    "write_image_file",
    "write_page",
    "write_parquet",
    "write_pictures",
]
