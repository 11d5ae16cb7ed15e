from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from ssrvae_core.config import UserError
from ssrvae_core.figures import theme
from ssrvae_core.figures.film import film
from ssrvae_core.figures.frames import Curve, Frame, Track
from ssrvae_core.figures.manifold import examples_picture
from ssrvae_core.figures.pictures import film_gif, film_mp4
from ssrvae_core.figures.stage import LOWEST, broad, wide
from ssrvae_core.shares import percent

NAMES = ("hearts", "spades", "diamonds")
EPOCHS = (1, 5, 10)
PANELS = ("latent", "confusion", "manifold")


def frame(position, seed=0, n=12, manifold=True):
    """A frame whose first image is wrong and whose last is unlabelled."""
    rng = np.random.default_rng([seed, int(position)])
    labels = np.arange(n) % 3
    labels[-1] = -1
    predicted = np.arange(n) % 3
    predicted[0] = 1
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (labels[:-1], predicted[:-1]), 1)
    return Frame(
        position=float(position),
        label=str(position),
        ids=np.arange(500, 500 + n),
        z=rng.normal(size=(n, 2)).astype(np.float32),
        labels=labels,
        predicted=predicted,
        confusion=confusion,
        manifold=rng.integers(0, 256, (20, 20), np.uint8) if manifold else None,
    )


@pytest.fixture
def tracks():
    return [Track(name, tuple(frame(e, seed) for e in EPOCHS)) for seed, name in enumerate(("ss-VAE", "ss-rVAE"))]


@pytest.fixture
def curves():
    y = np.array([0.4, 0.6, 0.9])
    return [Curve("ss-VAE", np.array(EPOCHS), y, y - 0.1, y + 0.1), Curve("forest", np.array(EPOCHS), y, dashed=True)]


def points(figure):
    return [trace for trace in figure.data if trace.type == "scattergl"]


def shown(figure, index):
    """The traces as the browser shows them at a frame."""
    traces = [trace.to_plotly_json() for trace in figure.data]
    for trace, change in zip(figure.frames[index].traces, figure.frames[index].data, strict=True):
        traces[trace] |= change.to_plotly_json()
    return traces


def test_frames_are_named_by_their_labels_and_the_slider_switches_them_at_once(tracks):
    figure = film(tracks, NAMES, axis="epoch", start=4)
    assert [each.name for each in figure.frames] == ["1", "5", "10"]
    slider = figure.layout.sliders[0]
    assert slider.active == 1
    assert [step.args[0] for step in slider.steps] == [("1",), ("5",), ("10",)]
    assert {step.args[1]["frame"]["duration"] for step in slider.steps} == {0}
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["Play", "Pause"]


def test_a_film_opens_on_its_last_frame_and_shows_what_that_frame_holds(tracks, curves):
    figure = film(tracks, NAMES, axis="epoch", curves=curves, curve_title="Accuracy")
    assert figure.layout.sliders[0].active == 2
    as_sent = [trace.to_plotly_json() for trace in figure.data]
    for sent, last in zip(as_sent, shown(figure, 2), strict=True):
        for name in ("x", "y", "customdata", "source", "text"):
            np.testing.assert_array_equal(np.array(sent.get(name)), np.array(last.get(name)))


def test_an_id_that_a_browser_would_round_is_told_as_text(tracks):
    huge = [replace(track, frames=[f and replace(f, ids=f.ids - 2**60) for f in track.frames]) for track in tracks]
    traces = [trace for trace in shown(film(huge, NAMES, axis="epoch"), 0) if trace["type"] == "scattergl"]
    said = {one for trace in traces for one in trace["ids"]}
    assert said == {str(one) for track in huge for one in track.frames[0].ids}


@pytest.mark.parametrize("index", range(3))
def test_every_point_of_every_frame_lies_where_its_sample_is(tracks, index):
    traces = shown(film(tracks, NAMES, axis="epoch"), index)
    for number, track in enumerate(tracks):
        here = track.frames[index]
        seen = {}
        for trace in traces:
            if trace["type"] == "scattergl" and trace["xaxis"] == ("x", "x3")[number]:
                for sample, x, y, said in zip(trace["ids"], trace["x"], trace["y"], trace["customdata"], strict=True):
                    seen[int(sample)] = (x, y, int(said), trace["name"])
        for sample, z, label, said in zip(here.ids, here.z, here.labels, here.predicted, strict=True):
            assert seen.pop(int(sample)) == (*z, said, (*NAMES, "Unlabelled")[label])
        assert not seen


