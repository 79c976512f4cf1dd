#!/usr/bin/env python3
"""Makes decision_vectors.json from the reference simulator of the rule.

    python make_decision_vectors.py PATH/TO/decision_sim.py > decision_vectors.json

Needs numpy and scipy. The tests compare the Rust implementation with it.
"""
import importlib.util
import json
import math
import sys

import numpy as np


def load(path):
    spec = importlib.util.spec_from_file_location("decision_sim", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inputs(rng):
    """(name, d, s0, min_effect): what a screen may meet, and more."""
    for theta in (-1, 0, 0.35, 0.71, 1.06, 1.77, 3.5, 7, 70):
        for s0 in (0.02, 0.15):
            yield f"normal theta {theta} s {s0}", s0 * (rng.normal(size=60) + theta), s0, 0.01
        yield f"t3 theta {theta}", 0.03 * (rng.standard_t(3, 60) / 1.13 + theta), 0.03, 0.01
    for n in (1, 2, 3, 5, 6, 7, 8, 11):
        yield f"{n} pairs", 0.05 * rng.normal(size=n) + 0.02, 0.05, 0.01
    for gain in (0.004, 0.006, 0.012, 0.5, -0.5, 700.0):
        yield f"constant {gain}", np.full(20, gain), 1e-4, 0.01
    yield "zeros", np.zeros(60), 1e-4, 0.01
    yield "zeros in noise", np.where(rng.random(40) < 0.5, 0, 0.02 * rng.normal(size=40)), 0.02, 0.01
    yield "ties", rng.choice([-0.02, 0.0, 0.02, 0.04], 50), 0.02, 0.01
    yield "tiny", 1e-7 * rng.normal(size=30), 1e-4, 0.01
    yield "tiny gain", 1e-4 * (rng.normal(size=30) + 2), 1e-4, 0.01
    yield "scale too small", 0.3 * rng.normal(size=60), 1e-4, 0.01
    yield "scale too large", 0.001 * rng.normal(size=60) + 0.01, 0.4, 0.01
    yield "large min_effect", 0.02 * rng.normal(size=60) + 0.03, 0.02, 0.03
    yield "huge min_effect", 0.02 * rng.normal(size=60) + 0.03, 0.02, 0.3
    yield "stalls", 0.02 * rng.normal(size=60) + (rng.random(60) < 0.1) * rng.exponential(0.5, 60), 0.02, 0.01
    yield "cauchy", 0.02 * rng.standard_cauchy(60), 0.02, 0.01
    yield "cauchy gain", 0.02 * (rng.standard_cauchy(60) + 2), 0.02, 0.01
    yield "late change", np.concatenate([np.full(6, 0.02), np.full(30, -0.02)]), 0.02, 0.01
    yield "seven good, then bad", np.concatenate([np.full(7, 0.1), np.full(20, -0.1)]), 0.03, 0.01
    yield "alternating", 0.02 * np.tile([1.0, -0.2], 30), 0.02, 0.01
    yield "both lines at once", np.full(60, 0.28 * 0.02), 0.02, 0.01
    yield "bursts", np.repeat(rng.exponential(0.05, 12), 5) * rng.choice([-1, 1], 60), 0.01, 0.01


def screen(sim, d, s, delta):
    """Outcome and pairs used, in the order of the specification: evidence is
    looked at before futility."""
    si = sim.pair_scale(d, s)
    up = sim.first_true(sim.log_e(d, si) >= math.log(100))
    lr = sim.log_sprt(d, si, delta) <= math.log(0.05)
    lr[0] = False
    down = sim.first_true(lr)
    if up == down == len(d):
        return ("inconclusive" if len(d) >= 60 else "more"), len(d)
    return ("confirm", up + 1) if up <= down else ("no_gain", down + 1)


def case(sim, name, d, s0, min_effect):
    d = np.asarray(d, float)
    delta = max(min_effect, s0)
    si = sim.pair_scale(d, s0)
    lo, hi = sim.walsh_ci(d)
    outcome, pairs = screen(sim, d, s0, delta)
    return {
        "name": name,
        "d": d.tolist(),
        "s0": s0,
        "min_effect": min_effect,
        "pair_scale": si.tolist(),
        "log_e": sim.log_e(d, si).tolist(),
        "log_sprt": sim.log_sprt(d, si, delta).tolist(),
        "robust_scale": sim.robust_scale(d),
        "hodges_lehmann": sim.hodges_lehmann(d),
        "walsh_ci": [lo, hi] if math.isfinite(lo) else None,
        "outcome": outcome,
        "pairs": pairs,
    }


def main():
    sim = load(sys.argv[1])
    rng = np.random.default_rng(20261121)
    cases = [case(sim, *c) for c in inputs(rng)]
    lines = ",\n".join(json.dumps(c) for c in cases)
    print(f"[\n{lines}\n]")


main()
