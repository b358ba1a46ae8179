"""Seconds per independent configuration of critical phi^4 against L, and the bias of each method beside it.

    uv run python benchmarks/critical_slowing_down.py [--out runs/slowing] [--largest 512] [--local 64] [--seconds 20]

Methods: Metropolis sweeps; hybrid Monte Carlo; sweeps and clusters (`LocalAndCluster`); and inverse RG: lattices of
32 x 32 simulated with clusters, grown by the map of `learn_inverse` with 64 relaxation sweeps a step. All start in
equilibrium: clusters are thermalised, local updates and hybrid Monte Carlo start from their fields. An independent
configuration costs 2 tau steps, tau the integrated autocorrelation time of m^2, and of the slowest of m^2, phi^2 and
the action. A grown configuration costs its growth and an independent 32 x 32 one; training is printed apart. z is
fitted to tau (in steps) and to seconds per site, where at least two sizes have chains of 10 tau or more. Bias is
against clusters, the one method here that is exact and not slow. `--out` gets slowing.json and slowing.png.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import kadanoff as kd
from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, save
from kadanoff.sampling.run import advance
from kadanoff.statistics import Estimate, derived, gamma_method, integrated_autocorrelation_time

ACTION = kd.Phi4(-0.9515, 0.7)
SAMPLERS = {"clusters": kd.LocalAndCluster(), "local": kd.Metropolis(), "HMC": kd.HybridMonteCarlo()}
COARSE = 32


def main() -> None:
    """Measure every method at every size, fit, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/slowing"))
    parser.add_argument("--largest", type=int, default=512, help="side for clusters and inverse RG")
    parser.add_argument("--local", type=int, default=64, help="largest side for local updates and HMC")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each simulation")
    options = parser.parse_args()
    sides = [2**k for k in range(4, options.largest.bit_length())]
    rows, starts = [], {}
    for method, sampler in SAMPLERS.items():
        for side in sides if method == "clusters" else [s for s in sides if s <= options.local]:
            row, starts[side] = simulated(method, sampler, side, starts.get(side), options.seconds)
            rows.append(row)
            print_row(row, rows)
    for row in grown(sides, next(r for r in rows if r["L"] == COARSE)):
        rows.append(row)
        print_row(row, rows)
    exponents = {method: fitted(rows, method) for method in (*SAMPLERS, "inverse RG")}
    for method, found in exponents.items():
        print(f"{method:<12}" + "  ".join(f"{name} {Estimate(*z)}" for name, z in found.items()))
    options.out.mkdir(parents=True, exist_ok=True)
    record = {"rows": rows, "exponents": exponents}
    (options.out / "slowing.json").write_text(json.dumps(record, indent=1, default=plain))
    print(draw(rows, exponents, options.out / "slowing.png"))


