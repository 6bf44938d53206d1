//! How a plan is made of a program.

use super::allocate::{Place, Step, allocate};
use super::plan::{Action, Plan, Wanted};
use super::{Instruction, Op, Program};

/// The plan that computes the wanted results of a program.
pub(super) fn plan(program: &Program, wanted: &Wanted) -> Plan {
    let mut builder = Builder::new(program, wanted);
    builder.settle();
    builder.fuse();
    builder.write();
    let varies = &builder.varies;
    let is_fixed = |value: usize| varies.get(value) == Some(&false);
    allocate(builder.plan, builder.steps, &builder.home, is_fixed)
}

#[derive(Debug)]
struct Builder<'p> {
    program: &'p Program,
    wanted: &'p Wanted,
    /// How many values lie in front of those of instructions.
    inputs: usize,
    /// How often a value is read, by instructions and as a result; 0 where no result needs it.
    uses: Vec<usize>,
    /// Whether a value differs from step to step.
    varies: Vec<bool>,
    /// Whether a value is computed as a part of what reads it.
    fused: Vec<bool>,
    /// The register that a value lies in for the whole step.
    home: Vec<Option<usize>>,
    /// Registers that get a value as well.
    copies: Vec<(usize, usize)>,
    steps: Vec<Step>,
    plan: Plan,
}

impl<'p> Builder<'p> {
    /// Finds what the results need.
    fn new(program: &'p Program, wanted: &'p Wanted) -> Self {
        let inputs = program.inputs();
        let values = inputs + program.code.len();
        let mut uses = vec![0; values];
        let spikes = usize::from(wanted.packed) + usize::from(wanted.dense);
        if let Some(value) = program.spikes {
            uses[value] += spikes;
        }
        let chosen = |results: &[usize], wanted: &[bool]| -> Vec<usize> {
            let pairs = results.iter().zip(wanted);
            pairs.filter(|(_, wanted)| **wanted).map(|x| *x.0).collect()
        };
        for value in chosen(&program.outputs, &wanted.outputs)
            .into_iter()
            .chain(chosen(&program.sums, &wanted.sums))
            .chain(program.next.iter().copied())
        {
            uses[value] += 1;
        }
        let mut varies: Vec<_> = (0..values)
            .map(|value| value < program.sequences + program.states)
            .collect();
        for (i, instruction) in program.code.iter().enumerate() {
            varies[inputs + i] = instruction.operands.iter().any(|&x| varies[x]);
        }
        for (i, instruction) in program.code.iter().enumerate().rev() {
            if uses[inputs + i] != 0 {
                for &operand in &instruction.operands {
                    uses[operand] += 1;
                }
            }
        }
        Self {
            program,
            wanted,
            inputs,
            uses,
            varies,
            fused: vec![false; values],
            home: vec![None; values + program.sums.len()],
            copies: Vec::new(),
            steps: Vec::new(),
            plan: Plan::default(),
        }
    }

    /// Gives what outlives a step its register.
    fn settle(&mut self) {
        let program = self.program;
        for i in 0..program.sequences {
            self.enter(i, |plan, register| plan.sequences.push((i, register)));
        }
        let first = program.sequences;
        for (k, &next) in program.next.iter().enumerate() {
            let [before, after] = [self.plan.register(), self.plan.register()];
            self.home[first + k] = Some(before);
            self.plan.states.push([before, after]);
            self.leave(next, after);
        }
        let first = first + program.states;
        for i in 0..program.constants {
            self.enter(first + i, |plan, register| {
                plan.constants.push((i, register));
            });
        }
        let first = first + program.constants;
        for (i, &number) in program.immediates.iter().enumerate() {
            self.enter(first + i, |plan, register| {
                plan.immediates.push((number, register));
            });
        }
        for (i, &value) in program.outputs.iter().enumerate() {
            if self.wanted.outputs[i] {
                let register = self.plan.register();
                self.plan.outputs.push((i, register));
                self.leave(value, register);
            }
        }
        if let Some(value) = program.spikes.filter(|_| self.wanted.dense) {
            let register = self.plan.register();
            self.plan.dense = Some(register);
            self.leave(value, register);
        }
        for i in 0..program.sums.len() {
            if self.wanted.sums[i] {
                let register = self.plan.register();
                self.plan.sums.push((i, register));
                self.home[self.varies.len() + i] = Some(register);
            }
        }
        for i in 0..program.code.len() {
            let value = self.inputs + i;
            if self.uses[value] != 0 && !self.varies[value] {
                self.home[value] = Some(self.plan.register());
            }
        }
    }

    /// Gives a value that comes from outside its register, if it is read.
    fn enter(&mut self, value: usize, note: impl FnOnce(&mut Plan, usize)) {
        if self.uses[value] != 0 {
            let register = self.plan.register();
            self.home[value] = Some(register);
            note(&mut self.plan, register);
        }
    }

