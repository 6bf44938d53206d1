//! Which register each value of a step lies in.

use super::plan::{Action, Pass, Plan};

/// A pass over values instead of registers. Sums have the numbers behind all values.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) to: Place,
    pub(super) from: Vec<usize>,
}

/// What a step fills.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Value(usize),
    Register(usize),
    /// Words of spikes.
    Words,
}

/// Adds the passes of steps to a plan. Values without a `home` get registers that are used again; steps
/// that fill values which are `fixed` come in front of all others.
pub(super) fn allocate(
    mut plan: Plan,
    steps: Vec<Step>,
    home: &[Option<usize>],
    is_fixed: impl Fn(usize) -> bool,
) -> Plan {
    let mut last = vec![0; home.len()];
    for (i, step) in steps.iter().enumerate() {
        for &value in &step.from {
            last[value] = i;
        }
    }
    let (mut free, mut place) = (Vec::new(), home.to_vec());
    for (i, Step { action, to, from }) in steps.into_iter().enumerate() {
        let mut registers = [0; 3];
        for (register, &value) in registers.iter_mut().zip(&from) {
            *register = place[value].expect("a value is computed before it is read");
        }
        for (k, &value) in from.iter().enumerate() {
            if last[value] == i && home[value].is_none() && !from[..k].contains(&value) {
                free.extend(place[value]);
            }
        }
        let filled = match to {
            Place::Words => 0,
            Place::Register(register) => register,
            Place::Value(value) => {
                let fresh = || free.pop().unwrap_or_else(|| plan.register());
                *place[value].get_or_insert_with(fresh)
            }
        };
        let pass = Pass {
            action,
            to: filled,
            from: registers,
        };
        match to {
            Place::Value(value) if is_fixed(value) => plan.once.push(pass),
            _ => plan.each.push(pass),
        }
    }
    plan
}
