"""Coefficients of the polynomials in cpp/include/mlcore/num/vector_math.hpp, with the error each fit leaves.

Run it to see them (needs mpmath); paste its output when a degree changes. Nearly minimax: weighted least
squares on a Chebyshev grid whose weights grow where the error is large (Lawson's iteration); the rational
function of tanh is interpolated at Chebyshev nodes. All in 60 digits, rounded once at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]
SMALL = mp.mpf("1e-9")  # below it a function is replaced by its limit


def chebyshev_nodes(low: mp.mpf, high: mp.mpf, n: int) -> list[mp.mpf]:
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def value(coefficients: list[mp.mpf], x: mp.mpf) -> mp.mpf:
    return mp.polyval(coefficients[::-1], x)


def fit(f: Function, weight: Function, low: mp.mpf, high: mp.mpf, n: int) -> tuple[list[mp.mpf], mp.mpf]:
    """n coefficients c and max |weight(x) (c(x) - f(x))|."""
    grid = chebyshev_nodes(low, high, 24 * n)
    exact = [f(x) for x in grid]
    scale = [weight(x) for x in grid]
    mass = [mp.mpf(1)] * len(grid)
    best: tuple[list[mp.mpf], mp.mpf] = ([], mp.inf)
    for _ in range(25):
        normal, right = mp.matrix(n, n), mp.matrix(n, 1)
        for x, y, s, m in zip(grid, exact, scale, mass):
            powers = [x**j for j in range(n)]
            for i in range(n):
                right[i] += m * s * s * powers[i] * y
                for j in range(n):
                    normal[i, j] += m * s * s * powers[i] * powers[j]
        c = list(mp.lu_solve(normal, right))
        errors = [abs(s * (value(c, x) - y)) for x, y, s in zip(grid, exact, scale)]
        if max(errors) < best[1]:
            best = (c, max(errors))
        total = sum(m * e for m, e in zip(mass, errors))
        mass = [m * e / total * len(grid) for m, e in zip(mass, errors)]
    return best


def fit_rational(f: Function, low: mp.mpf, high: mp.mpf, p: int, q: int) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """P (p coefficients) and Q = 1 + ... (q further coefficients) with P/Q = f at p + q Chebyshev nodes."""
    n = p + q
    system, right = mp.matrix(n, n), mp.matrix(n, 1)
    for i, x in enumerate(chebyshev_nodes(low, high, n)):
        for j in range(p):
            system[i, j] = x**j
        for j in range(q):
            system[i, p + j] = -f(x) * x ** (j + 1)
        right[i] = f(x)
    c = list(mp.lu_solve(system, right))
    return c[:p], [mp.mpf(1), *c[p:]]


def show(name: str, coefficients: list[mp.mpf], suffix: str) -> None:
    # 17 (9) significant digits name a float64 (float32) without doubt.
    digits = 9 if suffix else 17
    print(f"{name}: " + ", ".join(mp.nstr(c, digits, strip_zeros=False) + suffix for c in coefficients))


def exp_part(r: mp.mpf) -> mp.mpf:
    return (mp.expm1(r) - r) / r**2 if abs(r) > SMALL else mp.mpf(1) / 2 + r / 6


def log_part(z: mp.mpf) -> mp.mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z if z > SMALL else mp.mpf(2) / 3 + 2 * z / 5


def tanh_part(z: mp.mpf) -> mp.mpf:
    x = mp.sqrt(z)
    return (mp.tanh(x) / x - 1) / z if z > SMALL else -mp.mpf(1) / 3 + 2 * z / 15


def main() -> None:
    half = mp.log(2) / 2 * mp.mpf("1.0001")
    for n, suffix in ((5, "f"), (10, "")):
        c, error = fit(exp_part, lambda r: r * r / mp.exp(r), -half, half, n)
        show(f"exp, relative error 2^{mp.nstr(mp.log(error, 2), 4)}", c, suffix)
    for n, suffix in ((6, "f"), (11, "")):
        c, error = fit(exp_part, lambda r: r * r / abs(mp.expm1(r)), -half, half, n)
        show(f"expm1, relative error 2^{mp.nstr(mp.log(error, 2), 4)}", c, suffix)
    largest = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.0001")
    for n, suffix in ((4, "f"), (7, "")):
        c, error = fit(log_part, lambda z: z / 2, mp.mpf(0), largest, n)
        show(f"log, relative error 2^{mp.nstr(mp.log(error, 2), 4)}", c, suffix)
    edge = mp.mpf("0.625") ** 2
    for p, q, suffix in ((2, 2, "f"), (3, 3, "")):
        top, bottom = fit_rational(tanh_part, mp.mpf(0), edge, p, q)
        grid = [edge * i / 500 for i in range(1, 501)]
        error = max(abs((value(top, z) / value(bottom, z) - tanh_part(z)) * z) for z in grid)
        show(f"tanh numerator, relative error 2^{mp.nstr(mp.log(error, 2), 4)}", top, suffix)
        show("tanh denominator", bottom, suffix)


if __name__ == "__main__":
    main()
