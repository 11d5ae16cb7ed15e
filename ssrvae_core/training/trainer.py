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
import torch.nn.functional as F

from ssrvae_core.config import RunConfig, UserError
from ssrvae_core.data import Split
from ssrvae_core.models import SSVAE, build
from ssrvae_core.models.networks import Encoder
from ssrvae_core.records import Epoch, Step
from ssrvae_core.training.adam import Adam
from ssrvae_core.training.advice import Advice, Course
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
        labelled, unlabelled = data.labelled, data.unlabelled
        self._shape, self._n_classes = labelled.image_shape, labelled.n_classes
        with within_memory(self.device, "take fewer or smaller images, or another device"):
            self._labelled = torch.from_numpy(labelled.images).to(self.device)
            self._y = F.one_hot(torch.from_numpy(labelled.labels), self._n_classes).float().to(self.device)
            self._unlabelled = torch.from_numpy(unlabelled.images).to(self.device)
            self._tracker = Tracker(data.validation, config.training.tracked, config.seed, self.device)
        judged = config.training.consistency_weight > 0 and len(unlabelled) > 0
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
        self._best_loss, self._epochs_since_best = math.inf, 0

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done and told of, or the early stop has struck."""
        config = self.config.training
        if self._pending:
            return False
        stopped = config.early_stop is not None and self._epochs_since_best >= config.early_stop
        return stopped or self.epoch >= config.epochs

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
        return Step(number, self._n_starts, short, epoch, config.epochs, step, self._n_steps())

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
        config, n_steps = self.config.training, self._n_steps()
        done, self._within = self._within or Within(torch.zeros(6, device=self.device)), None
        resumed, began = done.step, time.perf_counter() - done.seconds
        self.model.train()
        with seeded(self.device, self.config.seed, EPOCH, self.epoch) as generator, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Encountered")  # Pyro's; ours is an error, with advice
            self._set_course(lambda: self._pause(done))  # before the batches are drawn
            for step, batch in enumerate(self._batches(generator)):
                if step < resumed:
                    continue
                if step == resumed and done.random is not None:
                    restore_random_state(generator, done.random)
                done.seconds = time.perf_counter() - began
                self._pause(done, generator)
                self._set_learning_rate((self.epoch + step / n_steps) / config.epochs)
                losses = self._step(batch, generator)
                if self._first_loss is None:
                    self._first_loss = losses.total.item()
                done.sums += torch.stack([term.detach() for term in vars(losses).values()])
                done.n_images += len(batch.labelled) + len(batch.unlabelled)
                done.step = step + 1
            means = Losses(*(done.sums / n_steps).unbind())
            self._check(means.total.item())
            done.seconds = seconds = time.perf_counter() - began
            self.model.eval()
            last = self.epoch + 1 >= config.epochs or self._stops_early(self.epoch + 1, means.total.item())
            snapshot, accuracy = self._tracker(self.model, lambda: self._pause(done, generator), alone=not last)
        self.epoch += 1
        self._watch_for_early_stop(means.total.item())
        keep = self.epoch % config.snapshot_every == 0 or self.finished
        return Epoch(
            epoch=self.epoch,
            elbo_unlabelled=means.elbo_unlabelled.item(),
            elbo_labelled=means.elbo_labelled.item(),
            classification=means.classification.item(),
            consistency=means.consistency.item(),
            confident=means.confident.item(),
            beta=self._beta(self.epoch - 1),
            learning_rate=self._optimiser.learning_rate,
            seconds=seconds,
            images_per_second=done.n_images / seconds,
            peak_memory_mb=peak_memory_mb(self.device),
            validation_accuracy=accuracy,
            snapshot=snapshot if keep else None,
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
            losses = self._objective(batch, self._beta(self.epoch), generator, epoch=self.epoch)
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
        images = (self._unlabelled if len(self._unlabelled) > 1 else self._labelled)[:INITIAL_IMAGES]
        if self.config.model.rotation == "latent" or not isinstance(self.model.encoder, Encoder) or len(images) < 2:
            return
        seen = self.model.features(self.model.look(images))
        undecided = seen.new_full((len(images), self.model.n_classes), 1 / self.model.n_classes)
        self.model.encoder.initialise(seen, undecided)

    # One epoch's schedule.

    def _n_steps(self) -> int:
        config = self.config.training
        return max(
            config.min_steps,
            math.ceil(len(self._labelled) / config.labelled_batch_size),
            math.ceil(len(self._unlabelled) / config.batch_size),
        )

    def _batches(self, generator: torch.Generator) -> Iterator[Batch]:
        """Yield paired batches: the larger set is seen at least once, the smaller cycles."""
        config, n_steps = self.config.training, self._n_steps()
        course = self._course
        kept = torch.arange(len(self._labelled), device=self.device) if course.kept is None else course.kept
        labelled = kept[self._rows(len(kept), config.labelled_batch_size, n_steps, generator)]
        unlabelled = self._rows(len(self._unlabelled), config.batch_size, n_steps, generator)
        for own, other in zip(labelled, unlabelled, strict=True):
            # Indexing with brackets takes several times as long on a CPU.
            opinion = None if course.opinion is None else course.opinion.index_select(0, other)
            images = self._labelled.index_select(0, own), self._y[own], self._unlabelled.index_select(0, other)
            yield Batch(*images, opinion)

    def _rows(self, n_images: int, size: int, n_steps: int, generator: torch.Generator) -> torch.Tensor:
        """Return the rows (n_steps, batch) of each step's images: shuffled passes, one after the other."""
        size = min(size, n_images)
        n_passes = math.ceil(n_steps * size / n_images) if n_images else 0
        passes = [torch.randperm(n_images, generator=generator, device=self.device) for _ in range(n_passes)]
        rows = torch.cat(passes) if passes else torch.empty(0, dtype=torch.long, device=self.device)
        return rows[: n_steps * size].view(n_steps, size)

    def _beta(self, epoch: int) -> float:
        config = self.config.training
        ramp = min(1.0, epoch / config.beta_ramp_epochs) if config.beta_ramp_epochs else 1.0
        return config.beta_start + ramp * (config.beta_end - config.beta_start)

    def _set_learning_rate(self, progress: float) -> None:
        config = self.config.training
        factor = (1 + math.cos(math.pi * progress)) / 2 if config.schedule == "cosine" else 1.0
        self._optimiser.learning_rate = config.learning_rate * factor

    def _watch_for_early_stop(self, loss: float) -> None:
        if self._is_best(self.epoch, loss):
            self._best_loss, self._epochs_since_best = loss, 0
        else:
            self._epochs_since_best += 1

    def _is_best(self, epoch: int, loss: float) -> bool:
        # While the KL weight ramps up, the loss rises by that alone: nothing before its end counts.
        return epoch <= self.config.training.beta_ramp_epochs + 1 or loss < self._best_loss

    def _stops_early(self, epoch: int, loss: float) -> bool:
        """Whether the early stop strikes after this epoch (from 1)."""
        patience = self.config.training.early_stop
        return patience is not None and not self._is_best(epoch, loss) and self._epochs_since_best + 1 >= patience

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
            "best_loss": self._best_loss,
            "epochs_since_best": self._epochs_since_best,
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
        self._best_loss, self._epochs_since_best = state["best_loss"], state["epochs_since_best"]
        within = state.get("within")  # not in checkpoints of earlier versions
        self._within = within and Within(**within | {"sums": within["sums"].to(self.device)})


class GradientClip:
    """Clips the gradient's norm at a multiple of its running mean, whatever the size of the images.

    Parameters
    ----------
    multiple : float
        Largest norm, in running means.
    """

    MEMORY = 0.98  # of the running mean, a step
    ROUNDING = 2e-6  # torch adds half of it to the norm before it compares

    def __init__(self, multiple: float) -> None:
        self.multiple = multiple
        self.typical = 0.0

    def __call__(self, model: torch.nn.Module) -> bool:
        """Clip in place; return False, and change nothing, if the gradient is not finite."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        length = torch.nn.utils.get_total_norm(gradients)
        norm = length.item()
        if not math.isfinite(norm):
            return False
        limit = self.multiple * self.typical if self.typical else norm
        if norm > limit - self.ROUNDING:  # else the factor is 1
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max(limit, 1e-12), length)
        self.typical = self.MEMORY * (self.typical or norm) + (1 - self.MEMORY) * min(norm, limit)
        return True
