"""Ten labels per class: the estimator on rotated playing cards, from images to predictions, latents and drawings.

Run it with ``python -m examples.estimator`` from the project's folder, or paste it into a notebook cell by cell.
"""

# %% Images of four suits, turned by up to 120 degrees; ten of each carry a label and are nearly upright.
import numpy as np

from ssrvae_core import SSRVAEClassifier
from ssrvae_core.config import DatasetConfig, Disorder, SplitConfig
from ssrvae_core.data import load, split

cards = DatasetConfig(
    source="cards",
    size=28,
    labelled=Disorder(rotation=12),
    unlabelled=Disorder(rotation=120, shear=10),
    train_per_class=50,
    validation_per_class=25,
)
parts = split(load(cards), SplitConfig(labels_per_class=10))
suits = np.array(parts.labelled.class_names, dtype=object)

X = np.concatenate([parts.labelled.images[:, 0], parts.unlabelled.images[:, 0]])  # (n, height, width)
y = np.concatenate([suits[parts.labelled.labels], np.full(len(parts.unlabelled), -1)])  # -1: unlabelled
X_new, y_new = parts.validation.images[:, 0], suits[parts.validation.labels]
print(f"{len(X)} images of {X.shape[1]} x {X.shape[2]} pixels, {np.sum(y != -1)} of them labelled")

# %% Learn from both.
classifier = SSRVAEClassifier(preset="teaching", latent_dim=2, epochs=2, batch_size=40, random_state=0)
classifier.fit(X, y)
last = classifier.history_[-1]
print(f"{len(classifier.history_)} epochs, ELBO {last['elbo_unlabelled']:.1f} nats an unlabelled image")

# %% Classify new images.
accuracy = classifier.score(X_new, y_new)
confidence = classifier.predict_proba(X_new).max(axis=1)
print(f"accuracy on {len(X_new)} new images: {accuracy:.3f}, mean confidence {confidence.mean():.3f}")

# %% What varies within a class, and the angle each object lies at.
z = classifier.transform(X_new)
predicted = classifier.predict(X_new)
angles = np.rad2deg(classifier.angle(X_new))
for suit in classifier.classes_:
    rows = predicted == suit
    print(
        f"{suit}: z = {z[rows].mean(axis=0).round(2)}, angles from {angles[rows].min():.0f} to {angles[rows].max():.0f}"
    )

# %% Draw the typical object of each class as labelled, and turned by 90 degrees.
typical = np.zeros((len(classifier.classes_), 2))
upright = classifier.decode(typical, classifier.classes_)
turned = classifier.decode(typical, classifier.classes_, angle=np.pi / 2)
for suit, pair in zip(classifier.classes_, np.concatenate([upright, turned], axis=2), strict=True):
    print(f"\n{suit}")
    for line in pair[::2]:
        print("".join(" .:*#"[round(4 * value)] for value in line).rstrip())
