"""What GPUs compute, looked at without one: the programs of the verbs are made for them, and none needs a CPU.

Nor does any round numbers of single precision, as products of matrices do there by default. Programs take the way of a
GPU and are lowered for CUDA; then a CPU computes them. Verbs that compile nothing are left out, and `reproduce` and
`bench`, which take minutes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.exact, pytest.mark.slow, pytest.mark.ci]

#: Runs commands as where there is a GPU, lowers for CUDA what they compile, and tells which libraries that calls.
LOWERED = """
import json, re, sys, types
import jax

jit, seen, libraries, rounded = jax.jit, set(), set(), set()

class Lowered:
    def __init__(self, function, **options):
        self.compiled = jit(function, **options)

    def __get__(self, instance, owner=None):
        return self if instance is None else types.MethodType(self, instance)

    def __getattr__(self, name):
        return getattr(self.compiled, name)

    def __call__(self, *arguments, **named):
        leaves, structure = jax.tree.flatten((arguments, named))
        within = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)  # another program, and lowered with it
        kinds = [f"{leaf.shape} {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf) for leaf in leaves]
        if not within and (key := (id(self), str(structure), str(kinds))) not in seen:
            seen.add(key)
            lowered = self.compiled.trace(*arguments, **named).lower(lowering_platforms=("cuda",))
            text = lowered.as_text()
            libraries.update(re.findall(r"custom_call @(\\w+)", text))
            products = re.findall(r"stablehlo.(?:dot_general|convolution).*f32>.*", text)
            rounded.update((self.compiled.__name__, one) for one in products if one.count("HIGHEST") != 2)
        return self.compiled(*arguments, **named)

def lowering_jit(function=None, **options):
    return Lowered(function, **options) if function is not None else lambda given: Lowered(given, **options)

jax.jit, jax.default_backend = lowering_jit, lambda: "gpu"

from kadanoff.cli import app
from kadanoff.compiled import compilation, foreign

found = []
compilation.compile_ahead = lambda *kernels: None  # it asks for a driver, not JAX
for line in json.loads(sys.argv[1]):
    seen.clear()
    assert not app(line.split(), standalone_mode=False), line
    found.append(len(seen))
print("found", json.dumps([found, foreign._loaded.cache_info().currsize, sorted(libraries), sorted(rounded)]))
"""

CHAINS = "--size 8 --chains 16 --draws 8 --thermalize 4"
COMMANDS = (
    f"simulate {CHAINS} --out l8",
    f"simulate {CHAINS} --sampler heat-bath",
    f"simulate {CHAINS} --sampler hmc",
    f"simulate {CHAINS} --sampler wolff",
    f"simulate --action ising {CHAINS}",
    f"simulate --action ising {CHAINS} --sampler wolff",
    "block l8",
    "learn l8 --relax 2 --steps 4 --out inverse",
    "grow l8 --inverse inverse --steps 2 --relax 2 --configurations 16 --out grown",
    "match --action ising --size 8 --steps 1 --chains 8 --draws 16 --samples 10 --out matched",
    "reweight l8 --along mass2 --from -0.956 --to -0.947 --points 3",
    "fit l8 --model phi4 --method score-matching",
    "fit phi4 --size 4x4 --steps 4",
    "rbm fit digits --n-hidden 32 --epochs 1 --out network",
    "rbm score network",
    "rbm sample network --count 4 --steps 2",
)


def test_programs_of_the_verbs_are_made_for_gpus(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOWERED, json.dumps(COMMANDS)],
        cwd=tmp_path,
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    programs, kernels, libraries, rounded = json.loads(done.stdout.split("found")[-1])
    assert all(programs), programs  # of every verb some, or nothing was looked at
    assert kernels == 0
    assert not rounded, f"products of matrices that GPUs would round to 10 bits: {rounded}"
    # Linear algebra of NVIDIA's libraries: LAPACK's, and the kernels of this package, have other names.
    assert libraries
    assert all(library.startswith("cu") for library in libraries), libraries
