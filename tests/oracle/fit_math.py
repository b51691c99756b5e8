"""Derives the polynomial coefficients of kernels/math: weighted minimax fits (Lawson's iteration on a
fine Chebyshev grid), rounded to float one coefficient at a time, refitting the rest after each.

    python3 tests/oracle/fit_math.py [name ...]        needs mpmath, numpy; all fits take about a minute

Prints every polynomial with its coefficients from the constant term up, as C++ hexadecimal floats,
and log2 of the largest weighted error of the rounded polynomial.
"""
import struct
import sys
import textwrap

import numpy as np
from mpmath import mp, mpf

mp.dps = 40


def to_float(c):
    return mpf(struct.unpack("f", struct.pack("f", float(c)))[0])


def to_double(c):
    return mpf(float(c))


def grid(lo, hi, n=600):
    """Chebyshev points, so that the ends are as well resolved as the middle."""
    return [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / n) for i in range(n)]


def minimax(points, target, weight, powers):
    """Coefficients c that minimise max |w (g - sum c_j t^powers[j])| over the points.

    Lawson's iteration: least squares whose weights grow where the error is large. Unlike an
    exchange it needs no Haar system, so it also serves once low coefficients have been fixed.
    """
    scale = max(abs(w * g) for w, g in zip(weight, target))
    rows = np.array([[float(w * t**k) for k in powers] for w, t in zip(weight, points)])
    right = np.array([float(w * g / scale) for w, g in zip(weight, target)])
    lawson = np.ones(len(points)) / len(points)
    best, best_worst = None, np.inf
    for _ in range(150):
        root = np.sqrt(lawson)
        c = np.linalg.lstsq(rows * root[:, None], right * root, rcond=None)[0]
        error = np.abs(right - rows @ c)
        if error.max() < best_worst:
            best, best_worst = c, error.max()
        lawson = lawson * error
        lawson /= lawson.sum()
    return [mpf(v) * scale for v in best]


def fit(name, g, w, lo, hi, degree, rounding=to_float, fixed=None, doc=""):
    """g: function to fit, w: weight of its error; fixed: {power: coefficient} kept as given."""
    points = grid(mpf(lo), mpf(hi))
    weight = [w(t) for t in points]
    exact = [g(t) for t in points]
    known = dict(fixed or {})
    while len(known) <= degree:
        powers = [k for k in range(degree + 1) if k not in known]
        rest = [e - sum(c * t**k for k, c in known.items()) for e, t in zip(exact, points)]
        known[powers[0]] = rounding(minimax(points, rest, weight, powers)[0])
    worst = max(abs(v * (e - sum(c * t**k for k, c in known.items())))
                for v, e, t in zip(weight, exact, points))
    print(f"{name}: {doc} on [{float(lo):.4g}, {float(hi):.4g}], 2^{float(mp.log(worst, 2)):.2f}")
    suffix = "f" if rounding is to_float else ""
    print("   ", ", ".join(float(known[k]).hex().replace("0000000p", "p") + suffix
                           for k in range(degree + 1)), flush=True)


def series(f, t, fallback):
    """f(t), or its limit where the quotient that defines it would lose every digit."""
    return fallback if abs(t) < mpf(10) ** -12 else f(t)


half_ln2 = mp.log(2) / 2
half = mpf(1) / 2


def odd(f):
    """For f odd: the P of f(x) = x + x^3 P(x^2), as a function of s = x^2, with its weight."""
    def g(s):
        x = mp.sqrt(s)
        return (f(x) - x) / x**3

    def w(s):
        x = mp.sqrt(s)
        return x**3 / f(x)
    return g, w


def erfcx(a):
    return mp.exp(a * a) * mp.erfc(a)


def normal_tail(a):
    """Q(-a) e^(a^2 / 2), Q the normal distribution function."""
    return erfcx(a / mp.sqrt(2)) / 2


def normal_tail_flat(t, c=mpf(4)):
    """normal_tail(a) (2 + 2a), a flat function that starts from 1, in t = (a - c) / (a + c)."""
    a = c * (1 + t) / (1 - t)
    return normal_tail(a) * (2 + 2 * a)


def erfinv_of_w(w):
    """erfinv(x) / x as a function of w = -log(1 - x^2), in which it is smooth up to x = 1."""
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


