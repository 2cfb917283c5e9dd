"""Zero-cost proxies from one batch, as NAS-Bench-Suite-Zero (Krishnakumar et al., 2022) computes them.

Each takes a network, images (B x 3 x H x W) and labels (B), and leaves the network as it is. The network is used in
training mode, so normalisations use the statistics of the batch. A higher score should mean a better network. Where a
network does not depend on its input (a cell of dead ends), correlations do not exist and the score is -inf.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import UnknownQuery, did_you_mean
from nasrepro.proxies import complexity

Score = Callable[[nn.Module, Tensor, Tensor], float]

_SMALL = 1e-5  # keeps logarithms and fractions of jacov and epe_nas finite


def parameters(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the number of trainable parameters."""
    return complexity.parameters(network)


def flops(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the multiply-adds of one image."""
    return complexity.flops(network, images.shape[-1])


def l2_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum over layers of the norm of the weights."""
    return float(sum(layer.weight.detach().norm() for layer in _layers(network)))


def plain(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum of weight times gradient of the loss (Abdelfattah et al., 2021)."""
    return sum(float((w * g).sum()) for w, g in _weights_and_gradients(network, images, labels))


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum of the magnitudes of weight times gradient of the loss (Lee, Ajanthan and Torr, 2019)."""
    return sum(float((w * g).abs().sum()) for w, g in _weights_and_gradients(network, images, labels))


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum over layers of the norm of the gradient of the loss (Abdelfattah et al., 2021)."""
    return sum(float(g.norm()) for _, g in _weights_and_gradients(network, images, labels))


def grasp(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return minus the sum of weight times H g, with Hessian H and gradient g of the loss (Wang, Zhang and Grosse,
    2020)."""
    network = _copy(network)
    weights = [layer.weight for layer in _layers(network)]
    first = torch.autograd.grad(F.cross_entropy(network(images), labels), weights, allow_unused=True)
    second = torch.autograd.grad(
        F.cross_entropy(network(images), labels), weights, allow_unused=True, create_graph=True
    )
    product = torch.stack([(a * b).sum() for a, b in zip(first, second, strict=True) if a is not None]).sum()
    hessian_times_gradient = torch.autograd.grad(product, weights, allow_unused=True)
    return -sum(
        float((w.detach() * h).sum()) for w, h in zip(weights, hessian_times_gradient, strict=True) if h is not None
    )


def fisher(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum over channels of half the mean square of activation times gradient, summed over places (Theis et
    al., 2018; Turner et al., 2020)."""
    network = _copy(network)
    activations: list[Tensor] = []
    for layer in _layers(network):
        layer.register_forward_hook(lambda module, inputs, output: activations.append(output))
    gradients = torch.autograd.grad(F.cross_entropy(network(images), labels), activations, allow_unused=True)
    total = 0.0
    for a, g in zip(activations, gradients, strict=True):
        if g is not None:
            total += float((a.detach() * g).reshape(*a.shape[:2], -1).sum(-1).square().mean(0).sum() / 2)
    return total


def synflow(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the logarithm of the sum of weight times gradient of the summed outputs, without normalisations, for an
    image of ones and the magnitudes of the weights (Tanaka et al., 2020).

    The logarithm, in double precision, because the sum grows exponentially with depth.
    """
    network = _copy(network).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda module, inputs, output: inputs[0])
    for parameter in network.parameters():
        parameter.data.abs_()
    weights = [layer.weight for layer in _layers(network)]
    output = network(torch.ones_like(images[:1], dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(output, weights, allow_unused=True)
    total = sum(float((w.detach() * g).sum()) for w, g in zip(weights, gradients, strict=True) if g is not None)
    return float(np.log(total)) if total > 0 else -np.inf


def nwot(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the log-determinant of the kernel that counts, for two images, the rectifiers on which they agree (Mellor
    et al., 2021)."""
    network = _copy(network)
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def agree(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        active = (inputs[0].flatten(1) > 0).float()
        kernel.add_((active @ active.T + (1 - active) @ (1 - active).T).cpu())

    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(agree)
    with torch.no_grad():
        network(images)
    return float(torch.linalg.slogdet(kernel).logabsdet)


def jacov(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return minus the sum of log(v) + 1 / v over the eigenvalues v of the correlations between the images' gradients
    of the summed outputs (Mellor et al., 2020, first version)."""
    jacobian, _ = _jacobian(network, images)
    if not (jacobian.std(1) > 0).all():
        return -np.inf
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(jacobian)).clip(0) + _SMALL
    return float(-(np.log(eigenvalues) + 1 / eigenvalues).sum())


def epe_nas(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum over classes of the magnitude of the summed log-correlations between the gradients of a class's
    images (Lopes, Alirezazadeh and Alexandre, 2021).

    Above 100 classes: the mean magnitude of the difference between two classes' sums, each divided by its images.
    """
    jacobian, n_classes = _jacobian(network, images)
    if not (jacobian.std(1) > 0).all():
        return -np.inf
    classes = labels.cpu().numpy()
    logs = np.log(np.abs(np.corrcoef(jacobian)) + _SMALL)
    sums = np.array([logs[np.ix_(classes == c, classes == c)].sum() for c in np.unique(classes)])
    if n_classes <= 100:
        return float(np.abs(sums).sum())
    sums /= np.unique(classes, return_counts=True)[1]
    return float(np.abs(sums[:, None] - sums).sum() / len(sums))


SCORES: dict[str, Score] = {
    "epe_nas": epe_nas,
    "fisher": fisher,
    "flops": flops,
    "grad_norm": grad_norm,
    "grasp": grasp,
    "jacov": jacov,
    "l2_norm": l2_norm,
    "nwot": nwot,
    "params": parameters,
    "plain": plain,
    "snip": snip,
    "synflow": synflow,
}
"""By the names of NAS-Bench-Suite-Zero; its thirteenth is `nasrepro.proxies.zen.zen`."""


def evaluate(
    network: nn.Module, images: Tensor, labels: Tensor, names: Iterable[str] = tuple(SCORES)
) -> dict[str, float]:
    """Return the scores of these names; raise `UnknownQuery` for a name that is not in `SCORES`."""
    scores = {}
    for name in names:
        if name not in SCORES:
            raise UnknownQuery(f"There is no score `{name}`; there is {', '.join(SCORES)}.{did_you_mean(name, SCORES)}")
        scores[name] = SCORES[name](network, images, labels)
    return scores


def noise(
    generator: torch.Generator, batch_size: int = 64, resolution: int = 32, n_classes: int = 10
) -> tuple[Tensor, Tensor]:
    """Return images of standard normal noise (B x 3 x H x W) and uniform labels (B): a batch where there is no data."""
    images = torch.randn(batch_size, 3, resolution, resolution, generator=generator)
    return images, torch.randint(n_classes, (batch_size,), generator=generator)


def _copy(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).train()


def _layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def _weights_and_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return weight and gradient of the cross-entropy of each layer that the output depends on."""
    network = _copy(network)
    weights = [layer.weight for layer in _layers(network)]
    gradients = torch.autograd.grad(F.cross_entropy(network(images), labels), weights, allow_unused=True)
    return [(w.detach(), g) for w, g in zip(weights, gradients, strict=True) if g is not None]


def _jacobian(network: nn.Module, images: Tensor) -> tuple[np.ndarray, int]:
    """Return the gradient of the summed outputs with respect to each image (float64, B x pixels), and the number of
    outputs."""
    images = images.detach().clone().requires_grad_()
    outputs = _copy(network)(images)
    gradient = torch.autograd.grad(outputs.sum(), images, allow_unused=True)[0]
    gradient = torch.zeros_like(images) if gradient is None else gradient
    return gradient.flatten(1).double().cpu().numpy(), outputs.shape[1]
