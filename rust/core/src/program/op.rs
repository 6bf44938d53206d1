//! The operations of a program.

use crate::Error;

macro_rules! operations {
    ($($op:ident $name:literal $arity:literal $meaning:literal;)*) => {
        /// What an instruction does, number by number. Comparisons and logic give 1 or 0, and read
        /// what is not 0 as true.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Op {
            $(#[doc = $meaning] $op,)*
        }

        impl Op {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$op),*];

            /// Its name, which torch has for it too.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$op => $name,)*
                }
            }

            /// How many operands it takes.
            #[must_use]
            pub const fn arity(self) -> usize {
                match self {
                    $(Self::$op => $arity,)*
                }
            }
        }
    };
}

operations! {
    Add "add" 2 "`a + b`";
    Sub "sub" 2 "`a - b`";
    Mul "mul" 2 "`a * b`";
    Div "div" 2 "`a / b`";
    Neg "neg" 1 "`-a`";
    Abs "abs" 1 "`|a|`";
    Sqrt "sqrt" 1 "`√a`";
    Reciprocal "reciprocal" 1 "`1 / a`";
    Minimum "minimum" 2 "The smaller one; NaN if either is.";
    Maximum "maximum" 2 "The larger one; NaN if either is.";
    Gt "gt" 2 "`a > b`";
    Ge "ge" 2 "`a >= b`";
    Lt "lt" 2 "`a < b`";
    Le "le" 2 "`a <= b`";
    Eq "eq" 2 "`a == b`";
    Ne "ne" 2 "`a != b`";
    Where "where" 3 "`b` where `a` is true, else `c`";
    LogicalAnd "logical_and" 2 "Whether both are true.";
    LogicalOr "logical_or" 2 "Whether one is true.";
    LogicalNot "logical_not" 1 "Whether it is not true.";
    Exp "exp" 1 "`e^a`";
    Expm1 "expm1" 1 "`e^a - 1`";
    Log "log" 1 "`ln a`";
    Log1p "log1p" 1 "`ln(1 + a)`";
    Tanh "tanh" 1 "The hyperbolic tangent.";
    Sigmoid "sigmoid" 1 "`1 / (1 + e^-a)`";
    Sin "sin" 1 "The sine.";
    Cos "cos" 1 "The cosine.";
    Tan "tan" 1 "The tangent.";
    Atan "atan" 1 "The inverse of the tangent.";
    Erf "erf" 1 "The error function.";
    Floor "floor" 1 "The next integer below.";
    Ceil "ceil" 1 "The next integer above.";
    Round "round" 1 "The nearest integer, the even one of two.";
    Trunc "trunc" 1 "The next integer towards 0.";
    Sign "sign" 1 "1, 0 or -1; 0 of NaN.";
}

impl Op {
    /// The operation of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`]
    pub fn parse(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().copied().find(|op| op.name() == name);
        found.ok_or_else(|| Error::UnknownName {
            kind: "operation",
            name: name.to_owned(),
            known: Self::ALL
                .iter()
                .map(|op| op.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}
