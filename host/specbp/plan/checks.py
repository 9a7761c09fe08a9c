"""What must hold for every plan: an order exists, nothing races, everything read was written.

The tasks of a plan name what they read and write. Two tasks of which one writes what the other
reads or writes must be ordered by the needs of the plan, whoever executes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from specbp.plan.outline import Outline
from specbp.plan.tasks import OVERWRITING, Plan, Rows, Task

Buffer = tuple[str, str, int]
"""Name of a value, the samples it belongs to, and the node."""

OUTSIDE = ("weights", "ahead", "momentum_buffers", "slots")
"""Values that are there before the step begins; so is all that belongs to deferred samples."""


class PlanError(Exception):
    """A plan that cannot be executed, or not always to the same bits."""


@dataclass(frozen=True)
class Accesses:
    """What a task reads and writes.

    Attributes:
        reads: values that the task reads.
        writes: values that the task writes, in full.
        puts: values of which the task writes some rows that no other task writes.
    """

    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    puts: frozenset[Buffer] = frozenset()


def accesses(outline: Outline, task: Task, redone: Set[Rows], compared: Set[Rows]) -> Accesses:
    """Return what `task` reads and writes.

    Args:
        outline: the network.
        task: one task of a plan.
        redone: the rows of all redo tasks of that plan.
        compared: the samples whose softmax the gate of that plan looks at.
    """
    reads: set[Buffer] = set()
    writes: set[Buffer] = set()
    puts: set[Buffer] = set()
    node, rows = task.node, task.rows
    source = _source(rows)
    match task.kind:
        case "load":
            writes.add(("input", "batch", 0))
        case "forward" | "refresh":
            weights = "ahead" if task.kind == "forward" else "weights"
            reads |= {_value(rows, value) for value in outline.inputs[node]}
            reads.add((weights, "", node))
            writes |= {("input", rows, node + 1), ("saved", rows, node)}
        case "lookup":
            reads.add(("slots", "", node))
            writes |= set(_saved(outline, node, "cached"))
        case "gate":
            reads |= {("saved", rows, outline.loss) for rows in compared}
            writes.add(("accepted", "", -1))
        case "input_grad" | "redo":
            reads.add(("weights", "", node))
            if node != outline.loss:
                reads.add(("grad", rows, node))
            mask, values = outline.nodes[node].mask, outline.passes[node]
            if mask is not None:
                reads.add(("saved", source, node) if mask == node else _value(source, mask))
            if outline.nodes[node].reads_input:
                reads.add(_value(source, outline.inputs[node][0]))
            if source != rows:
                reads.add(("accepted", "", -1))
            writes |= {("grad", rows, value - 1) for value in values}
            reads |= {("grad", rows, value - 1) for value in values if outline.adds(node, value)}
            if outline.nodes[node].makes_both:
                writes.add(("by-product", rows, node))
        case "weight_grad":
            inputs = _source(task.inputs)
            grad = "cached" if rows in OVERWRITING else rows
            value = outline.inputs[node][0]
            reads |= {("grad", grad, node), _value(inputs, value)}
            if outline.nodes[node].makes_both and rows == task.inputs and outline.passes[node]:
                reads.add(("by-product", rows, node))
            writes.add(("gradient", rows, node))
            if rows in OVERWRITING:
                reads.add(("accepted", "", -1))
                puts.add(("grad", "cached", node))
            if rows == "merged":
                reads.add(("input", "batch", value))
                reads |= {("grad", one, node) for one in redone}
                if inputs == "cached":
                    puts.add(("input", "cached", value))
        case "reduce_grad":
            reads.add(("gradients", "", node))
            writes.add(("sum", "", node))
        case "update":
            for one in outline.updates[node]:
                reads.add(("sum", "", one))
                puts |= {(name, "", one) for name in ("weights", "ahead", "momentum_buffers")}
        case "commit":
            reads |= set(_saved(outline, node, "batch"))
            writes.add(("slots", "", node))
    return Accesses(frozenset(reads), frozenset(writes), frozenset(puts))


def check(plan: Plan) -> None:
    """Check a plan.

    Raises:
        PlanError: a task needs one that comes later, reads what nobody wrote, or races with
            another one.
    """
    before = _ancestors(plan)
    touched = [_with_sums(plan, index) for index in range(len(plan.tasks))]
    for index, task in enumerate(plan.tasks):
        written = {one for earlier in before[index] for one in touched[earlier].writes}
        for read in touched[index].reads:
            is_outside = read[0] in OUTSIDE or (read[0] != "grad" and read[1] == "deferred")
            if not is_outside and read not in written:
                raise PlanError(f"{plan.name}: {_name(plan, task)} reads {read} before it is there")
        for other in range(index):
            if other not in before[index] and (both := _conflicts(touched[other], touched[index])):
                raise PlanError(
                    f"{plan.name}: {_name(plan, plan.tasks[other])} and {_name(plan, task)} race "
                    f"for {sorted(both)[0]}"
                )


def _ancestors(plan: Plan) -> list[set[int]]:
    """Return for each task all the tasks that end before it begins."""
    before: list[set[int]] = []
    last_of_engine: dict[int, int] = {}
    for index, task in enumerate(plan.tasks):
        if any(need >= index for need in task.needs):
            raise PlanError(f"{plan.name}: {_name(plan, task)} needs a task that comes later")
        found = set(task.needs).union(*(before[need] for need in task.needs))
        before.append(found)
        if plan.engines == 1 and task.engine is not None:
            if task.engine in last_of_engine:
                last = last_of_engine[task.engine]
                found |= {last, *before[last]}
            last_of_engine[task.engine] = index
    return before


def _with_sums(plan: Plan, index: int) -> Accesses:
    """Return the accesses of a task, the sum of the gradients of a node spelled out."""
    task = plan.tasks[index]
    redone = {one.rows for one in plan.tasks if one.kind == "redo"}
    hits = any(one.when == "hit" for one in plan.tasks)
    compared: set[Rows] = {"batch", "cached"} if hits else {"batch"}
    found = accesses(plan.outline, task, redone, compared)
    reads = set(found.reads)
    for read in found.reads:
        summands: set[Buffer] = {
            ("gradient", one.rows, one.node)
            for one in plan.tasks
            if one.kind == "weight_grad" and one.node == read[2]
        }
        if read[0] == "gradients" or (read[0] == "sum" and len(summands) == 1):
            reads = (reads - {read}) | summands
    return Accesses(frozenset(reads), found.writes, found.puts)


def _conflicts(one: Accesses, other: Accesses) -> set[Buffer]:
    """Return what two tasks must not touch at the same time, but do."""
    return set(
        (one.writes & (other.reads | other.writes | other.puts))
        | (other.writes & (one.reads | one.puts))
        | (one.puts & other.reads)
        | (other.puts & one.reads)
    )


def _source(rows: Rows) -> Rows:
    """Return the samples whose saved forward holds those of `rows`."""
    picked: dict[Rows, Rows] = {
        "rejected": "batch", "rejected 0": "batch", "rejected 1": "batch", "kept": "batch",
    }  # fmt: skip
    return picked.get(rows, rows)


def _value(rows: Rows, value: int) -> Buffer:
    """Return a value of these samples; parts of the images are not copied from the batch."""
    return "input", rows if value or rows in ("cached", "deferred") else "batch", value


def _saved(outline: Outline, place: int, rows: Rows) -> Iterator[Buffer]:
    """Yield what is saved at a place."""
    if place in outline.kept:
        yield _value(rows, place)
    if outline.nodes[place].mask == place:
        yield "saved", rows, place


def _name(plan: Plan, task: Task) -> str:
    if task.kind == "update":
        nodes = [plan.outline.nodes[node].name for node in plan.outline.updates[task.node]]
        return f"update of {', '.join(nodes)}"
    where = plan.outline.nodes[task.node].name if task.node >= 0 else ""
    return " ".join([task.kind, *[where] * bool(where), f"({task.rows})"])
