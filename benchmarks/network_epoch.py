"""Seconds of one training epoch of a restricted Boltzmann machine, beside `rbms` (PyTorch) and scikit-learn.

    uv run python benchmarks/network_epoch.py [--rows 60000] [--batches 10,100,1000] [--repeats 3]

Synthetic data of the shape of MNIST, 784 visible and 256 hidden units, CD-1, float32, plain stochastic gradients
that are not centred, two threads. Bernoulli units in all three; then phi4 visible units of ours beside Bernoulli ones.
Every line runs in a process of its own, which compiles or warms up with one epoch and then reports the fastest of
`--repeats` epochs, its processor time, and the peak memory of the process (with data, interpreter and libraries).

scikit-learn trains with persistent chains: also one Gibbs step an update. `rbms` gets an order of the data drawn once
an epoch, where its own loop draws one an update; it is installed into a temporary environment of its own, unless
`--peer` names a Python that has it.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

VISIBLE, HIDDEN, RATE, THREADS = 784, 256, 0.01, 2
Epoch = Callable[[], None]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--batches", default="10,100,1000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", help="a Python that has rbms; by default one is made in a temporary folder")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one[0], int(options.one[1]), options.rows, options.repeats)))
        return
    with tempfile.TemporaryDirectory() as folder:
        pythons = {name: sys.executable for name in CASES}
        pythons["rbms"] = options.peer or installed(folder)
        print(f"{options.rows} x {VISIBLE}, {HIDDEN} hidden units, CD-1, float32, {THREADS} threads")
        print(
            f"{'':<22}{'batch':>6}{'seconds':>9}{'cpu s':>8}{'peak MiB':>10}  ratio of seconds to ours, Bernoulli"
        )
        for batch in map(int, options.batches.split(",")):
            ours = None
            for case, python in pythons.items():
                if python is None:
                    continue
                found = in_own_process(python, case, batch, options)
                ours = ours or found["seconds"]
                line = (
                    f"{case:<22}{batch:>6}{found['seconds']:>9.2f}{found['cpu']:>8.2f}{found['peak']:>10.0f}"
                )
                print(f"{line}  {found['seconds'] / ours:.2f}", flush=True)


def measured(case: str, batch: int, rows: int, repeats: int) -> dict[str, float]:
    """Seconds and processor seconds of the fastest epoch, and the peak memory of this process in MiB."""
    rng = np.random.default_rng(0)
    if case == "kadanoff phi4":
        data = rng.normal(size=(rows, VISIBLE)).astype(np.float32)
    else:
        data = (rng.random((rows, VISIBLE), np.float32) < 0.2).astype(np.float32)
    epoch = CASES[case](data, batch)
    epoch()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        epoch()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": min(walls), "cpu": min(cpus), "peak": peak}


def of_kadanoff(units: str) -> Callable[[np.ndarray, int], Epoch]:
    """Epochs of this package, by the type of the visible units."""

    def prepare(data: np.ndarray, batch: int) -> Epoch:
        import jax.numpy as jnp

        from kadanoff.network import ContrastiveDivergence, Phi4Network, Training

        training = Training(
            ContrastiveDivergence(),
            batch_size=batch,
            learning_rate=RATE,
            optimiser="sgd",
            schedule="constant",
            centred=False,
        )
        network = Phi4Network.random(units, VISIBLE, "bernoulli", HIDDEN)
        states = [training.init(network, data[:10_000])]
        x = jnp.asarray(data)

        def epoch() -> None:
            states.append(training.epoch(states.pop(), x)[0])  # the norm of the gradient is read: it waits

        return epoch

    return prepare


def of_scikit_learn(data: np.ndarray, batch: int) -> Epoch:
    """Epochs of BernoulliRBM: fits of one iteration, which initialise the weights anew, a negligible cost."""
    from sklearn.neural_network import BernoulliRBM

    model = BernoulliRBM(HIDDEN, learning_rate=RATE, batch_size=batch, n_iter=1, random_state=0)
    return lambda: model.fit(data) and None


def of_rbms(data: np.ndarray, batch: int) -> Epoch:
    """Epochs of rbms, by its functions of one update."""
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.training.pcd import fit_batch_pcd

    torch.set_num_threads(THREADS)
    x, weights = torch.from_numpy(data), torch.ones(len(data), 1)
    network = BBRBM.init_parameters(HIDDEN, _Rows(x, weights), torch.device("cpu"), torch.float32)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)  # into which rbms writes
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE, maximize=True)

    @torch.no_grad()
    def epoch() -> None:
        order = torch.randperm(len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            v, w = x[rows], weights[rows]
            chains = network.init_chains(len(v), weights=w, start_v=v)
            optimiser.zero_grad(set_to_none=False)
            fit_batch_pcd((v, w), chains, network, gibbs_steps=1, beta=1.0, centered=False)
            optimiser.step()

    return epoch


class _Rows:
    """What rbms asks of a data set."""

    def __init__(self, data: Any, weights: Any) -> None:
        self.data, self.weights = data, weights

    def __len__(self) -> int:
        return len(self.data)

    def get_num_visibles(self) -> int:
        return self.data.shape[1]


CASES = {
    "kadanoff bernoulli": of_kadanoff("bernoulli"),
    "kadanoff phi4": of_kadanoff("phi4"),
    "rbms": of_rbms,
    "scikit-learn": of_scikit_learn,
}


def in_own_process(python: str, case: str, batch: int, options: argparse.Namespace) -> dict[str, float]:
    """Run one line of the table by itself, on two cores where the system can say so."""
    words = ["--one", case, str(batch), "--rows", str(options.rows), "--repeats", str(options.repeats)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS))
    cores = shutil.which("taskset")
    pinned = [cores, "--cpu-list", f"0-{THREADS - 1}"] if cores and (os.cpu_count() or 1) > THREADS else []
    done = subprocess.run(
        [*pinned, python, __file__, *words], env={**os.environ, **threads}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def installed(folder: str) -> str | None:
    """The Python of a new environment with rbms; None, with one line that says so, where it cannot be installed."""
    python = f"{folder}/bin/python"
    steps = [["uv", "venv", "--quiet", "--python", sys.executable, folder, "--allow-existing"]]
    steps += [["uv", "pip", "install", "--quiet", "--python", python, "rbms"]]
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        print(f"rbms cannot be installed here, and is left out: {reason}")
        return None
    return python


if __name__ == "__main__":
    main()
