"""Fields that stay on disk and slice like an array."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kadanoff.store.reader import RunReader

__all__ = ["StoredFields"]


class StoredFields:
    """The fields of a run as an array (chain, draw, *lattice) that is read when it is indexed.

    Only the draws that an index names are read: `fields[:, 10:20]` costs ten draws; `numpy.asarray` reads
    all. The length follows the store: draws appended later are seen.
    """

    def __init__(self, run: "RunReader") -> None:
        """Wrap a run; nothing is read yet."""
        self._run = run

    @property
    def run(self) -> "RunReader":
        """The run that the fields belong to."""
        return self._run

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (chain, draw, *lattice)."""
        return (self._run.chains, self._run.draws, *self._run.lattice_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return np.dtype(self._run.layout.dtype)

    def __len__(self) -> int:
        """Count the chains."""
        return self._run.chains

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index like numpy; raises `IndexError` for absent draws, `StoreError` for damaged ones."""
        keys = key if isinstance(key, tuple) else (key,)
        simple = all(isinstance(k, int | np.integer | slice) for k in keys[:2])
        if len(keys) < 2 or not simple:
            return self._run.field()[key]
        # A range of draws is looked up first, so that numpy's rules for the rest see a plain array.
        draw, count = keys[1], self._run.draws
        if isinstance(draw, slice):
            wanted = range(count)[draw]
            low, high = (min(wanted), max(wanted) + 1) if wanted else (0, 0)
            inside = np.asarray(wanted, dtype=np.intp) - low if draw.step not in (None, 1) else slice(None)
            part = self._run.field(low, high)[:, inside]
            return part[(keys[0], slice(None), *keys[2:])]
        position = range(count)[int(draw)]
        return self._run.field(position, position + 1)[(keys[0], 0, *keys[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read everything."""
        if copy is False:
            raise ValueError("stored fields cannot be viewed without a copy: use copy=None")
        return self._run.field().astype(dtype or self.dtype, copy=False)
