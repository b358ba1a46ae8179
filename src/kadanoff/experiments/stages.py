"""Stages of an experiment that are kept in its folder, so that the same command goes on where it was interrupted."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning
from kadanoff.renormalization import LearntInverse, Levels, Relaxation, grow
from kadanoff.renormalization.inverse.measured import load_measurements, measured, save_measurements
from kadanoff.sampling.run import Progress
from kadanoff.store.durable import atomic_write, checksum

__all__ = ["KeptGrowth", "kept_inverse"]


def kept_inverse(folder: Path, make: Callable[[], LearntInverse]) -> LearntInverse:
    """The inverse that the folder holds, or a new one, which it then holds."""
    if (folder / "inverse.json").exists():
        return LearntInverse.load(folder)
    inverse = make()
    inverse.save(folder)
    return inverse


@dataclass(frozen=True)
class KeptGrowth:
    """A growth whose measurements are kept, and whose fields are dropped but for one configuration."""

    steps: int
    start: Ensemble
    inverse: LearntInverse
    seed: int
    out: Path
    relax: Relaxation | None
    amplitude: float = 1.0

    def levels(self, name: str, progress: Progress) -> Levels:
        """Grow and measure, or read the measurements of the same growth."""
        path, note = self.out / f"{name}.npz", self.out / f"{name}.json"
        asked = {
            "start": checksum(np.ascontiguousarray(self.start.fields).tobytes()),
            "inverse": self.inverse.digest,
            "steps": self.steps,
            "sweeps": 0 if self.relax is None else self.relax.sweeps,
            "amplitude": self.amplitude,
            "seed": self.seed,
        }
        if path.exists() and note.exists() and json.loads(note.read_text()) == asked:
            like = Levels((self.start,), self.inverse.b, self.inverse, self.relax, self.amplitude)
            return load_measurements(path, like)
        note.unlink(missing_ok=True)
        levels = _quietly(
            grow,
            self.start,
            self.inverse,
            self.steps,
            self.relax,
            seed=self.seed,
            amplitude=self.amplitude,
            progress=progress,
        )
        np.savez(
            self.out / f"{name}-fields.npz", *[np.asarray(level.fields[:1, :1])[0, 0] for level in levels]
        )
        reduced = measured(levels)
        save_measurements(reduced, path)
        atomic_write(note, json.dumps(asked).encode() + b"\n")
        return reduced


def _quietly(function: Callable[..., Levels], *arguments: Any, **options: Any) -> Levels:
    """Call without the warning of another input depth: the rows and notes say what the pure map is fed with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DepthWarning)
        return function(*arguments, **options)
