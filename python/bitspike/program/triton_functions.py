"""The operations of programs in Triton's language."""

from __future__ import annotations

_SIGNS = {"add": "+", "sub": "-", "mul": "*"}
_COMPARED = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
FORMS = {
    **{op: f"{{0}} {sign} {{1}}" for op, sign in _SIGNS.items()},
    **{op: f"tl.where({{0}} {sign} {{1}}, 1.0, 0.0)" for op, sign in _COMPARED.items()},
    "div": "tl.div_rn({0}, {1})",
    "reciprocal": "tl.div_rn(one, {0})",
    "sqrt": "tl.sqrt_rn({0})",
    "neg": "-{0}",
    "minimum": "tl.where(({0} <= {1}) | ({0} != {0}), {0}, {1})",
    "maximum": "tl.where(({0} >= {1}) | ({0} != {0}), {0}, {1})",
    "where": "tl.where({0} != 0, {1}, {2})",
    "logical_and": "tl.where(({0} != 0) & ({1} != 0), 1.0, 0.0)",
    "logical_or": "tl.where(({0} != 0) | ({1} != 0), 1.0, 0.0)",
    "logical_not": "tl.where({0} != 0, 0.0, 1.0)",
    "sign": "tl.where({0} > 0, 1.0, tl.where({0} < 0, -1.0, 0.0))",
    "trunc": "tl.where({0} < 0, tl.ceil({0}), tl.floor({0}))",
    "sigmoid": "tl.div_rn(one, one + tl.exp(-{0}))",
    "tan": "tl.div_rn(tl.sin({0}), tl.cos({0}))",
    **{op: f"tl.{op}({{0}})" for op in ("abs", "exp", "log", "sin", "cos", "erf", "floor", "ceil")},
    **{op: f"{op}({{0}})" for op in ("expm1", "log1p", "tanh", "atan", "round")},
}
"""What Triton has for each operation; the last ones are functions of `FUNCTIONS`."""

OF_GRADIENTS = FORMS | {"reciprocal": "one / {0}"}
"""The same for gradients: a reciprocal may be two floats from the nearest, and needs no branch."""

FUNCTIONS = """
@triton.jit
def expm1(x):
    # (e - 1)·x / log(e) does not cancel (W. Kahan, in N. Higham, Accuracy and Stability, 1.14).
    e = tl.exp(x)
    near = (e - 1.0) * tl.div_rn(x, tl.log(e))
    exact = (e == 1.0) | (x != x)
    return tl.where(exact, x, tl.where((tl.abs(x) < 1.0) & (e > 0.0), near, e - 1.0))


@triton.jit
def log1p(x):
    y = 1.0 + x
    near = tl.log(y) * tl.div_rn(x, y - 1.0)
    return tl.where(y == 1.0, x, tl.where(tl.abs(x) < 1.0, near, tl.log(y)))


@triton.jit
def tanh(x):
    e = expm1(-2.0 * tl.abs(x))
    y = tl.div_rn(-e, 2.0 + e)
    return tl.where(x < 0.0, -y, tl.where(x != x, x, y))


@triton.jit
def atan(x):
    # Reduced to |x| < tan(π/8), and the polynomial of S. Moshier's Cephes library (atanf).
    a = tl.abs(x)
    high, middle = a > 2.414213562373095, a > 0.4142135623730950
    r = tl.where(high, tl.div_rn(a * 0.0 - 1.0, a), tl.div_rn(a - 1.0, a + 1.0))
    r = tl.where(a == float("inf"), 0.0, tl.where(middle, r, a))
    at = tl.where(high, 1.5707963267948966, tl.where(middle, 0.7853981633974483, 0.0))
    z = r * r
    p = (8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1
    y = at + ((p * z - 3.33329491539e-1) * z * r + r)
    return tl.where(x < 0.0, -y, y)


@triton.jit
def round(x):
    # To the nearest, of two that are equally near to the even one.
    low = tl.floor(x)
    part = x - low
    odd = low - 2.0 * tl.floor(low * 0.5) != 0.0
    up = (part > 0.5) | ((part == 0.5) & odd)
    return tl.where(up, low + 1.0, low)
"""
