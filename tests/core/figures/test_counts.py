"""An accuracy stands beside the number of images it is judged on."""

from dataclasses import replace

import numpy as np

from ssrvae_core.figures import Panel, latent_scatter, theme
from ssrvae_core.figures.counts import judged_words, validation_text
from ssrvae_core.figures.film import film
from ssrvae_core.figures.frames import Frame, Track
from ssrvae_core.figures.sheet import _about


def some_labels(predictions, known):
    return replace(predictions, labels=np.where(np.arange(len(predictions)) < known, predictions.predicted, -1))


def test_the_title_of_a_map_counts_the_images_that_its_accuracy_is_of(make_predictions):
    names = tuple("abcdefgh")
    few, none, whole = (Panel("a", some_labels(make_predictions(60), known)) for known in (16, 0, 60))
    texts = [latent_scatter([panel], names).layout.annotations[0].text for panel in (few, none, whole)]
    assert "accuracy" in texts[0] and "N = 16 of 60" in texts[0]
    assert "accuracy" not in texts[1] and "N = 60" in texts[1]
    assert "N = 60" in texts[2] and "N = 60 of" not in texts[2]


def test_the_titles_of_a_film_do_too():
    labels = np.array([0, 1, -1, -1, -1])
    z = np.zeros((5, 2), np.float32)
    frame = Frame(1.0, "1", np.arange(5), z, labels, np.zeros(5, int), np.array([[1, 0], [1, 0]]))
    figure = film([Track("ss-rVAE", (frame,))], ("a", "b"), axis="epoch")
    assert any("accuracy 50 %, N = 2 of 5" in (note.text or "") for note in figure.layout.annotations)
    assert _about(frame) == "accuracy 50 %, N = 2 of 5"


def test_a_caption_says_how_many_of_the_images_have_labels():
    assert validation_text(800, 800) == "N = 800 validation images"
    assert "16 of 1,171" in validation_text(16, 1171) and "have labels" in validation_text(16, 1171)
    assert "has a label" in validation_text(1, 12) and "None of 12" in validation_text(0, 12)


def test_images_with_a_label_are_called_labelled_where_others_were_held_out_too():
    assert judged_words(800, 800) == "800 validation images"
    assert judged_words(16, 103) == "16 labelled validation images"
    assert judged_words(1, 103) == "1 labelled validation image"


def test_a_panel_of_known_classes_has_one_number():
    assert theme.panel_title("a", 1.0, 10).endswith("N = 10</span>")
