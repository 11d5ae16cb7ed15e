"""Adam with PyTorch's own fused step, without the compiler that PyTorch's optimiser classes import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim.adam import adam

BETAS = 0.9, 0.999
EPSILON = 1e-8


class Adam:
    """Kingma and Ba's optimiser (arXiv 1412.6980), step for step that of :class:`torch.optim.Adam`.

    The first use of any class of :mod:`torch.optim` imports PyTorch's compiler, which takes longer than all else that a
    process imports before its first epoch. Nothing is compiled here, so the step is called as a function.

    Parameters
    ----------
    parameters : iterable of torch.Tensor
        What to optimise, floating point, on one device.
    learning_rate : float
        Of the next step; it may be set between two steps.
    weight_decay : float
        Decoupled from the gradient, as in :class:`torch.optim.AdamW`.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], learning_rate: float, *, weight_decay: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self._weight_decay = weight_decay
        self._parameters = list(parameters)
        self._state: dict[int, dict[str, torch.Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Make a step along the gradients; a parameter without one stays as it is."""
        chosen = [index for index, parameter in enumerate(self._parameters) if parameter.grad is not None]
        for index in chosen:
            if index not in self._state:
                self._state[index] = _initial(self._parameters[index])
        states = [self._state[index] for index in chosen]
        adam(
            [self._parameters[index] for index in chosen],
            [gradient for index in chosen if (gradient := self._parameters[index].grad) is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.learning_rate,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            maximize=False,
            decoupled_weight_decay=self._weight_decay > 0,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that going on needs, in the form of :class:`torch.optim.Adam`."""
        group = {
            **{"lr": self.learning_rate, "betas": BETAS, "eps": EPSILON, "weight_decay": self._weight_decay},
            **{"amsgrad": False, "maximize": False, "foreach": None, "capturable": False, "differentiable": False},
            **{"fused": True, "decoupled_weight_decay": self._weight_decay > 0},
            "params": list(range(len(self._parameters))),
        }
        return {"state": {index: dict(state) for index, state in self._state.items()}, "param_groups": [group]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned, or that of :class:`torch.optim.Adam`.

        Raises
        ------
        ValueError
            If it is of other parameters.
        """
        (group,) = state["param_groups"]
        if len(group["params"]) != len(self._parameters):
            raise ValueError(f"The state is of {len(group['params'])} parameters, not of {len(self._parameters)}.")
        self.learning_rate = group["lr"]
        self._state = {
            index: {name: value.to(self._parameters[index].device, copy=True) for name, value in values.items()}
            for index, values in state["state"].items()
        }


def _initial(parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
        "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
    }
