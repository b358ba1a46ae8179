"""The function that XLA calls: it calls a kernel stage after stage, task by task on all threads, by its address.

So no kernel is compiled again within the loops around it, which would take most of the time, and only those are that
are used.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import attribute, load, result, run, sides, view
from kadanoff.compiled.functions import OPTIONS, inlined

__all__ = ["handle"]

_VERSION = (0, 1)  # of the interface: what is read has been there since, and later minor versions only add
_METADATA = 1


@inlined
@no_type_check
def _start(memory):  # pragma: no cover - compiled
    return np.int64(memory.ctypes.data) if len(memory) > 0 else 0


@numba.njit(nogil=True, parallel=True, **OPTIONS)
@no_type_check
def _share(kernel, frame, memory, stage, accepted):  # pragma: no cover - compiled
    scratch, count = _start(memory), len(accepted)
    for task in numba.prange(count):
        accepted[task] += run(kernel, frame, scratch, stage, task, count)


@no_type_check
def handle(frame):  # pragma: no cover - compiled
    """Answer the question for the version, asked on registration; or run a kernel by the plan, the only attribute."""
    extension = load(frame, 1)
    if extension != 0:
        if numba.carray(view(extension), 4, np.int32)[2] == _METADATA:
            metadata = numba.carray(view(load(extension, 3)), 9, np.int32)
            metadata[6], metadata[7], metadata[8] = _VERSION[0], _VERSION[1], 0
        return 0
    plan = numba.carray(attribute(frame, 0), 7, np.int64)
    kernel, stages, size = plan[0], plan[2], 1
    for side in sides(frame, 0):
        size *= side
    memory, accepted = np.empty(plan[1], np.uint8), np.zeros(plan[3], np.int64)
    for stage in range(stages):
        if 0 < plan[4] <= size:
            _share(kernel, frame, memory, stage, accepted)
        else:
            for task in range(len(accepted)):
                accepted[task] += run(kernel, frame, _start(memory), stage, task, len(accepted))
    if plan[5] != 0:
        total = 0
        for task in range(len(accepted)):
            total += accepted[task]
        numba.carray(result(frame, 1), 1, np.float32)[0] = total / (plan[5] * size)
    return 0