fits = {
    "expm1": lambda: fit(
        "expm1", lambda r: series(lambda r: (mp.expm1(r) - r) / r**2, r, half),
        lambda r: r**2 / mp.exp(r), -half_ln2 * mpf("1.001"), half_ln2 * mpf("1.001"), 5,
        doc="expm1(r) = r + r^2 P(r), error relative to exp(r)"),
    "expm1_half": lambda: fit(
        "expm1_half", lambda r: series(lambda r: (mp.expm1(r) - r) / r**2, r, half),
        lambda r: abs(r), -half, half, 5,
        doc="expm1(r) = r + r^2 P(r), error relative to expm1(r)"),
    "exp2": lambda: fit(
        "exp2", lambda r: series(lambda r: mp.expm1(r * mp.log(2)) / r, r, mp.log(2)),
        lambda r: abs(r), -half, half, 6, doc="2^r = 1 + r P(r)"),
    "log2": lambda: fit(
        "log2", lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) / mp.log(2), lambda z: half,
        mpf(10) ** -6, mpf("0.04"), 5, rounding=to_double,
        doc="log2(1 + f) = s P(s^2), s = f / (2 + f)"),
    "log": lambda: fit(
        "log", lambda f: series(lambda f: (mp.log1p(f) - f) / f**2, f, -half),
        lambda f: abs(f), -mpf(1) / 3, mpf(1) / 3, 8, fixed={0: -half},
        doc="log(1 + f) = f + f^2 P(f)"),
    "tanh": lambda: fit("tanh", *odd(mp.tanh), mpf(10) ** -6, mpf("0.9") ** 2, 6,
                        doc="tanh(x) = x + x^3 P(x^2)"),
    "sinh": lambda: fit("sinh", *odd(mp.sinh), mpf(10) ** -6, 1, 3,
                        doc="sinh(x) = x + x^3 P(x^2)"),
    "asin": lambda: fit("asin", *odd(mp.asin), mpf(10) ** -6, mpf("0.5625") ** 2, 5,
                        doc="asin(x) = x + x^3 P(x^2)"),
    "atan": lambda: fit("atan", *odd(mp.atan), mpf(10) ** -6, 1, 8,
                        doc="atan(x) = x + x^3 P(x^2)"),
    "erf": lambda: fit(
        "erf", lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1, lambda s: mpf(1),
        mpf(10) ** -6, mpf(1), 6, doc="erf(x) = x + x P(x^2)"),
    "erf_tail": lambda: fit(
        "erf_tail", lambda x: -mp.log(mp.erfc(x)) , mp.erfc, mpf("0.92"), mpf(4), 7,
        doc="erf(x) = 1 - exp(-P(x))"),
    "normal_tail": lambda: fit(
        "normal_tail", lambda t: (normal_tail_flat(t) - 1) / (1 + t),
        lambda t: (1 + t) / normal_tail_flat(t), mpf(-1), mpf("0.5699"), 9,
        doc="normal_tail(a) (2 + 2a) = 1 + (1 + t) P(t), t = (a - 4) / (a + 4)"),
    "sin": lambda: fit("sin", *odd(mp.sin), mpf(10) ** -6, (mp.pi / 4) ** 2 * mpf("1.001"), 3,
                       rounding=to_double, doc="sin(x) = x + x^3 P(x^2)"),
    "cos": lambda: fit(
        "cos", lambda s: (mp.cos(mp.sqrt(s)) - 1 + s / 2) / s**2, lambda s: s**2,
        mpf(10) ** -4, (mp.pi / 4) ** 2 * mpf("1.001"), 3, rounding=to_double,
        doc="cos(x) = 1 - x^2 / 2 + x^4 P(x^2)"),
    "erfinv": lambda: fit(
        "erfinv", lambda t: erfinv_of_w(t + mpf(5) / 2), lambda t: 1 / erfinv_of_w(t + mpf(5) / 2),
        mpf("-2.5"), mpf("2.5"), 8, doc="erfinv(x) = x P(w - 2.5), w = -log(1 - x^2)"),
    "erfinv_tail": lambda: fit(
        "erfinv_tail", lambda t: erfinv_of_w((t + 3)**2), lambda t: 1 / erfinv_of_w((t + 3)**2),
        mp.sqrt(5) - 3, mp.sqrt(17) - 3, 7, doc="erfinv(x) = x P(sqrt(w) - 3)"),
}



def two_over_pi():
    """The constants of trig_parts() in kernels/math/trig.h: 2 / pi without its first 0, 26, 52 and
    78 bits, each in parts of 29, 29 and 53 bits."""
    mp.prec = 400
    for dropped in (0, 26, 52, 78):
        turn = 2 / mp.pi * mpf(2) ** dropped
        rest = turn - mp.nint(turn) if dropped else turn
        hi = mp.nint(rest * 2**29) / mpf(2) ** 29
        mid = mp.nint((rest - hi) * 2**58) / mpf(2) ** 58
        parts = [float(v / mpf(2) ** dropped).hex() for v in (hi, mid, rest - hi - mid)]
        print(f"two_over_pi: without {dropped} bits: " + ", ".join(parts))


fits["two_over_pi"] = two_over_pi

if __name__ == "__main__":
    for name in sys.argv[1:] or fits:
        fits[name]()
