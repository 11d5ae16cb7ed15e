from __future__ import annotations

import numpy as np
import pytest

from ssrvae_core.figures import Panel
from ssrvae_core.records import Predictions
from ui.selection import cell_ids, least_certain_first, rows_of, selected_cell, table

NAMES = ("hearts", "clubs")


@pytest.fixture
def predictions():
    """Four samples, not in the order of their ids; the last has no label and no angle."""
    return Predictions(
        ids=np.array([40, 10, 30, 20]),
        labels=np.array([0, 0, 1, -1]),
        class_prob=np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]], np.float32),
        z_mean=np.arange(8, dtype=np.float32).reshape(4, 2),
        z_sd=np.ones((4, 2), np.float32),
        angle=np.array([np.pi / 2, 0, -np.pi, np.nan], np.float32),
        concentration=np.ones(4, np.float32),
        log_likelihood=np.zeros(4, np.float32),
    )


def event(*customdata):
    return {"selection": {"points": [{"customdata": value, "point_index": 0} for value in customdata]}}


@pytest.mark.parametrize("nothing", [None, {}, {"selection": {}}, {"selection": {"points": []}}, event(None)])
def test_nothing_selected_is_no_cell(nothing):
    assert selected_cell(nothing) is None


@pytest.mark.parametrize("carried", [[0, 2, 1], {"0": 0, "1": 2, "2": 1}])
def test_a_clicked_cell_is_its_true_and_its_predicted_class(carried):
    assert selected_cell(event(carried)) == (2, 1)


def test_a_cell_holds_the_images_of_that_class_and_prediction(predictions):
    assert cell_ids(predictions, 0, 1).tolist() == [10]
    assert cell_ids(predictions, 1, 0).tolist() == []
    assert cell_ids(predictions, 0, None).tolist() == [40, 10]
    assert len(cell_ids(predictions, None, None)) == 4


def test_rows_follow_the_ids_and_leave_out_strangers(predictions):
    assert rows_of(np.array([10, 20, 99, 40]), predictions).tolist() == [1, 3, 0]
    assert rows_of(np.array([], np.int64), predictions).tolist() == []


def test_the_least_certain_come_first(predictions):
    assert least_certain_first(predictions.ids, predictions).tolist() == [20, 10, 30, 40]


def test_the_table_has_a_row_a_sample_and_run_with_angles_in_degrees(predictions):
    panels = [Panel("ss-VAE", predictions), Panel("ss-rVAE", predictions)]
    rows = table(np.array([40, 20]), panels, ("aa", "bb"), NAMES)
    assert rows["id"].tolist() == [20, 20, 40, 40]
    assert rows["run"].tolist() == ["aa", "bb"] * 2
    assert rows["class"].tolist() == ["", "", "hearts", "hearts"]
    assert rows["angle_degrees"].tolist()[2:] == pytest.approx([90, 90])
    assert {"predicted", "confidence", "log_likelihood", "z_1", "z_2"} <= set(rows.columns)
