"""Memory of tensors: kept when freed, and each thread's own."""

import resource
import sys
import threading
from pathlib import Path

import pytest
import torch

from specbp.backends.cpu.allocator import keep_freed_memory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")

MEBIBYTES_8 = 1 << 21  # float32


def test_tensors_where_others_were_freed_cost_no_page_faults():
    keep_freed_memory()
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for elements in (MEBIBYTES_8, MEBIBYTES_8 // 2, MEBIBYTES_8):
            torch.ones(elements)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 100  # of 5,000 pages


def test_the_tensors_of_an_engine_are_not_where_those_of_its_caller_are():
    """What is in the heap proper is under the lock of the main thread's arena."""
    keep_freed_memory()
    places = []
    engine = threading.Thread(target=lambda: places.append(torch.ones(MEBIBYTES_8).data_ptr()))
    engine.start()
    engine.join()
    maps = Path("/proc/self/maps").read_text().splitlines()
    heaps = [line.split()[0].split("-") for line in maps if "[heap]" in line]
    assert heaps  # one, or several where the system has cut it up
    for ends in heaps:
        first, last = (int(end, 16) for end in ends)
        assert not first <= places[0] < last
