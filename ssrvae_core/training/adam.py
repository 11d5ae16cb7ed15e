"""The Adam optimiser by torch's own fused kernel, without the compiler that ``torch.optim.Optimizer`` imports.

That import takes a process more than a second and tens of megabytes, and every job and every worker of a sweep is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma and Ba 2014, arXiv 1412.6980): the same numbers as ``torch.optim.Adam(..., fused=True)``.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is optimised; one without a gradient stays as it is.
    learning_rate : float
        Of the next step; set the attribute to change it.
    weight_decay : float
        Decoupled (Loshchilov and Hutter 2017, arXiv 1711.05101), as in ``torch.optim.AdamW``.
    """

    BETAS = (0.9, 0.999)
    EPSILON = 1e-8

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, weight_decay: float = 0.0) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self._state: dict[int, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take a step down the gradients."""
        rows = [row for row, parameter in enumerate(self.parameters) if parameter.grad is not None]
        states = [self._state.setdefault(row, _fresh(self.parameters[row])) for row in rows]
        adam(
            [self.parameters[row] for row in rows],
            [gradient for row in rows if (gradient := self.parameters[row].grad) is not None],
            exp_avgs=[state["exp_avg"] for state in states],
            exp_avg_sqs=[state["exp_avg_sq"] for state in states],
            max_exp_avg_sqs=[],
            state_steps=[state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=self.EPSILON,
            maximize=False,
            decoupled_weight_decay=self.weight_decay > 0,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of torch's optimisers, which checkpoints of earlier versions have."""
        group = {"lr": self.learning_rate, "params": list(range(len(self.parameters)))}
        return {"state": {row: dict(state) for row, state in self._state.items()}, "param_groups": [group]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` or one of torch's own Adam returned, on whatever device it was."""
        (group,) = state["param_groups"]
        self.learning_rate = group["lr"]
        self._state = {
            row: {name: value.to(self.parameters[row].device, copy=True) for name, value in own.items()}
            for row, own in state["state"].items()
        }


def _fresh(parameter: Tensor) -> dict[str, Tensor]:
    """Return the state before the first step: running means of the gradient and of its square, by torch's names."""
    return {
        "step": torch.zeros((), device=parameter.device),
        "exp_avg": torch.zeros_like(parameter),
        "exp_avg_sq": torch.zeros_like(parameter),
    }