def test_one_legend_entry_a_class_stands_for_both_models(tracks):
    traces = points(film(tracks, NAMES, axis="epoch"))
    entries = [trace.name for trace in traces if trace.showlegend]
    assert entries == [*NAMES, "Unlabelled"]
    for trace in traces:
        assert trace.legendgroup == trace.name
        if trace.name in NAMES:
            assert trace.marker.color == theme.class_colour(NAMES.index(trace.name))
            assert trace.marker.symbol == theme.class_symbol(NAMES.index(trace.name))


def test_axes_stay_equal_and_hold_the_points_of_all_frames(tracks):
    figure = film(tracks, NAMES, axis="epoch")
    for track, number in zip(tracks, ("", "3"), strict=True):
        x, y = figure.layout[f"xaxis{number}"], figure.layout[f"yaxis{number}"]
        assert y.scaleanchor == f"x{number}"
        assert np.isclose(np.ptp(x.range), np.ptp(y.range))
        z = np.concatenate([each.z for each in track.frames])
        assert (z.min(axis=0) > [x.range[0], y.range[0]]).all() and (z.max(axis=0) < [x.range[1], y.range[1]]).all()
    assert not any("axis" in name for each in figure.frames for name in each.layout.to_plotly_json())


def test_confusion_numbers_are_printed_at_every_step(tracks):
    for index in range(3):
        printed = [t for t in shown(film(tracks, NAMES, axis="epoch"), index) if t.get("mode") == "text"]
        for trace, track in zip(printed, tracks, strict=True):
            counts = track.frames[index].confusion
            assert [int(n) for *_, n in trace["customdata"]] == counts.ravel().tolist()
            assert list(trace["customdata"][1])[:2] == ["hearts", "spades"]
            assert trace["text"][0] == percent(counts[0, 0] / counts[0].sum())


def test_titles_tell_the_accuracy_of_the_step_shown(tracks):
    first = replace(tracks[0].frames[0], confusion=np.diag([1, 1, 2]))
    figure = film([Track("ss-VAE", (first, *tracks[0].frames[1:]))], NAMES, axis="epoch")
    texts = [" ".join(a.text for a in each.layout.annotations) for each in figure.frames]
    assert "accuracy 100 %" in texts[0] and "accuracy 91 %" in texts[1]


def test_the_marker_follows_the_curves(tracks, curves):
    figure = film(tracks, NAMES, axis="epoch", curves=curves, curve_title="Accuracy")
    for index, epoch in enumerate(EPOCHS):
        marker = next(t for t in shown(figure, index) if t.get("mode") == "lines+markers" and "hovertemplate" not in t)
        assert set(marker["x"]) == {epoch}
        assert list(marker["y"])[3:] == [curves[0].y[index]] * 2


def test_a_position_one_model_lacks_is_said_to_be_untrained(tracks):
    figure = film([tracks[0], Track("ss-rVAE", tracks[1].frames[1:])], NAMES, axis="epoch", start=1)
    assert "not trained here" in figure.layout.annotations[1].text
    emptied = [t for t in shown(figure, 0) if t["type"] == "scattergl" and t["xaxis"] == "x3"]
    assert emptied and all(list(trace["x"]) == [None] for trace in emptied)
    assert figure.frames[0].layout.images[1].visible is False


def test_a_position_nobody_is_trained_at_has_an_empty_frame_and_a_hollow_circle(tracks, curves):
    missing = max(f.position for f in tracks[0].frames) * 2
    figure = film(tracks, NAMES, axis="epoch", curves=curves, missing={missing: "later"})
    last = figure.frames[-1]
    slider = figure.layout.sliders[0]
    assert last.name == "later" and slider.steps[slider.active].label == figure.frames[-2].name
    points = [trace for trace in last.data if trace.type == "scattergl"]
    assert points and all(list(trace.x) == [None] for trace in points)
    hollow = [trace for trace in figure.data if trace.name == "Not trained yet"]
    assert [list(trace.x) for trace in hollow] == [[missing]] and "circle-open" in hollow[0].marker.symbol


