"""Faults that would make a benchmark lie, planted one by one: each must be caught by its test.

Every fault is a change of one place of the sources, in a copy of them. It lets everything run and
changes a number, or what a number means. A fault whose place is no longer there is an error: plant
it where that has gone.

    pytest bench/test_planted_faults.py
"""

import pytest

from bench.planted import Fault, check_caught, check_sound

SPECBP = "host/specbp"
WORKED = "tests/backends/test_work.py"
DELAYED = "tests/backends/cpu/test_delayed.py::test_it_trains_as_the_oracle_does"
HELD_OUT = "tests/datasets/test_held_out.py"
HEALTH = "tests/report/test_health.py"

FAULTS = {
    "the training begins with other weights than its hash says": Fault(
        f"{SPECBP}/backends/trained.py",
        "here = [(weight.to(device), bias.to(device))",
        "here = [(weight.to(device) * 1.01, bias.to(device))",
        WORKED,
    ),
    "a tenth of the samples is never trained on": Fault(
        f"{SPECBP}/backends/recipe.py",
        "self.steps_per_epoch = steps_per_epoch(samples, experiment.batch_size)",
        "self.steps_per_epoch = steps_per_epoch(samples * 9 // 10, experiment.batch_size)",
        WORKED,
    ),
    "every epoch has the order of the first": Fault(
        f"{SPECBP}/backends/recipe.py",
        "self._order = sample_order(self.experiment, self.dataset.train_labels, epoch)",
        "self._order = sample_order(self.experiment, self.dataset.train_labels, 0)",
        WORKED,
    ),
    "the batch is loaded outside the clock of its step": Fault(
        f"{SPECBP}/runtime/threads.py",
        "            started = time.perf_counter()\n            plan, values",
        "            self._samples.images(chosen)\n            started = time.perf_counter()\n"
        "            plan, values",
        "tests/backends/cpu/test_clock.py",
    ),
    "held-out samples are the test set": Fault(
        f"{SPECBP}/datasets/loading.py",
        "        Samples(samples.images[~stays], samples.labels[~stays]),",
        "        Samples(samples.images[-size:], samples.labels[-size:]),",
        HELD_OUT,
    ),
    "held-out samples are trained on too": Fault(
        f"{SPECBP}/datasets/loading.py",
        "        Samples(samples.images[stays], samples.labels[stays]),",
        "        Samples(samples.images, samples.labels),",
        HELD_OUT,
    ),
    "the best epoch is reported for the last": Fault(
        f"{SPECBP}/matrix/arm.py",
        '"test_accuracy": self.epochs[-1]["test_accuracy"],',
        '"test_accuracy": max(epoch["test_accuracy"] for epoch in self.epochs),',
        "tests/matrix/test_last_epoch.py",
    ),
    "the speculative arm is always last in its round": Fault(
        f"{SPECBP}/matrix/session.py",
        "for arm in [self._arms[number] for number in order]:",
        "for arm in sorted(self._arms, key=lambda one: one.cell.experiment.schedule != "
        '"sequential"):',
        "tests/matrix/test_turns.py",
    ),
    "the order of turns is the same in every round": Fault(
        f"{SPECBP}/matrix/turns.py",
        "return [names[place] for place in rows[number]]",
        "return list(range(arms))",
        "tests/matrix/test_turns.py",
    ),
    "two threads slower than one are a sound baseline": Fault(
        f"{SPECBP}/report/health.py",
        "max(one_thread[1:]) > 1:",
        "max(one_thread[1:]) > 99:",
        HEALTH,
    ),
    "a baseline with a long tail is sound": Fault(
        f"{SPECBP}/report/health.py", "if baseline_tail > P95_LIMIT:", "if False:", HEALTH
    ),
    "ratios of means and medians may differ": Fault(
        f"{SPECBP}/report/health.py", "if apart > AGREEMENT:", "if apart > 99:", HEALTH
    ),
    "a gate passes where only the ratio is below the limit": Fault(
        f"{SPECBP}/cli/compare.py",
        "one.time.high >= max_ratio",
        "one.time.ratio >= max_ratio",
        "tests/cli/test_compare.py",
    ),
    "a gate passes on a baseline that is ill": Fault(
        f"{SPECBP}/cli/compare.py",
        "    if withheld and (max_ratio is not None or not gated):",
        "    if withheld and not gated:",
        "tests/cli/test_compare.py",
    ),
    "a gate passes on what another commit measured": Fault(
        f"{SPECBP}/cli/compare.py",
        "refuse=gated and not any_commit",
        "refuse=False",
        "tests/cli/test_compare.py",
    ),
    "the interval knows only the rounds within a start": Fault(
        f"{SPECBP}/report/statistics.py",
        "within if len(arm) == 1 else _margin_over_repeats(by_repeat),",
        "within,",
        "tests/report/test_statistics.py",
    ),
    "further starts count as further seeds of an accuracy": Fault(
        f"{SPECBP}/report/compare.py",
        "_accuracies(arm.once_per_seed, comparison.synthetic)",
        "_accuracies(arm.runs, comparison.synthetic)",
        "tests/report/test_starts.py",
    ),
    "work between the steps is not counted": Fault(
        f"{SPECBP}/backends/cpu/training.py",
        'row["between_ms"] = between_ms / steps',
        'row["between_ms"] = 0.0',
        "tests/backends/cpu/test_clock.py",
    ),
    "backward uses the weights that forward read": Fault(
        f"{SPECBP}/runtime/execution.py",
        "weights = self._of(self._trained.weights, node)\n            output_grad",
        "weights = self._of(self._trained.ahead, node)\n            output_grad",
        DELAYED,
    ),
    "prediction looks twice as far ahead": Fault(
        f"{SPECBP}/backends/trained.py",
        "return self._recipe.rule(step).learning_rate * self._age",
        "return self._recipe.rule(step).learning_rate * self._age * 2",
        DELAYED,
    ),
    "prediction uses the learning rate of another step": Fault(
        f"{SPECBP}/backends/cpu/training.py",
        "self._distance(step + 1)",
        "self._distance(step)",
        DELAYED,
    ),
    "the update uses the learning rate of the next step": Fault(
        f"{SPECBP}/backends/cpu/training.py",
        "rule, distance = self._recipe.rule(step),",
        "rule, distance = self._recipe.rule(step + 1),",
        DELAYED,
    ),
    "a warm-up lasts an epoch longer": Fault(
        f"{SPECBP}/backends/trained.py",
        "return step // self.steps_per_epoch < (",
        "return step // self.steps_per_epoch <= (",
        DELAYED,
    ),
    "warm-up steps read predicted weights": Fault(
        f"{SPECBP}/runtime/execution.py",
        "trained.weights if warmup else trained.ahead)",
        "trained.ahead)",
        DELAYED,
    ),
    "the gate accepts twice as much": Fault(
        f"{SPECBP}/runtime/gates.py",
        "accepted = distance < self.threshold",
        "accepted = distance < 2 * self.threshold",
        DELAYED,
    ),
    "the cache keeps the first sample of a label": Fault(
        f"{SPECBP}/runtime/cache.py", "triu_(1)", "tril_(-1)", DELAYED
    ),
    "the label key looks up another label": Fault(
        f"{SPECBP}/runtime/cache.py",
        "return (labels + self._offset) % self.keys",
        "return (labels + self._offset + 1) % self.keys",
        DELAYED,
    ),
    "a rejected sample keeps its speculated gradient": Fault(
        f"{SPECBP}/runtime/execution.py",
        "            _put_rows(grad, index, rows)",
        "            pass",
        DELAYED,
    ),
    "of a rejected sample the cached input is used": Fault(
        f"{SPECBP}/runtime/execution.py",
        'if task.inputs == "cached" and len(rejected):',
        "if False:",
        DELAYED,
    ),
    "the batch before is never replaced": Fault(
        f"{SPECBP}/runtime/cache.py",
        "self._previous, self._coming = self._coming, {}",
        "self._previous, self._coming = self._previous or self._coming, {}",
        DELAYED,
    ),
    "the report shows the best epoch": Fault(
        f"{SPECBP}/report/compare.py",
        'found = [run["test_accuracy"] for run in runs]',
        'found = [run["best_test_accuracy"] for run in runs]',
        "tests/report/test_compare.py",
    ),
    "a number of the README is another": Fault(
        "README.md", "**0.56** [0.48, 0.65]", "**0.54** [0.48, 0.65]", "tests/test_reports.py"
    ),
    "a number of a report is another": Fault(
        "reports/staleness/report.md", "4.15 \\[3.34", "4.05 \\[3.34", "tests/test_reports.py"
    ),
    "the baseline waits 0.3 ms in every step": Fault(
        f"{SPECBP}/runtime/native/runtime.cpp",
        "    work(0);\n    if (plan_->engines == 2) {\n      const",
        "    work(0);\n    if (plan_->engines == 1) {\n"
        "      for (const double ends = now() + 0.0003; now() < ends;) {}\n    }\n"
        "    if (plan_->engines == 2) {\n      const",
        "tests/backends/cpu/test_clock.py",
    ),
}
"""Keyed by what the fault does."""


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_caught(tmp_path, name):
    check_caught(FAULTS[name], tmp_path)


@pytest.mark.parametrize("test", sorted({fault.caught_by for fault in FAULTS.values()}))
def test_without_a_fault_its_test_passes(test):
    check_sound(test)