def simulated(
    method: str, sampler: Any, side: int, start: jax.Array | None, seconds: float
) -> tuple[dict[str, Any], jax.Array]:
    """Simulate for some seconds; the row of the table and the last fields."""
    chains = max(8, min(64, 2**20 // side**2))
    if start is None:
        start = jnp.asarray(kd.sample(ACTION, kd.Lattice((side, side)), chains=chains, draws=1).fields[:, 0])
    state = sampler.init(ACTION, start)
    for number in range(40):  # the width or step is tuned, then left alone
        state, info = advance(sampler, jax.random.key(number), ACTION, state, 5)
        state = sampler.tune(state, info)
    stride, length = (max(1, side // 8) if method == "local" else 1), 40
    run = eqx.filter_jit(lambda key, state: series(sampler, key, state, stride, length))
    jax.block_until_ready(run(jax.random.key(1), state))
    times, parts = [], []
    while sum(times) < seconds:
        begun = time.perf_counter()
        state, part = jax.block_until_ready(run(jax.random.key(100 + len(times)), state))
        times.append(time.perf_counter() - begun)
        parts.append(np.asarray(part, np.float64).transpose(1, 2, 0))
    data = np.concatenate(parts, axis=2)  # observable, chain, draw
    taus = [scaled(integrated_autocorrelation_time(x), stride) for x in (data[0] ** 2, data[1], data[2])]
    slowest = max(taus, key=lambda tau: tau.value)
    # Other work on the machine makes some blocks slow.
    step = float(np.quantile(times, 0.25)) / (stride * length * len(start))
    binder = derived(lambda x: 1 - x[1] / (3 * x[0] ** 2), [data[0] ** 2, data[0] ** 4])
    row = {"method": method, "L": side, "chains": len(start), "steps": stride * data.shape[2], "step": step}
    row |= {"tau": taus[0], "slowest": slowest, "long": stride * data.shape[2] >= 10 * slowest.value}
    row |= {"cost": scaled(slowest, 2 * step), "cost_m2": scaled(taus[0], 2 * step)}
    row |= {"chi": gamma_method(side**2 * data[0] ** 2), "U4": binder, "phi2": gamma_method(data[1])}
    return row, state.fields


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """An estimate in other units."""
    return Estimate(factor * estimate.value, factor * estimate.error)


def series(sampler: Any, key: jax.Array, state: Any, stride: int, length: int) -> tuple[Any, jax.Array]:
    """Magnetisation, phi^2 and action per site of every chain, after every `stride` steps."""

    def body(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        state, _ = advance(sampler, key, ACTION, state, stride)
        density = jax.vmap(ACTION.density)(state.fields)
        values = (state.fields, state.fields**2, density)
        return state, jnp.stack([jnp.mean(value, axis=(1, 2)) for value in values])

    return jax.lax.scan(body, state, jax.random.split(key, length))


def grown(sides: list[int], coarse: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Learn the inverse on independent 32 x 32 lattices, and grow to every larger side."""
    ensemble = kd.sample(ACTION, kd.Lattice((COARSE, COARSE)), chains=128, draws=8, thin=8, seed=5)
    begun = time.perf_counter()
    inverse = kd.learn_inverse(ensemble, kd.MajorityMean(b=2), relax=kd.Relaxation(ACTION, sweeps=2), seed=0)
    print(f"training of the inverse: {time.perf_counter() - begun:.0f} s, once")
    relax = kd.Relaxation(ACTION, sweeps=64)
    for steps, side in enumerate((side for side in sides if side > COARSE), 1):
        count, seconds = min(1024, 2**24 // side**2), []
        for _ in range(2):  # the first call compiles
            begun = time.perf_counter()
            levels = kd.grow(ensemble, inverse, steps, relax, configurations=count)
            seconds.append((time.perf_counter() - begun) / count)
        level = list(levels)[-1]
        row = {"method": "inverse RG", "L": side, "chains": count, "steps": 1, "step": seconds[-1]}
        row |= {"tau": Estimate(0.5, 0.0), "slowest": Estimate(0.5, 0.0), "long": True}
        for name in ("cost", "cost_m2"):
            row[name] = Estimate(seconds[-1] + coarse[name].value, coarse[name].error)
        row |= {"chi": level.observe("susceptibility"), "U4": level.observe("binder")}
        yield row | {"phi2": level.observe("phi2")}


def fitted(rows: list[dict[str, Any]], method: str) -> dict[str, tuple[float, float]]:
    """Dynamical exponents by weighted least squares: of tau of m^2, of the slowest, and of seconds per site."""
    own = [row for row in rows if row["method"] == method and row["long"]]
    if len(own) < 2:
        return {}
    found = {}
    for name, field in (("z(m^2)", "tau"), ("z(slowest)", "slowest"), ("z(seconds)", "cost")):
        values = [row[field] for row in own]
        if method == "inverse RG" and field != "cost":
            continue
        scale = np.array([row["L"] ** 2 if field == "cost" else 1 for row in own])
        # Times of a loaded machine are good to some per cent at best.
        floor = 0.05 if field == "cost" else 0.01
        error = np.array([np.hypot(value.error / value.value, floor) for value in values])
        design = np.vander(np.log([row["L"] for row in own]), 2) / error[:, None]
        target = np.log([value.value for value in values] / scale) / error
        solution, *_ = np.linalg.lstsq(design, target, rcond=None)
        spread = np.sqrt(np.linalg.inv(design.T @ design)[0, 0])
        excess = np.sum((design @ solution - target) ** 2) / max(1, len(own) - 2)
        found[name] = (float(solution[0]), float(spread * max(1, np.sqrt(excess))))
    return found


def bias(row: dict[str, Any], rows: list[dict[str, Any]], name: str) -> Estimate | None:
    """Per cent by which an observable differs from that of clusters."""
    right = next((r for r in rows if r["method"] == "clusters" and r["L"] == row["L"]), None)
    if right is None or row["method"] == "clusters":
        return None
    size = abs(right[name].value)
    error = 100 * float(np.hypot(row[name].error, right[name].error)) / size
    return Estimate(100 * (row[name].value - right[name].value) / size, error)


def print_row(row: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print a line; a tau from chains that are too short is a lower bound."""
    if len(rows) == 1:
        columns = f"{'method':<12}{'L':>5}{'s/step':>11}{'tau(m^2)':>12}{'slowest':>12}{'s/config':>11}"
        print(columns + "".join(f"{name + ', % off':>14}" for name in ("chi", "U4", "phi2")))
    sign = "" if row["long"] else ">"
    offs = [bias(row, rows, name) for name in ("chi", "U4", "phi2")]
    row["bias"] = dict(zip(("chi", "U4", "phi2"), offs, strict=True))
    print(
        f"{row['method']:<12}{row['L']:>5}{row['step']:>11.2e}{sign + str(row['tau']):>12}"
        f"{sign + str(row['slowest']):>12}{row['cost'].value:>11.2e}"
        + "".join(f"{'-' if off is None else str(off):>14}" for off in offs),
        flush=True,
    )


def draw(rows: list[dict[str, Any]], exponents: dict[str, Any], path: Path) -> Path:
    """Cost against L, and the bias of chi."""
    drawing, axes = figure(columns=2)
    cost, off = axes[0]
    for colour, marker, method in zip(COLOURS, MARKERS, exponents, strict=False):
        own = [row for row in rows if row["method"] == method]
        z = exponents[method].get("z(seconds)")
        label = method if z is None else rf"{method}: $z = {Estimate(*z)}$"
        sides, seconds = [row["L"] for row in own], [row["cost"].value for row in own]
        cost.loglog(sides, seconds, color=colour, marker=marker, label=label, base=2)
        shown = [(row["L"], row["bias"]["chi"]) for row in own if row["bias"]["chi"] is not None]
        if shown:
            x, y, e = zip(*((side, bias.value, bias.error) for side, bias in shown), strict=True)
            shift = 1.04 ** (list(exponents).index(method) - 2)
            off.errorbar(np.array(x) * shift, y, e, color=colour, marker=marker, linestyle="", label=method)
    cost.set_yscale("log", base=10)
    cost.set_ylabel("seconds per independent configuration")
    off.set_xscale("log", base=2)
    off.axhline(0, color="black", linewidth=0.8)
    off.set_ylabel(r"$\chi$ against clusters, per cent")
    for axis, place in ((cost, "best"), (off, "lower left")):
        axis.set_xlabel("$L$")
        legend(axis, loc=place)
    return save(drawing, path)


def plain(value: Any) -> Any:
    """An estimate as JSON."""
    return {"value": value.value, "error": value.error}


if __name__ == "__main__":
    main()
