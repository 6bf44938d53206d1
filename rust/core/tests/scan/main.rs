//! Linear scans against loops over one number at a time.

mod case;
#[path = "../common/views.rs"]
mod views;

use bitspike::Error;
use bitspike::scan::{Gradients, Scan, backward, forward};
use bitspike::simd::Isa;
use bitspike::tiling::Strided;
use case::Case;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn scans_follow_their_definition(
        sizes in (0usize..7, 0usize..4, prop_oneof![0usize..40, 60usize..300]),
        group in 1usize..4,
        kind: [bool; 3],
        seed: u64,
    ) {
        Case::new(sizes, group, kind, seed).assert_runs();
    }
}

#[test]
fn many_threads_and_long_sequences() {
    Case::new((40, 3, 700), 1, [false, false, true], 1).assert_runs();
    Case::new((300, 5, 33), 4, [true, true, false], 2).assert_runs();
}

/// `y = [2, 1+1, -3+1, 0.5-1]` with `a = 1/2` and `y[-1] = 2`; `δ = [1 + δ'/2, …]`.
#[test]
fn a_trace() {
    let mut case = Case::new((4, 1, 1), 1, [false, false, false], 0);
    case.decay.data = vec![0.5];
    case.input.data = vec![1.0, 1.0, -3.0, 0.5];
    case.initial.data = vec![2.0];
    case.grad.data = vec![1.0, 1.0, 1.0, 1.0];
    for isa in Isa::available() {
        let (y, [input, _, decay, initial]) = case.run(*isa);
        assert_eq!(y, [2.0, 2.0, -2.0, -0.5]);
        assert_eq!(input, [1.875, 1.75, 1.5, 1.0]);
        assert_eq!(decay, [1.875 * 2.0 + 1.75 * 2.0 + 1.5 * 2.0 - 2.0]);
        assert_eq!(initial, [0.9375]);
        let rectified = Case {
            rectified: true,
            ..case.clone()
        };
        let (y, [input, _, decay, initial]) = rectified.run(*isa);
        assert_eq!(y, [2.0, 2.0, 0.0, 0.5]);
        assert_eq!(input, [1.5, 1.0, 0.0, 1.0]);
        assert_eq!(decay, [1.5 * 2.0 + 2.0]);
        assert_eq!(initial, [0.75]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new((3, 2, 5), 2, [true, true, false], 0);
    let isa = Isa::Scalar;
    let mut y = [0.0; 60];
    let scan = case.scan();
    let refused = |scan: Scan<'_>, what: &str| {
        let error = forward(isa, &scan, &mut [0.0; 60]).expect_err(what);
        assert!(error.to_string().contains(what), "{error}");
    };
    refused(
        Scan { group: 3, ..scan },
        "4 rows cannot be divided into groups of 3",
    );
    refused(Scan { group: 0, ..scan }, "groups of 0");
    refused(Scan { group: 1, ..scan }, "decay");
    let short = Strided {
        data: &case.decay.data[1..],
        ..scan.decay
    };
    refused(
        Scan {
            decay: short,
            ..scan
        },
        "decay",
    );
    refused(
        Scan {
            input: short,
            ..scan
        },
        "input",
    );
    let short_initial = Strided {
        data: &case.initial.data[1..],
        ..scan.initial
    };
    refused(
        Scan {
            initial: short_initial,
            ..scan
        },
        "initial",
    );
    refused(
        Scan {
            key: Some(short),
            ..scan
        },
        "key",
    );
    let length = |result: Result<(), Error>, what: &str| match result {
        Err(Error::Length { what: found, .. }) => assert_eq!(found, what),
        other => panic!("{other:?}"),
    };
    length(forward(isa, &scan, &mut y[1..]), "outputs");
    let grad = Strided::constant(&1.0);
    let none = Gradients::default;
    length(backward(isa, &scan, &y[1..], grad, none()), "outputs");
    let mut out = [0.0; 7];
    let out = &mut out[..];
    type Field = for<'a> fn(&'a mut [f32]) -> Gradients<'a>;
    let fields: [(Field, &str); 4] = [
        (
            |x| Gradients {
                input: Some(x),
                ..Gradients::default()
            },
            "gradient of input",
        ),
        (
            |x| Gradients {
                key: Some(x),
                ..Gradients::default()
            },
            "gradient of key",
        ),
        (
            |x| Gradients {
                decay: Some(x),
                ..Gradients::default()
            },
            "gradient of decay",
        ),
        (
            |x| Gradients {
                initial: Some(x),
                ..Gradients::default()
            },
            "gradient of initial",
        ),
    ];
    for (field, what) in fields {
        length(backward(isa, &scan, &y, grad, field(out)), what);
    }
}
