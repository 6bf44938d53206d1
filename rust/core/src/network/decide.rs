//! Classes from output spikes, as early as a rule allows.

use super::Output;
use core::ops::ControlFlow;

/// When a run has seen enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// When an output fires: its class, the lowest of several.
    FirstSpike,
    /// When the largest count leads the second by so much.
    Margin(f32),
    /// When the largest count has been that of the same class for so many steps.
    Stable(u64),
}

/// A class, and the step at which it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The output that fired most, the lowest of several.
    pub class: usize,
    /// Steps that came before.
    pub step: u64,
}

/// A rule at work on one sample, from a reset on.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    rule: Rule,
    leader: usize,
    /// For how many steps it has led.
    steps: u64,
}

impl Decision {
    /// Begins to look.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            leader: 0,
            steps: 0,
        }
    }

    /// The class that fires most so far, the lowest of several.
    #[must_use]
    pub fn leader(&self) -> usize {
        self.leader
    }

    /// Looks at the counts of an output of spikes after a step, and breaks if the rule is fulfilled. A
    /// value that is no such output never fulfils it.
    pub fn see(&mut self, output: &Output<'_>, name: &str, sample: usize) -> ControlFlow<Decided> {
        let counts = output.counts(name, sample).unwrap_or(&[]);
        let (mut leader, mut best, mut second) = (0, 0.0, 0.0);
        for (class, &count) in counts.iter().enumerate() {
            if count > best {
                (leader, second, best) = (class, best, count);
            } else if count > second {
                second = count;
            }
        }
        self.steps = match best {
            0.0 => 0,
            _ if leader == self.leader => self.steps + 1,
            _ => 1,
        };
        self.leader = leader;
        let fulfilled = match self.rule {
            Rule::FirstSpike => best > 0.0,
            Rule::Margin(margin) => best - second >= margin,
            Rule::Stable(steps) => self.steps >= steps,
        };
        if fulfilled && best > 0.0 {
            return ControlFlow::Break(Decided {
                class: leader,
                step: output.steps() - 1,
            });
        }
        ControlFlow::Continue(())
    }
}