def test_without_controls_a_film_leaves_no_room_for_them(tracks, curves):
    options = {"axis": "epoch", "curves": curves}
    bare, whole = film(tracks, NAMES, controls=False, **options), film(tracks, NAMES, **options)
    assert not bare.layout.sliders and not bare.layout.updatemenus
    assert bare.layout.height < whole.layout.height


@pytest.mark.parametrize("side", [160, 204, 320])
@pytest.mark.parametrize("lay_out", [wide, broad])
@pytest.mark.parametrize("tracks", [1, 2, 3])
def test_panels_fitted_to_the_width_do_not_overlap(side, lay_out, tracks):
    for curves in (0, 2, 10):
        places = lay_out(tracks, manifolds=True, curves=curves, side=side).places
        area = {kind: max((p.right - p.left) * (p.bottom - p.top) for p in places if p.kind == kind) for kind in PANELS}
        for curve in (place for place in places if place.kind == "curve"):
            assert (curve.right - curve.left) * (curve.bottom - curve.top) >= max(area.values()), "the largest panel"
        assert {place.kind for place in places} >= set(PANELS)
        for one in places:
            for other in places:
                apart = one.right <= other.left or other.right <= one.left
                assert one == other or apart or one.bottom <= other.top or other.bottom <= one.top


@pytest.mark.parametrize("screen", [300, 400, 600, 900])
def test_a_film_fitted_to_a_screen_is_no_higher_unless_its_second_row_could_not_be_read(tracks, curves, screen):
    figure = film(tracks, NAMES, axis="epoch", curves=curves, columns=4, screen=screen, controls=False)
    pixels = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    boxes = [getattr(figure.layout, name).domain for name in figure.layout if name.startswith("yaxis")]
    first_row = figure.layout.margin.t + pixels * (
        1 - max(low for low, high in boxes if high == max(h for _, h in boxes))
    )
    assert figure.layout.height <= screen or first_row <= max(screen, 300)
    assert min(high - low for low, high in boxes) * pixels >= LOWEST - 1


def test_ids_are_sent_once_unless_they_change(tracks):
    def resent(figure):
        return any("ids" in data.to_plotly_json() for each in figure.frames for data in each.data)

    assert not resent(film(tracks, NAMES, axis="epoch"))
    others = replace(tracks[0].frames[0], ids=tracks[0].frames[0].ids + 7)
    assert resent(film([Track("ss-VAE", (others, *tracks[0].frames[1:]))], NAMES, axis="epoch"))


def test_eight_frames_of_two_models_with_4000_points_weigh_a_megabyte():
    many = [
        Track(name, tuple(frame(e, seed, n=4000, manifold=False) for e in range(1, 9)))
        for seed, name in enumerate(("ss-VAE", "ss-rVAE"))
    ]
    sent = json.dumps(json.loads(film(many, NAMES, axis="epoch").to_json()), separators=(",", ":"))
    assert len(sent) < 1_000_000


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 2])
def test_panels_do_not_overlap(tracks, curves, columns, n):
    layout = film(tracks[:n], NAMES, axis="epoch", curves=curves, columns=columns).layout
    numbers = [number for number in ("", *range(2, 10)) if f"xaxis{number}" in layout]
    boxes = [(*layout[f"xaxis{number}"].domain, *layout[f"yaxis{number}"].domain) for number in numbers]
    boxes += [(i.x - i.sizex / 2, i.x + i.sizex / 2, i.y - i.sizey, i.y) for i in layout.images]
    assert len(boxes) == 3 * n + 1
    for i, (a, b, c, d) in enumerate(boxes):
        assert -1e-9 <= a < b <= 1 + 1e-9 and -1e-9 <= c < d <= 1 + 1e-9
        for e, f, g, h in boxes[:i]:
            assert a >= f or b <= e or c >= h or d <= g


def test_accuracy_goes_from_nothing_to_all_and_a_loss_as_far_as_its_curves(tracks, curves):
    axis = film(tracks, NAMES, axis="epoch", curves=curves, curve_title="Accuracy").layout.yaxis5
    assert tuple(axis.range) == (0, 1.03)
    axis = film(tracks, NAMES, axis="epoch", curves=curves, curve_title="Loss (nats per image)").layout.yaxis5
    assert 0.2 < axis.range[0] < axis.range[1] < 1.1


