"""A model file alone brings the model back, and a bad one gives one sentence."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ssrvae_core.config import ModelConfig, RunConfig, UserError
from ssrvae_core.models import build
from ssrvae_core.models.checkpoint import KEY, load_model, read_metadata, save_weights

SHAPE, NAMES = (2, 12, 14), ("rod", "cube", "sphère")


@pytest.fixture(params=["none", "marginal", "latent"])
def config(request):
    return RunConfig(model=ModelConfig(rotation=request.param, radii=4, angles=8, channels=(4,), hidden=(6,)), seed=7)


@pytest.fixture
def saved(config, tmp_path):
    """A model and its file."""
    model = build(config.model, SHAPE, len(NAMES)).train()
    save_weights(model, tmp_path / "model.safetensors", config=config, class_names=NAMES)
    return model.eval(), tmp_path / "model.safetensors"


def test_a_loaded_model_answers_like_the_saved_one(saved):
    model, path = saved
    images = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    loaded = load_model(path)
    assert not loaded.training
    for name, value in vars(model.encode(images)).items():
        assert torch.equal(getattr(loaded.encode(images), name).nan_to_num(), value.nan_to_num())
    z, y = torch.zeros(1, 2), torch.tensor([1])
    assert torch.equal(loaded.decode(z, y, 0.5), model.decode(z, y, 0.5))


def test_the_file_says_what_it_is_of(saved, config):
    metadata = read_metadata(saved[1])
    assert (metadata.config, metadata.image_shape, metadata.class_names) == (config, SHAPE, NAMES)


def test_loading_leaves_the_random_state_untouched(saved):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load_model(saved[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("config", ["marginal"], indirect=True)
@pytest.mark.parametrize("read", [load_model, read_metadata])
def test_a_damaged_file_gives_a_sentence_naming_it(saved, tmp_path, read):
    content = saved[1].read_bytes()
    damaged = {"empty": b"", "half": content[: len(content) // 2], "other": b"a picture" * 100, "tail": content[:-1]}
    for name, part in damaged.items():
        (tmp_path / name).write_bytes(part)
        with pytest.raises(UserError, match=f"{name}' is not a whole safetensors file"):
            read(tmp_path / name)
    with pytest.raises(UserError, match="There is no model file"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match=str(tmp_path)):
        read(tmp_path)


@pytest.mark.parametrize("config", ["marginal"], indirect=True)
def test_foreign_weights_give_a_sentence(saved, tmp_path):
    weights = {"weight": torch.ones(2)}
    save_file(weights, tmp_path / "foreign")
    with pytest.raises(UserError, match="not a model of this program"):
        load_model(tmp_path / "foreign")
    metadata = read_metadata(saved[1]).model_dump_json()
    save_file(weights, tmp_path / "unfit", metadata={KEY: metadata})
    with pytest.raises(UserError, match="do not fit"):
        load_model(tmp_path / "unfit")
    save_file(load_file(saved[1]), tmp_path / "later", metadata={KEY: metadata.replace("1", "2", 1)})
    with pytest.raises(UserError, match=r"another version.*schema_version"):
        load_model(tmp_path / "later")


@pytest.mark.parametrize("config", ["marginal"], indirect=True)
def test_a_model_of_ones_own_networks_comes_back_with_them(config, tmp_path):
    class Mine(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(2 * 4 * 8, len(NAMES)))

    model = build(config.model, SHAPE, len(NAMES), classifier=Mine())
    save_weights(model, tmp_path / "mine", config=config, class_names=NAMES)
    with pytest.raises(UserError, match="hand in the networks"):
        load_model(tmp_path / "mine")
    loaded = load_model(tmp_path / "mine", classifier=Mine())
    images = torch.rand(3, *SHAPE)
    assert torch.equal(loaded.encode(images).class_prob, model.encode(images).class_prob)
