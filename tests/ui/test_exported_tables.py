"""Tables that a page hands out."""

import csv
import io

import numpy as np
import pandas as pd

from ssrvae_core.spreadsheets import original
from tests.core.test_spreadsheets import HOSTILE
from ui import export


def test_a_table_of_a_page_has_no_formulas_and_keeps_its_numbers():
    table = pd.DataFrame({"=run": list(HOSTILE), "accuracy": np.linspace(-1, 1, len(HOSTILE)), "n": range(8)})
    content = export.csv(table)
    first, *rows = list(csv.reader(io.StringIO(content)))
    assert first == ["'=run", "accuracy", "n"] and rows[0] == ["'=1+1", "-1", "0"]
    assert [original(row[0]) for row in rows] == list(HOSTILE)
    assert table.columns[0] == "=run", "the table that was given is another one"
