"""The runs that many tests look at are those of this version's configurations, and an earlier version's can be read."""

import zipfile

import pytest

from tests.data import make_golden_store as golden

STALE = (
    "The golden store holds runs of other configurations than its script's; if the settings of a run have changed"
    " on purpose, make it again: python -m tests.data.make_golden_store"
)
LARGEST = 1_500_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = golden.unpack(tmp_path_factory.mktemp("golden"))
    golden.unpack(store.root, golden.long_configs())
    return store


def test_the_golden_store_holds_the_runs_its_script_makes():
    with zipfile.ZipFile(golden.ARCHIVE) as archive:
        held = {name.split("/")[0] for name in archive.namelist()} - {"rivals"}
    assert held == {config.run_id for config in (*golden.short_configs(), *golden.long_configs())}, STALE
    assert golden.ARCHIVE.stat().st_size < LARGEST


def test_runs_of_an_earlier_version_are_read_whole(store):
    runs = store.runs()
    assert len(runs) == 4
    for run in runs:
        assert (run.status.state, run.status.epoch) == ("finished", run.config.training.epochs)
        assert run.id == run.config.run_id
        assert [line["epoch"] for line in run.metrics()] == [epoch for epoch, _ in run.snapshots()]
        assert len(run.predictions()) == run.status.validation["n"]
        assert run.model("cpu").n_classes == len(run.class_names)


def test_the_method_compared_in_an_earlier_version_is_found(store):
    from ssrvae_core.runs.comparison import find_rival

    result = find_rival(golden.tiny_config("ss-vae"), golden.RIVAL, store)
    assert result is not None, STALE
    assert len(result.predictions()) == result.n_validation