    /// Has a value written to a register at every step, where it is computed if possible.
    fn leave(&mut self, value: usize, register: usize) {
        let computed = value >= self.inputs && self.varies[value];
        if computed && self.home[value].is_none() {
            self.home[value] = Some(register);
        } else {
            self.copies.push((value, register));
        }
    }

    fn instruction(&self, value: usize) -> Option<&'p Instruction> {
        self.program.code.get(value.checked_sub(self.inputs)?)
    }

    /// Whether a value is computed at every step for one reader alone.
    fn is_for_one(&self, value: usize, op: impl FnOnce(Op) -> bool) -> bool {
        let instruction = self.instruction(value);
        instruction.is_some_and(|x| op(x.op)) && self.uses[value] == 1 && self.varies[value]
    }

    /// Finds what becomes part of another step.
    fn fuse(&mut self) {
        let is_product = |op| op == Op::Mul;
        for (i, Instruction { op, operands }) in self.program.code.iter().enumerate() {
            let value = self.inputs + i;
            if matches!(op, Op::Add | Op::Sub) && self.uses[value] != 0 && self.varies[value] {
                let mut operands = operands.iter().rev();
                if let Some(&product) = operands.find(|x| self.is_for_one(**x, is_product)) {
                    self.fused[product] = true;
                }
            }
        }
        for (value, wanted) in self.program.sums.iter().zip(&self.wanted.sums) {
            if *wanted && self.is_for_one(*value, is_product) {
                self.fused[*value] = true;
            }
        }
        if let Some(value) = self.program.spikes.filter(|_| self.wanted.packed) {
            let is_comparison = |op| matches!(op, Op::Gt | Op::Ge | Op::Lt | Op::Le);
            if self.is_for_one(value, is_comparison) {
                self.fused[value] = true;
            }
        }
    }

    /// Writes down the steps.
    fn write(&mut self) {
        for i in 0..self.program.code.len() {
            let value = self.inputs + i;
            if self.uses[value] != 0 {
                if !self.fused[value] {
                    self.compute(value);
                }
                if self.varies[value] {
                    self.deliver(value);
                }
            }
        }
        for value in 0..self.varies.len() {
            if value < self.inputs || !self.varies[value] {
                self.deliver(value);
            }
        }
        for (value, register) in std::mem::take(&mut self.copies) {
            self.step(Action::Copy, Place::Register(register), &[value]);
        }
    }

    fn step(&mut self, action: Action, to: Place, from: &[usize]) {
        let from = from.to_vec();
        self.steps.push(Step { action, to, from });
    }

    /// The step that computes a value.
    fn compute(&mut self, value: usize) {
        let Some(Instruction { op, operands }) = self.instruction(value) else {
            return;
        };
        let to = Place::Value(value);
        if let ([a, b], Op::Add | Op::Sub) = (&operands[..], op) {
            let is_sum = *op == Op::Add;
            let (product, other, action) = match (self.fused[*a], self.fused[*b]) {
                (_, true) if is_sum => (b, a, Action::MulAdd),
                (_, true) => (b, a, Action::SubMul),
                (true, _) if is_sum => (a, b, Action::MulAdd),
                (true, _) => (a, b, Action::MulSub),
                _ => return self.step(Action::Op(*op), to, operands),
            };
            let factors = self.instruction(*product).map(|x| &x.operands[..]);
            let from = [factors.unwrap_or_default(), &[*other]].concat();
            return self.step(action, to, &from);
        }
        match (op, &operands[..]) {
            (Op::Lt, &[a, b]) => self.step(Action::Op(Op::Gt), to, &[b, a]),
            (Op::Le, &[a, b]) => self.step(Action::Op(Op::Ge), to, &[b, a]),
            _ => self.step(Action::Op(*op), to, operands),
        }
    }

    /// The steps that add a value to sums and pack it.
    fn deliver(&mut self, value: usize) {
        let instruction = self.instruction(value).filter(|_| self.fused[value]);
        for (k, &summed) in self.program.sums.iter().enumerate() {
            if summed == value && self.wanted.sums[k] {
                let sum = self.varies.len() + k;
                match instruction {
                    None => self.step(Action::Op(Op::Add), Place::Value(sum), &[value, sum]),
                    Some(product) => {
                        let from = [&product.operands[..], &[sum]].concat();
                        self.step(Action::MulAdd, Place::Value(sum), &from);
                    }
                }
            }
        }
        if self.wanted.packed && self.program.spikes == Some(value) {
            let (action, from) = match instruction.map(|x| (x.op, &x.operands[..])) {
                Some((Op::Gt, operands)) => (Action::PackGt, operands.to_vec()),
                Some((Op::Ge, operands)) => (Action::PackGe, operands.to_vec()),
                Some((Op::Lt, &[a, b])) => (Action::PackGt, vec![b, a]),
                Some((Op::Le, &[a, b])) => (Action::PackGe, vec![b, a]),
                _ => (Action::PackNonzero, vec![value]),
            };
            self.step(action, Place::Words, &from);
        }
    }
}
