"""What pipelined and speculative training should compute, in a few lines of autograd.

A step leaves behind, per sample, what its forward read and gave. A later step takes its input
gradients from there, with the weights as they are then. Nothing of specbp is used but the recipe:
the initial model, the order of the samples, the learning rate.
"""

import torch
from torch import nn
from torch.nn import functional

from specbp.learning_rate import learning_rate
from specbp.network.models import build
from specbp.sampling import sample_order, steps_per_epoch

HAS_WEIGHTS = (nn.Conv2d, nn.Linear)


class DelayedLoop:
    """Trains `experiment` on `dataset` by the four steps of the method."""

    def __init__(self, experiment, dataset):
        self.experiment, self.dataset = experiment, dataset
        info = dataset.info
        self.model = build(experiment.model, info.image_shape[0], info.classes, experiment.seed)
        self.steps_per_epoch = steps_per_epoch(len(dataset.train_labels), experiment.batch_size)
        self.momentum = [torch.zeros_like(one) for one in self.model.parameters()]
        self.cache = {}  # key -> (inputs of every module, logits, label) of its last sample
        self.step = 0
        self.accepted = []

    def advance(self, steps):
        """Train and return the loss of each step."""
        return [self._one_step() for _ in range(steps)]

    def _one_step(self):
        experiment, data = self.experiment, self.dataset
        epoch, position = divmod(self.step, self.steps_per_epoch)
        order = sample_order(experiment, data.train_labels, epoch)
        first = position * experiment.batch_size
        index = order[first : first + experiment.batch_size]
        labels = data.train_labels[index]
        speculates = epoch >= (experiment.warmup_epochs or 0)
        now = [one.detach().clone() for one in self.model.parameters()]
        if experiment.weight_prediction and speculates:
            self._set([w - self._rate() * m for w, m in zip(now, self.momentum, strict=True)])
        inputs, logits = self._forward(data.normalised(data.train_images[index]))
        self._set(now)
        loss = functional.cross_entropy(logits, labels)
        if speculates:
            gradients = self._speculative(inputs, logits, labels)
        else:
            gradients = self._gradients(inputs, inputs, logits, labels)
        self._update(gradients)
        self.step += 1
        return loss.item()

    def _speculative(self, inputs, logits, labels):
        """Take from the cache what the gate accepts, and leave there what this forward gave."""
        batch = self.experiment.key == "batch"
        keys = range(len(labels)) if batch else labels.tolist()
        masks, weighted = [one.clone() for one in inputs], [one.clone() for one in inputs]
        scores, targets = logits.clone(), labels.clone()
        accepted = 0
        for sample, key in enumerate(keys):
            if key not in self.cache:
                continue
            old_inputs, old_logits, old_label = self.cache[key]
            limit = self.experiment.gate_threshold
            distance = (logits[sample].softmax(0) - old_logits.softmax(0)).abs().max()
            if limit is not None and not distance < limit:
                continue
            accepted += 1
            scores[sample], targets[sample] = old_logits, old_label
            for module, old in enumerate(old_inputs):
                masks[module][sample] = old
                if self.experiment.reuse == "replay":
                    weighted[module][sample] = old
        self.accepted.append(accepted)
        gradients = self._gradients(masks, weighted, scores, targets)
        for sample, key in enumerate(keys):
            mine = [one[sample].clone() for one in inputs]
            self.cache[key] = mine, logits[sample].clone(), labels[sample].clone()
        return gradients

    def _forward(self, images):
        inputs = []
        with torch.no_grad():
            for module in self.model:
                inputs.append(images)
                images = module(images)
        return inputs, images

    def _gradients(self, masks, weighted, logits, labels):
        """Return the gradient of every parameter, with the weights as they are.

        Args:
            masks: the input of every module that decides what passes through it.
            weighted: the input of every module that its weights are multiplied with.
            logits: of which the loss is taken.
            labels: likewise.
        """
        logits = logits.clone().requires_grad_()
        (delta,) = torch.autograd.grad(functional.cross_entropy(logits, labels), logits)
        found = []
        for module, mask, weight in reversed(list(zip(self.model, masks, weighted, strict=True))):
            x = (weight if isinstance(module, HAS_WEIGHTS) else mask).clone().requires_grad_()
            parameters = list(module.parameters())
            delta, *own = torch.autograd.grad(module(x), [x, *parameters], delta)
            found[:0] = own
        return found

    @torch.no_grad()
    def _update(self, gradients):
        """Do a step of SGD with momentum, as torch.optim.SGD does."""
        rate = self._rate()
        for w, m, g in zip(self.model.parameters(), self.momentum, gradients, strict=True):
            m.mul_(self.experiment.momentum).add_(g + self.experiment.weight_decay * w)
            w.sub_(rate * m)

    def _rate(self):
        total = self.steps_per_epoch * self.experiment.epochs
        return learning_rate(self.experiment, self.step, total)

    @torch.no_grad()
    def _set(self, values):
        for parameter, value in zip(self.model.parameters(), values, strict=True):
            parameter.copy_(value)
