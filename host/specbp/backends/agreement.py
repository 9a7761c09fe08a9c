"""Whether what is trained is what the user's model computes, tried on a batch of random numbers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from specbp.arithmetic.float32 import Float32
from specbp.errors import UsageError
from specbp.initial import Initial
from specbp.network import Network, Weights
from specbp.network.lowering import parameter_names
from specbp.plan.sequential import sequential
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import Gate
from specbp.runtime.outlines import outline_of

SAMPLES = 2
TOLERANCE = 1e-9
"""Largest difference that counts as none, relative to the largest number beside it.

Both sides compute in float64, so that rounding does not decide which of two nearly equal numbers a
pooling takes: what differs by more differs in what it computes.
"""

_agreed: set[tuple[str, str]] = set()
"""Models that were tried, by name and network."""


def require_agreement(name: str, start: Initial, network: Network) -> None:
    """Run the user's model and what is trained in its place on one batch: loss, all gradients.

    Done once in a process for each model and network.

    Args:
        name: name of the model.
        start: the user's model and its initial weights.
        network: what is trained.

    Raises:
        UsageError: they differ.
    """
    if (name, network.sha256) in _agreed:
        return
    generator = torch.Generator().manual_seed(0)
    shape = SAMPLES, *network.layers[0].input_shape
    images = torch.randn(shape, generator=generator, dtype=torch.float64)
    labels = torch.randint(network.classes, (SAMPLES,), generator=generator)
    try:
        loss, gradients = _in_pytorch(start.model, network, images.clone(), labels)
    except Exception as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f'model "{name}": PyTorch itself cannot train it: {first_line}') from error
    weights = [tuple(one.double() for one in tensors) for tensors in start.weights]
    own_loss, own_gradients = _lowered(network, weights, images, labels)
    differing = [] if _equal(own_loss, loss) else ["loss"]
    for layer, own, other in zip(network.trained, own_gradients, gradients, strict=True):
        if len(own) != len(other) or not all(map(_equal, own, other)):
            differing.append(f"gradient of layer {layer.name}")
    if differing:
        raise UsageError(
            f'model "{name}": its {differing[0]} is not what its layers compute: something in it '
            "changes what PyTorch does there, and would not be trained"
        )
    _agreed.add((name, network.sha256))


def _in_pytorch(
    model: nn.Module, network: Network, images: Tensor, labels: Tensor
) -> tuple[Tensor, list[Weights]]:
    """Return the mean loss of a batch and its gradients, as autograd has them, without dropout."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.enable_grad():
        parameters = {
            name: one.detach().double().requires_grad_() for name, one in model.named_parameters()
        }
        # Copies, since running statistics are changed where they are.
        buffers = {name: _in_double(one) for name, one in model.named_buffers()}
        logits = functional_call(model, parameters | buffers, (images,))
        loss = functional.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
    found = dict(zip(parameters, gradients, strict=True))
    in_order = [tuple(found[name] for name in parameter_names(one)) for one in network.trained]
    return loss.detach(), in_order


def _in_double(buffer: Tensor) -> Tensor:
    """Return a copy of a buffer, numbers with a fraction in float64."""
    return buffer.double() if buffer.is_floating_point() else buffer.clone()


def _lowered(
    network: Network, weights: list[Weights], images: Tensor, labels: Tensor
) -> tuple[Tensor, list[Weights]]:
    """Return the mean loss of a batch and its gradients, by the tasks of a sequential step."""
    outline = outline_of(network)
    trained = Trained(weights, weights, parts=())
    executor = Executor(network, Float32(), outline, trained, cache=None, gate=Gate("none"))
    with torch.no_grad():
        values = executor.begin(labels)
        for task in sequential(outline).tasks:
            if task.kind != "update":
                executor.execute(task, values, lambda: images, params=None)
        gradients = [executor.gradient(node, values) for node in outline.trained]
        return values.losses["batch"].mean(), gradients


def _equal(one: Tensor, other: Tensor) -> bool:
    tolerance = TOLERANCE * max(float(other.abs().max()), 1.0)
    return one.shape == other.shape and bool(((one - other).abs() <= tolerance).all())
