//! A neuron from one event to the next.

/// Constants of a neuron.
#[derive(Clone, Copy, Debug)]
pub struct Dynamics {
    /// Time constant of the membrane; infinite without a leak.
    pub tau_mem: f64,
    /// Time constant of the synaptic current.
    pub tau_syn: f64,
    /// `θ`
    pub threshold: f64,
}

/// What is left of a state after some time, and of a gradient the other way: the adjoint equations are
/// those of the neuron, transposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decay {
    /// Of the membrane.
    membrane: f64,
    /// Of the current.
    current: f64,
    /// What a current of 1 has added to the membrane.
    response: f64,
}

/// The state of a neuron.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) membrane: f64,
    pub(super) current: f64,
}

/// A spike that a neuron fires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spike {
    pub(super) time: f64,
    pub(super) neuron: usize,
    pub(super) slope: f64,
}

/// Steps of Newton's method: from the left of a concave function it never overshoots, and where it is
/// not flat a dozen reach the last bit.
const ITERATIONS: usize = 100;

impl Dynamics {
    /// `1/τ_mem`
    pub(super) fn leak(&self) -> f64 {
        self.tau_mem.recip()
    }

    /// What a current of 1 adds to the membrane's derivative.
    pub(super) fn gain(&self) -> f64 {
        if self.tau_mem.is_infinite() {
            self.tau_syn.recip()
        } else {
            self.leak()
        }
    }

    pub(super) fn decay(&self, time: f64) -> Decay {
        let membrane = (-time * self.leak()).exp();
        Decay {
            membrane,
            current: (-time / self.tau_syn).exp(),
            response: self.gain() * membrane * self.lasting(time),
        }
    }

    /// How much faster the current decays than the membrane.
    fn difference(&self) -> f64 {
        self.tau_syn.recip() - self.leak()
    }

    /// `∫ e^{-δs} ds` over some time, `δ` the difference of both decays.
    fn lasting(&self, time: f64) -> f64 {
        match self.difference() {
            0.0 => time,
            difference => -(-difference * time).exp_m1() / difference,
        }
    }

    /// The membrane's derivative at the threshold.
    fn slope(&self, current: f64) -> f64 {
        self.gain() * current - self.leak() * self.threshold
    }

    /// The gradient before a spike, for that after it and that of the spike's time.
    pub(super) fn before_spike(&self, after: State, slope: f64, to_time: f64) -> State {
        // A higher membrane fires earlier, and falls from the threshold earlier.
        let earlier = after.membrane * self.leak() * self.threshold;
        State {
            membrane: after.membrane + (earlier - to_time) / slope,
            ..after
        }
    }

    /// The gradient of the time at which a current of 1 arrives, for that of the state behind it.
    pub(super) fn arrival_gradient(&self, gradient: State) -> f64 {
        gradient.current / self.tau_syn - gradient.membrane * self.gain()
    }

    /// The first spike within some time, and the slope there, if nothing arrives before. The membrane is
    /// below the threshold.
    pub(super) fn next_spike(&self, state: State, within: f64) -> Option<(f64, f64)> {
        // The membrane only rises while the current exceeds it, and the current decays.
        if self.slope(state.current) <= 0.0 {
            return None;
        }
        // Up to its peak the membrane rises and is concave.
        let latest = within.min(self.peak(state));
        let after = |time: f64| state.after(&self.decay(time));
        if latest.is_finite() && after(latest).membrane < self.threshold {
            return None;
        }
        let mut time = 0.0;
        for _ in 0..ITERATIONS {
            let now = after(time);
            let rise = self.gain() * now.current - self.leak() * now.membrane;
            let next = time + (self.threshold - now.membrane) / rise;
            // Without a leak an endless rise may stay below the threshold.
            if !next.is_finite() || next <= time {
                break;
            }
            time = next.min(latest);
        }
        let now = after(time);
        let slope = self.slope(now.current);
        let reached = now.membrane >= self.threshold * (1.0 - 1e-9);
        (reached && slope > 0.0 && time <= within).then_some((time, slope))
    }

    /// When the membrane is highest, given that it rises; infinite if it always does.
    fn peak(&self, state: State) -> f64 {
        let steady = self.leak() * state.membrane / (self.gain() * state.current);
        match self.difference() {
            0.0 => self.tau_syn * (1.0 - steady),
            difference => {
                let passed = self.tau_syn * difference * (1.0 - steady);
                if passed >= 1.0 {
                    f64::INFINITY
                } else {
                    -(-passed).ln_1p() / difference
                }
            }
        }
    }
}

impl State {
    pub(super) fn after(self, decay: &Decay) -> Self {
        Self {
            membrane: decay.membrane * self.membrane + decay.response * self.current,
            current: decay.current * self.current,
        }
    }

    /// A gradient of the state, so much earlier.
    pub(super) fn before(self, decay: &Decay) -> Self {
        Self {
            membrane: decay.membrane * self.membrane,
            current: decay.current * self.current + decay.response * self.membrane,
        }
    }
}
