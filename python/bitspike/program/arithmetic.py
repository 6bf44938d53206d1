"""What torch's elementwise functions are in the operations of a program, with torch's bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .build import Builder
from .errors import ProgramError

Rule = Callable[..., int]
"""``rule(build, *arguments) -> value``; arguments are values of the builder, or `Number`."""


class Number(float):
    """A Python number among the arguments of a function."""


RULES: dict[str, Rule] = {}
"""By the name that ATen has for a function, without its overload."""


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def operand(build: Builder, x: Any) -> int:
    """A value of the builder, for one or for a number."""
    return build.number(x) if isinstance(x, Number) else x


def _direct(op: str) -> Rule:
    return lambda build, *operands: build.op(op, *(operand(build, x) for x in operands))


_SAME = (
    *("mul", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "where"),
    *("neg", "abs", "sqrt", "reciprocal", "exp", "expm1", "log", "log1p", "tanh", "sigmoid"),
    *("sin", "cos", "tan", "atan", "erf", "floor", "ceil", "trunc", "sign"),
    *("logical_and", "logical_or", "logical_not"),
)
RULES.update({op: _direct(op) for op in _SAME})
RULES |= {"bitwise_and": RULES["logical_and"], "bitwise_or": RULES["logical_or"]}
RULES |= {"bitwise_not": RULES["logical_not"], "sgn": RULES["sign"]}


def _scaled(build: Builder, y: Any, alpha: float) -> int:
    """``alpha * y`` of a sum, which torch computes with one rounding for the whole."""
    if isinstance(y, Number):
        return build.number(y * alpha)
    if build.exact and math.frexp(abs(alpha))[0] != 0.5:
        raise ProgramError(f"torch rounds x + {alpha:g} * y once, as add(x, y, alpha={alpha:g})")
    return build.op("mul", build.number(alpha), y)


@_rule("add")
def _add(build: Builder, x: Any, y: Any, alpha: float = 1) -> int:
    if alpha == -1:
        return build.op("sub", operand(build, x), operand(build, y))
    return build.op("add", operand(build, x), _scaled(build, y, alpha))


@_rule("sub")
def _sub(build: Builder, x: Any, y: Any, alpha: float = 1) -> int:
    return build.op("sub", operand(build, x), _scaled(build, y, alpha))


@_rule("rsub")
def _rsub(build: Builder, x: Any, y: Any, alpha: float = 1) -> int:
    return build.op("sub", operand(build, y), _scaled(build, x, alpha))


@_rule("div")
def _div(build: Builder, x: Any, y: Any, rounding_mode: str | None = None) -> int:
    if rounding_mode is not None:
        raise ProgramError(f"div with rounding_mode={rounding_mode!r} is no operation of programs")
    return build.op("div", operand(build, x), operand(build, y))


@_rule("round")
def _round(build: Builder, x: int, decimals: int = 0) -> int:
    if decimals:
        raise ProgramError("round to decimals is no operation of programs")
    return build.op("round", x)


@_rule("square")
def _square(build: Builder, x: int) -> int:
    return build.op("mul", x, x)


@_rule("pow")
def _pow(build: Builder, x: Any, exponent: Any) -> int:
    power = None if isinstance(x, Number) else _exponent(build, exponent)
    if power == 0:
        return build.number(1)
    if power == 0.5:
        return build.op("sqrt", x)
    if power == -0.5 and not build.exact:
        return _rsqrt(build, x)
    whole = power is not None and power.is_integer() and abs(power) <= 8
    if power not in (1, 2, 3, -1, -2) and (build.exact or not whole):
        raise ProgramError("of powers, programs have the exponents -2, -1, 0, 0.5, 1, 2 and 3")
    count = int(power or 1)
    product = x
    for _ in range(abs(count) - 1):
        product = build.op("mul", product, x)
    return build.op("reciprocal", product) if count < 0 else product


def _exponent(build: Builder, exponent: Any) -> float | None:
    return float(exponent) if isinstance(exponent, Number) else build.immediate(exponent)


@_rule("rsqrt")
def _rsqrt(build: Builder, x: int) -> int:
    if build.exact:
        raise ProgramError("torch's rsqrt has bits of its own: write 1 / x.sqrt()")
    return build.op("reciprocal", build.op("sqrt", x))


@_rule("clamp", "hardtanh")
def _clamp(build: Builder, x: int, min: Any = None, max: Any = None) -> int:
    # Of two zeros torch keeps that of a bound which is a number, and that of x otherwise.
    for op, bound in (("maximum", min), ("minimum", max)):
        if bound is not None:
            pair = operand(build, bound), x
            x = build.op(op, *(pair if isinstance(bound, Number) else reversed(pair)))
    return x


@_rule("clamp_min")
def _clamp_min(build: Builder, x: int, bound: Any) -> int:
    return _clamp(build, x, bound)


@_rule("clamp_max")
def _clamp_max(build: Builder, x: int, bound: Any) -> int:
    return _clamp(build, x, None, bound)


@_rule("relu")
def _relu(build: Builder, x: int) -> int:
    return _clamp(build, x, Number(0))


@_rule("threshold")
def _threshold(build: Builder, x: int, threshold: Number, other: Number) -> int:
    return build.op("where", _compared(build, "le", x, threshold), build.number(other), x)


def _compared(build: Builder, op: str, x: int, number: float) -> int:
    return build.op(op, x, build.number(number))


@_rule("leaky_relu")
def _leaky_relu(build: Builder, x: int, slope: float = 0.01) -> int:
    below = build.op("mul", x, build.number(slope))
    return build.op("where", _compared(build, "gt", x, 0), x, below)


@_rule("elu")
def _elu(build: Builder, x: int, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> int:
    below = build.op("expm1", build.op("mul", x, build.number(input_scale)))
    below = build.op("mul", below, build.number(alpha * scale))
    above = build.op("mul", x, build.number(scale))
    return build.op("where", _compared(build, "le", x, 0), below, above)


@_rule("softplus")
def _softplus(build: Builder, x: int, beta: float = 1, threshold: float = 20) -> int:
    scaled = build.op("mul", x, build.number(beta))
    soft = build.op("div", build.op("log1p", build.op("exp", scaled)), build.number(beta))
    return build.op("where", _compared(build, "gt", scaled, threshold), x, soft)


@_rule("silu")
def _silu(build: Builder, x: int) -> int:
    below = build.op("add", build.number(1), build.op("exp", build.op("neg", x)))
    return build.op("div", x, below)


@_rule("gelu")
def _gelu(build: Builder, x: int, approximate: str = "none") -> int:
    if approximate != "none":
        raise ProgramError(f"gelu with approximate={approximate!r} is no operation of programs")
    share = build.op("erf", build.op("mul", x, build.number(math.sqrt(0.5))))
    half = build.op("mul", x, build.number(0.5))
    return build.op("mul", half, build.op("add", build.number(1), share))


@_rule("frac")
def _frac(build: Builder, x: int) -> int:
    return build.op("sub", x, build.op("trunc", x))


@_rule("heaviside")
def _heaviside(build: Builder, x: int, at_zero: int) -> int:
    step = _compared(build, "gt", x, 0)
    return build.op("where", _compared(build, "eq", x, 0), at_zero, step)


@_rule("masked_fill")
def _masked_fill(build: Builder, x: int, mask: int, other: Any) -> int:
    return build.op("where", mask, operand(build, other), x)


@_rule("isnan")
def _isnan(build: Builder, x: int) -> int:
    return build.op("ne", x, x)


@_rule("isinf")
def _isinf(build: Builder, x: int) -> int:
    return _compared(build, "eq", build.op("abs", x), math.inf)


@_rule("logical_xor", "bitwise_xor")
def _xor(build: Builder, x: int, y: int) -> int:
    return build.op("ne", *(_compared(build, "ne", side, 0) for side in (x, y)))


@_rule("addcdiv")
def _addcdiv(build: Builder, x: int, y: int, z: int, value: float = 1) -> int:
    if value != 1 and build.exact:
        raise ProgramError("addcdiv of a multiple is no operation of programs")
    quotient = build.op("div", y, z)
    return build.op("add", x, build.op("mul", build.number(value), quotient))


# Gradients, of which no bit is promised.


@_rule("sigmoid_backward")
def _sigmoid_backward(build: Builder, grad: int, y: int) -> int:
    slope = build.op("mul", y, build.op("sub", build.number(1), y))
    return build.op("mul", grad, slope)


@_rule("tanh_backward")
def _tanh_backward(build: Builder, grad: int, y: int) -> int:
    slope = build.op("sub", build.number(1), build.op("mul", y, y))
    return build.op("mul", grad, slope)


@_rule("threshold_backward")
def _threshold_backward(build: Builder, grad: int, x: int, threshold: float) -> int:
    return build.op("where", _compared(build, "le", x, threshold), build.number(0), grad)


@_rule("addcmul")
def _addcmul(build: Builder, x: int, y: int, z: int, value: float = 1) -> int:
    if build.exact:
        raise ProgramError("torch rounds addcmul once: write x + y * z")
    product = build.op("mul", y, z)
    return build.op("add", x, build.op("mul", build.number(value), product))