def test_images_stand_in_frames_of_the_colour_of_what_they_are_taken_for():
    picture = examples_picture(np.full((3, 24, 24), 200, np.uint8), np.array([0, 2, 1]), 2)
    assert picture.shape == (2 * 30, 2 * 30, 4)
    assert tuple(picture[1, 15, :3]) == theme.class_rgb(0) and tuple(picture[1, 45, :3]) == theme.class_rgb(2)
    assert picture[15, 15].tolist() == [200, 200, 200, 255]
    assert picture[45, 45, 3] == 0, "no fourth image"


def test_a_film_is_described_in_one_sentence(tracks):
    alt = film(tracks, NAMES, axis="epoch").layout.meta["alt"]
    assert "3 frames" in alt and "ss-VAE and ss-rVAE" in alt and alt.endswith(".") and alt.count(". ") == 0


def test_a_film_without_frames_and_labels_used_twice_are_refused(tracks):
    with pytest.raises(UserError, match="at least one frame"):
        film([Track("ss-VAE", ())], NAMES, axis="epoch")
    twice = replace(tracks[0].frames[1], label="1")
    with pytest.raises(UserError, match="label each"):
        film([Track("ss-VAE", (tracks[0].frames[0], twice))], NAMES, axis="epoch")


def test_a_gif_has_a_picture_a_frame_and_the_classes_colours(tracks, curves):
    made = film_gif(tracks, NAMES, axis="epoch", curves=curves, curve_title="Accuracy", fps=5, caption="Cards")
    with Image.open(io.BytesIO(made)) as gif:
        assert (gif.size, gif.n_frames, gif.info["duration"]) == ((960, 540), 3, 200)
        assert gif.info["loop"] == 0
        pixels = np.asarray(gif.convert("RGB")).reshape(-1, 3).astype(int)
    for index in range(3):
        colour = [int(theme.class_colour(index)[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(pixels - colour).max(axis=1).min() < 24


def test_a_film_with_a_gap_and_no_curves_makes_a_gif(tracks):
    without = Track("ss-rVAE", tuple(replace(f, manifold=None) for f in tracks[1].frames[1:]))
    made = film_gif([tracks[0], without], NAMES, axis="epoch")
    with Image.open(io.BytesIO(made)) as gif:
        assert gif.n_frames == 3


def test_an_mp4_is_made_where_its_encoder_is_installed(tracks):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is optional")
    assert film_mp4(tracks, NAMES, axis="epoch")[4:8] == b"ftyp"


def test_without_the_encoder_a_sentence_says_what_to_install(tracks, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
        film_mp4(tracks, NAMES, axis="epoch")


def test_films_need_neither_torch_nor_streamlit():
    code = (
        "import sys, ssrvae_core.figures.film, ssrvae_core.figures.pictures; "
        "print({'torch', 'streamlit', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_narrow_film_has_room_for_a_row_for_each_long_name(tracks):
    def above(names):
        return film(tracks, names, axis="epoch", columns=1).layout.margin.t

    assert above([f"a long name, no {i}" for i in range(3)]) - above(["a", "b", "c"]) == 2 * 22


@pytest.mark.parametrize("manifolds", [False, True])
def test_the_panels_of_one_model_stand_beside_each_other(manifolds):
    panels = [place for place in wide(1, manifolds=manifolds, curves=1).places if place.kind != "curve"]
    assert len(panels) == (3 if manifolds else 2) and len({(place.top, place.bottom) for place in panels}) == 1
    ordered = sorted(panels, key=lambda place: place.left)
    assert all(one.right < other.left for one, other in pairwise(ordered))
    assert ordered[0].left == 0 and ordered[-1].right == pytest.approx(1)


def test_of_several_seeds_the_description_tells_their_mean_and_whose_the_frames_are(tracks):
    seeded = [replace(track, frames=tuple(replace(frame, seed="seed 7") for frame in track.frames)) for track in tracks]
    x = np.array([frame.position for frame in tracks[0].frames])
    curves = [Curve(track.name, x, np.linspace(0.11, 0.77, len(x)), 0 * x, 0 * x + 1) for track in tracks]
    alt = film(seeded, NAMES, axis="supervised ratio", curves=curves).layout.meta["alt"]
    assert "from accuracy 11 % to 77 %" in alt and "mean over the seeds" in alt and "(seed 7)" in alt
    assert "11 %" not in film(tracks, NAMES, axis="supervised ratio", curves=curves).layout.meta["alt"]
