"""Parts of a batch on a thread each: operations on small tensors gain nothing from a second core, whole passes do.

What is computed does not depend on the number of threads: parts are cut by what asks for them, not by the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from nasrepro.diffusion.denoiser import Logits
from nasrepro.diffusion.matrix_layer import dropout_generator
from nasrepro.graphs import Graphs

T = TypeVar("T")


def on_threads(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Return what each task returns, on as many threads as PyTorch may use; an operation within a task has one."""
    threads = min(torch.get_num_threads(), len(tasks))
    if threads < 2:
        return [task() for task in tasks]
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def run(task: Callable[[], T]) -> T:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):  # both are of a thread
            return task()

    kept = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return list(_pool(threads).map(run, tasks))
    finally:
        torch.set_num_threads(kept)


class InParts(nn.Module):
    """A network whose batches are cut into parts, forwards and backwards on a thread each.

    Args:
        network: maps graphs, times and classes to logits.
        parts: number of parts; 1 leaves batches whole.
    """

    def __init__(self, network: nn.Module, parts: int) -> None:
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, graphs: Graphs, t: Tensor, classes: Tensor) -> Logits:
        """Predict the clean graphs; arguments as of `Denoiser.forward`."""
        if self.parts == 1:
            return cast(Logits, self.network(graphs, t, classes))
        cuts = torch.arange(len(graphs)).tensor_split(self.parts)
        seeds = torch.randint(2**62, (self.parts,)).tolist()  # of dropout

        def part(cut: Tensor, seed: int) -> Callable[[], Logits]:
            def run() -> Logits:
                with dropout_generator(torch.Generator(t.device).manual_seed(seed)):
                    return cast(Logits, self.network(graphs[cut], t[cut], classes[cut]))

            return run

        tasks = [part(cut, seed) for cut, seed in zip(cuts, seeds, strict=True) if len(cut)]
        if not torch.is_grad_enabled():
            return Logits(*map(torch.cat, zip(*on_threads(tasks), strict=True)))
        return Logits(*cast(tuple[Tensor, Tensor], _Parts.apply(tasks, *self.network.parameters())))


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tasks: Sequence[Callable[[], Logits]], *parameters: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            ctx.done = on_threads(tasks)
        ctx.parameters = parameters
        return tuple(torch.cat([z.detach() for z in kind]) for kind in zip(*ctx.done, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        sizes = [len(done.nodes) for done in ctx.done]
        parts = zip(*(z.split(sizes) for z in gradients), strict=True)

        def back(done: Logits, of: tuple[Tensor, ...]) -> Callable[[], tuple[Tensor, ...]]:
            return lambda: torch.autograd.grad(
                tuple(done), ctx.parameters, of, allow_unused=True, materialize_grads=True
            )

        found = on_threads([back(done, of) for done, of in zip(ctx.done, parts, strict=True)])
        first, *others = (list(z) for z in found)
        for other in others:
            torch._foreach_add_(first, other)
        return None, *first


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "nasrepro", initializer=lambda: torch.set_num_threads(1))
