//! A program that has been checked, with its plans.

use super::Program;
use super::build::plan;
use super::plan::{Plan, Wanted};
use crate::Error;
use std::sync::{Arc, Mutex, PoisonError};

/// A program that can run. What has been prepared for it serves sequences of every size.
#[derive(Debug)]
pub struct Compiled {
    program: Program,
    /// A plan for each choice of results that has been asked for.
    plans: Mutex<Vec<(Wanted, Arc<Plan>)>>,
}

impl Compiled {
    /// Checks a program and prepares it.
    ///
    /// # Errors
    /// [`Error::Operands`] or [`Error::Operand`] if an instruction has too few or too many operands, or
    /// one that is no earlier value; [`Error::OutOfRange`] if a result is no value; [`Error::Length`]
    /// if not every state has a next value.
    pub fn new(program: Program) -> Result<Self, Error> {
        program.check()?;
        Ok(Self {
            program,
            plans: Mutex::default(),
        })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The plan that computes these results.
    pub(super) fn plan(&self, wanted: Wanted) -> Arc<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(key, _)| *key == wanted) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(plan(&self.program, &wanted));
        plans.push((wanted, Arc::clone(&plan)));
        plan
    }
}
