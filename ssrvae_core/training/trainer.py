"""The training loop, from a configuration and a split to a trained model."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.data import Split
from ssrvae_core.models import SSVAE, build
from ssrvae_core.models.networks import Encoder
from ssrvae_core.records import Epoch, Snapshot, Step
from ssrvae_core.training.adam import Adam
from ssrvae_core.training.advice import Advice, Course
from ssrvae_core.training.batches import PairedBatches
from ssrvae_core.training.clipping import GradientClip
from ssrvae_core.training.device import (
    choose_device,
    keep_freed_memory,
    peak_memory_mb,
    random_state,
    restore_random_state,
    seeded,
    within_memory,
)
from ssrvae_core.training.objective import Batch, Losses, Objective
from ssrvae_core.training.schedule import EarlyStop, beta, learning_rate
from ssrvae_core.training.snapshots import Tracker
from ssrvae_core.training.starts import Starts, Within

INIT, EPOCH = 0, 1
"""What a seed is for, so that no two uses share their random numbers."""

INITIAL_IMAGES = 500
"""Images at most that the encoder's first scale is taken from."""

EXPLODED = 10.0
"""A loss this many times worse than the untrained model's is a training that went wrong."""


class Diverged(UserError):
    """The training left the finite numbers, or made the model far worse than it was untrained."""


