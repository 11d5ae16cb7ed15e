"""Shares as people read them: the same in Python and in a browser, and never 0 or 1 unless they are."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from ssrvae_core.reports.explorer import bundle
from ssrvae_core.shares import certainty, decimals, percent, percent_range, share

CASES = {  # a share: for a sentence, with a decimal throughout, for a table
    0.0: ("0 %", "0 %", "0.000"),
    0.0002: ("<1 %", "<0.1 %", "<0.001"),
    0.004: ("<1 %", "0.4 %", "0.004"),
    0.0625: ("6 %", "6.3 %", "0.063"),
    0.265: ("27 %", "26.5 %", "0.265"),
    0.4112: ("41 %", "41.1 %", "0.411"),
    0.9849: ("98 %", "98.5 %", "0.985"),
    0.993: ("99.3 %", "99.3 %", "0.993"),
    0.9991: ("99.9 %", "99.9 %", "0.999"),
    0.9996: (">99.9 %", ">99.9 %", ">0.999"),
    0.99975: (">99.9 %", ">99.9 %", ">0.999"),
    1.0: ("100 %", "100 %", "1.000"),
}


def written(value: float) -> tuple[str, str, str]:
    return percent(value), percent(value, 1), share(value)


@pytest.mark.parametrize(("value", "texts"), CASES.items())
def test_a_share_is_written_in_one_way_everywhere(value, texts):
    assert written(value) == texts
    assert written(np.float64(value)) == texts


def test_no_share_reads_as_all_or_nothing_unless_it_is():
    near = np.array([2.0**-i for i in range(1, 53)])
    for value in (*near.tolist(), *(1 - near).tolist()):
        for text in written(value):
            assert text not in {"0 %", "0.0 %", "100 %", "100.0 %", "0.000", "1.000"}


def test_an_interval_has_its_unit_once():
    assert percent_range(0.352, 0.471) == "35.2 to 47.1 %"
    assert percent_range(0.9, 0.9999) == "90.0 to >99.9 %" and percent_range(0.0, 1.0) == "0 to 100 %"


def test_other_numbers_go_on_above_1_and_may_be_unknown():
    assert decimals(0.9996) == "1.000" and decimals(0.0002) == "<0.001"
    assert decimals(1234.5678) == "1234.568" and decimals(-0.25) == "-0.250"
    assert decimals(float("nan")) == "nan" and decimals(float("inf")) == "inf"


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the browser's module")
def test_the_browser_writes_a_share_as_python_does():
    counts = [(n, of) for of in (7, 16, 400, 1000, 2000, 3001) for n in range(0, of + 1, 1 + of // 400)]
    values = [*CASES, *(n / of for n, of in counts), 1e-9, 1 - 1e-9]
    ends = [(low, high) for low, high in zip(values, reversed(values), strict=True)]
    asked = f"""
    const [values, ends] = {json.dumps([values, ends])};
    const texts = values.map((value) => [percent(value), percent(value, 1), share(value)]);
    console.log(JSON.stringify([texts, ends.map(([low, high]) => percentRange(low, high))]));
    """
    script = (bundle.HERE / "shares.js").read_text("utf-8") + asked
    told = subprocess.run(
        ["node", "--input-type=module", "-"], input=script, capture_output=True, text=True, check=True, timeout=60
    )
    texts, ranges = json.loads(told.stdout)
    assert [tuple(each) for each in texts] == [written(value) for value in values]
    assert ranges == [percent_range(low, high) for low, high in ends]


def test_no_model_is_certain():
    assert certainty(1.0) == certainty(np.float32(0.9999999)) == ">99.9 %"
    assert certainty(0.5) == "50.0 %"