class Trainer:
    """Trains one model on one split.

    An epoch's randomness is a function of the seed and the epoch alone: a resumed run equals an undisturbed one.

    With ``training.starts`` above 1, as many sets of initial weights are trained for ``training.start_epochs``, and the
    start that is sure of most unlabelled images (of several, the most consistent one) goes on: where one is stuck, it
    is sure of fewer. No label but those of the labelled images has a part in it.

    Parameters
    ----------
    config : RunConfig
        The run.
    data : Split
        Its data; labels of the validation part are counted for display and choose nothing.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    model : SSVAE, optional
        A model put together from your own networks, which has one start; by default the configuration's.

    Attributes
    ----------
    epoch : int
        Epochs done, of the run or of the short start that is trained.
    on_step : callable
        Called with a :class:`ssrvae_core.records.Step` before every optimisation step and between the batches of the
        look at the tracked images. An exception it raises leaves :meth:`fit`; the trainer's state is then whole, and
        goes on from that very step.
    """

    def __init__(self, config: RunConfig, data: Split, device: str = "auto", model: SSVAE | None = None) -> None:
        keep_freed_memory()
        self.config = config
        self.device = choose_device(device)
        self._shape, self._n_classes = data.labelled.image_shape, data.labelled.n_classes
        with within_memory(self.device, "take fewer or smaller images, or another device"):
            self._batches = PairedBatches(data, config.training, self.device)
            self._tracker = Tracker(data.validation, config.training.tracked, config.seed, self.device)
        judged = config.training.consistency_weight > 0 and len(data.unlabelled) > 0
        self._n_starts = config.training.starts if judged and model is None else 1
        self._starts = Starts() if self._n_starts > 1 else None
        self._advice = Advice(data, self._n_starts, config.seed) if config.model.asks else None
        self._course = Course()
        self._pending: list[Epoch] = []
        self.on_step: Callable[[Step], None] = lambda step: None
        self._begin(0, model)

    def _begin(self, start: int, model: SSVAE | None = None) -> None:
        """Stand before the first epoch, with initial weights of this start's own."""
        config = self.config
        # The first start's weights are those of a run with one start.
        with seeded(self.device, config.seed, INIT, *([start] if start else [])):
            self.model = (model or build(config.model, self._shape, self._n_classes)).to(self.device)
        self.epoch = 0
        self._within: Within | None = None
        self._initialise_encoder()
        self._objective = Objective(self.model, config.training)
        self._optimiser = Adam(self.model.parameters(), config.training.learning_rate)
        self._clip = GradientClip(config.training.gradient_clip)
        self._first_loss: float | None = None
        self._early_stop = EarlyStop(config.training)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done and told of, or the early stop has struck."""
        return not self._pending and (self._early_stop.struck or self.epoch >= self.config.training.epochs)

    @property
    def resumable(self) -> bool:
        """Whether every epoch that is done has been told of, so that :meth:`state_dict` is a state to go on from."""
        return not self._pending

    @property
    def position(self) -> Step:
        """Where the training is, and goes on."""
        starts, config = self._starts, self.config.training
        number, epoch, short = 0, self.epoch, min(config.start_epochs, config.epochs)
        if starts is not None and starts.start < self._n_starts:
            number, epoch = starts.start + 1, len(starts.records)
        elif starts is not None:  # all are made, and the best one is still to be chosen
            epoch = short
        step = self._within.step if self._within else 0
        return Step(number, self._n_starts, short, epoch, config.epochs, step, self._batches.n_steps)

    def choose_start(self) -> Iterator[tuple[int, int]]:
        """Make the short starts that are still to be made, and choose one; :meth:`fit` does it otherwise.

        One that diverges is left out. The time of all of them counts to the first epoch.

        Yields
        ------
        tuple of int
            Number of the start and its epoch, both from 1, after each. :meth:`starts_state` is then a state to go on
            from, and the caller may stop iterating.

        Raises
        ------
        Diverged
            If every start does.
        """
        starts = self._starts
        while starts is not None and starts.start < self._n_starts:
            if not starts.records and self._within is None:
                self._begin(starts.start)
            number = starts.start + 1
            try:
                starts.add(self._train_epoch())
            except Diverged as error:
                starts.fail(str(error))
                continue
            if self.finished or self.epoch >= self.config.training.start_epochs:
                if self._advice is not None:
                    starts.left_out.append(self._advice.examine(self.model, starts.start))
                starts.judge(copy.deepcopy(self.state_dict()))
            yield number, self.epoch
        if starts is not None:
            self._choose(starts)

    def _choose(self, starts: Starts) -> None:
        """Stand where the best start came to."""
        if starts.best is None:
            raise Diverged(starts.failure or "No start came to its end.")
        _, state, (first, *others) = starts.best
        left_out = starts.left_out
        if self._advice is not None:
            self._advice.take(lambda: self.on_step(self.position))
        self.load_state_dict(state)
        if self._advice is not None:
            self._advice.join(self.model, left_out)
        first = replace(first, seconds=starts.spent - sum(record.seconds for record in others))
        self._pending = [first, *others]

    def fit(self) -> Iterator[Epoch]:
        """Train epoch by epoch, from wherever the trainer stands.

        Yields
        ------
        Epoch
            One record an epoch, after several short starts those of the chosen one first. The caller decides what to do
            with it, and may stop iterating.

        Raises
        ------
        Diverged
            If a loss or a gradient is not finite, or the loss of an epoch is many times the untrained model's.
        Exception
            What :attr:`on_step` raises.
        """
        for _ in self.choose_start():
            pass
        while not self.finished:
            yield self._pending.pop(0) if self._pending else self._train_epoch()

    def _train_epoch(self) -> Epoch:
        config = self.config.training
        done, self._within = self._within or Within(torch.zeros(6, device=self.device)), None
        began = time.perf_counter() - done.seconds
        self.model.train()
        with seeded(self.device, self.config.seed, EPOCH, self.epoch) as generator, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Encountered")  # Pyro's; ours is an error, with advice
            self._set_course(lambda: self._pause(done))  # before the batches are drawn
            self._make_steps(done, began, generator)
            means = Losses(*(done.sums / self._batches.n_steps).unbind())
            loss = means.total.item()
            self._check(loss)
            done.seconds = time.perf_counter() - began
            self.model.eval()
            last = self.epoch + 1 >= config.epochs or self._early_stop.strikes(self.epoch + 1, loss)
            snapshot, accuracy = self._tracker(self.model, lambda: self._pause(done, generator), alone=not last)
        self.epoch += 1
        self._early_stop.add(self.epoch, loss)
        keep = self.epoch % config.snapshot_every == 0 or self.finished
        return self._record(done, means, accuracy, snapshot if keep else None)

    def _make_steps(self, done: Within, began: float, generator: torch.Generator) -> None:
        """Make the steps of an epoch that are still to be made."""
        config, resumed = self.config.training, done.step
        for step, batch in enumerate(self._batches.of_epoch(self._course, generator)):
            if step < resumed:
                continue
            if step == resumed and done.random is not None:
                restore_random_state(generator, done.random)
            done.seconds = time.perf_counter() - began
            self._pause(done, generator)
            progress = (self.epoch + step / self._batches.n_steps) / config.epochs
            self._optimiser.learning_rate = learning_rate(config, progress)
            losses = self._step(batch, generator)
            if self._first_loss is None:
                self._first_loss = losses.total.item()
            done.sums += torch.stack([term.detach() for term in vars(losses).values()])
            done.n_images += len(batch.labelled) + len(batch.unlabelled)
            done.step = step + 1

    def _record(self, done: Within, means: Losses, accuracy: float, snapshot: Snapshot | None) -> Epoch:
        return Epoch(
            epoch=self.epoch,
            elbo_unlabelled=means.elbo_unlabelled.item(),
            elbo_labelled=means.elbo_labelled.item(),
            classification=means.classification.item(),
            consistency=means.consistency.item(),
            confident=means.confident.item(),
            beta=beta(self.config.training, self.epoch - 1),
            learning_rate=self._optimiser.learning_rate,
            seconds=done.seconds,
            images_per_second=done.n_images / done.seconds,
            peak_memory_mb=peak_memory_mb(self.device),
            validation_accuracy=accuracy,
            snapshot=snapshot,
        )

    def _set_course(self, pause: Callable[[], None]) -> None:
        """Take the labels that this epoch learns from, and what the second opinion says of unlabelled images."""
        if self._advice is None:
            return
        starts = self._starts
        fold = starts.start if starts is not None else None
        self._advice.take(pause)
        if fold is None and self.model.opinion is not None and not self.model.opinion.fitted:
            self._advice.join(self.model, [])
        if self._course.fold != fold or self._course.opinion is None:
            self._course = self._advice.course(fold, self.device)

    def _pause(self, done: Within, generator: torch.Generator | None = None) -> None:
        """Let the caller know where the training is; if it stops there, keep what going on needs."""
        try:
            self.on_step(replace(self.position, step=done.step))
        except Exception:
            if generator is not None:
                done.random = random_state(generator)
            self._within = done
            raise

    def _step(self, batch: Batch, generator: torch.Generator) -> Losses:
        size = self.config.training.batch_size
        with within_memory(self.device, f"lower training.batch_size (now {size})"):
            losses = self._objective(batch, beta(self.config.training, self.epoch), generator, epoch=self.epoch)
            self._optimiser.zero_grad()
            losses.total.backward()
        if not self._clip(self.model):
            raise self._diverged("a gradient is not a finite number")
        self._optimiser.step()
        return losses

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise self._diverged("a loss is not a finite number")
        first = self._first_loss or 0.0
        if loss - first > EXPLODED * (abs(first) + 1):
            raise self._diverged(f"the loss is {loss:.3g}, and was {first:.3g} before")

    def _diverged(self, why: str) -> Diverged:
        rate = self.config.training.learning_rate
        return Diverged(
            f"The training diverged in epoch {self.epoch + 1}: {why}; "
            f"lower training.learning_rate (now {rate:g}), for instance to {rate / 3:.1g}."
        )

    def _initialise_encoder(self) -> None:
        """Start with latents that tell the images apart; the paper's engine starts as the source does."""
        batches = self._batches
        images = (batches.unlabelled if len(batches.unlabelled) > 1 else batches.labelled)[:INITIAL_IMAGES]
        if self.config.model.rotation == "latent" or not isinstance(self.model.encoder, Encoder) or len(images) < 2:
            return
        seen = self.model.features(self.model.look(images))
        undecided = seen.new_full((len(images), self.model.n_classes), 1 / self.model.n_classes)
        self.model.encoder.initialise(seen, undecided)

    # Checkpoints.

    def state_dict(self) -> dict[str, Any]:
        """Return all that resuming needs, as tensors and plain values (``torch.load(weights_only=True)`` reads it).

        It is whole between epochs, and where :attr:`on_step` stopped one.
        """
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "gradient_norm": self._clip.typical,
            "first_loss": self._first_loss,
            "best_loss": self._early_stop.best_loss,
            "epochs_since_best": self._early_stop.epochs_since_best,
            "within": self._within and vars(self._within),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned: there is no start left to make."""
        self._starts = None
        self._load(state)

    def starts_state(self) -> dict[str, Any] | None:
        """Return what going on among the short starts needs, in the same form; None where none is left to make."""
        starts = self._starts
        if starts is None:
            return None
        begun = bool(starts.records) or self._within is not None
        return {"starts": starts.state_dict(), "trainer": self.state_dict() if begun else None}

    def load_starts_state(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`starts_state` returned; nothing, where the run has one start."""
        if self._n_starts > 1:
            self._starts = Starts.from_state(state["starts"])
            if state["trainer"] is not None:
                self._load(state["trainer"])

    def _load(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._clip.typical = state["gradient_norm"]
        self._first_loss = state["first_loss"]
        self._early_stop = EarlyStop(self.config.training, state["best_loss"], state["epochs_since_best"])
        within = state.get("within")  # not in checkpoints of earlier versions
        self._within = within and Within(**within | {"sums": within["sums"].to(self.device)})
