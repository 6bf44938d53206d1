//! Hodgkin and Huxley's model of the squid's giant axon.

use super::gates::Rates;
use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::{Simd, array};

/// `v ← v + dt/C·(I - g_Na·m³h·(v - E_Na) - g_K·n⁴·(v - E_K) - g_L·(v - E_L))`, and each gate
/// `x ← x + dt·(α(v)·(1 - x) - β(v)·x)`.
///
/// A spike is part of the trajectory, and there is no reset: it fires as the membrane rises through
/// the threshold.
#[derive(Clone, Copy, Debug)]
pub struct HodgkinHuxley;

/// Conductances and the potentials to which they pull, of sodium, potassium and the leak.
#[derive(Clone, Copy, Debug)]
struct Channels<S: Simd> {
    conductance: [S::F32; 3],
    potential: [S::F32; 3],
    rate: S::F32,
    dt: S::F32,
}

impl<S: Simd> Channels<S> {
    #[inline(always)]
    fn new([g_na, g_k, g_l, e_na, e_k, e_l, rate, dt]: [S::F32; 8]) -> Self {
        Self {
            conductance: [g_na, g_k, g_l],
            potential: [e_na, e_k, e_l],
            rate,
            dt,
        }
    }
}

impl Neuron for HodgkinHuxley {
    const NAME: &'static str = "hodgkin_huxley";
    const PARAMETERS: &'static [&'static str] =
        &["g_na", "g_k", "g_l", "e_na", "e_k", "e_l", "rate", "dt"];
    const STATES: &'static [&'static str] = &["m", "h", "n", "v"];
    const RESETS: &'static [Mechanism] = &[Mechanism::None];
    const ON_CROSSING: bool = true;
    const UNROLL: bool = false;

    type Parameters<S: Simd> = [S::F32; 8];
    type State<S: Simd> = [S::F32; 4];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        _: &Delayed<S>,
        parameters: [S::F32; 8],
        [m, h, n, v]: [S::F32; 4],
        current: Current<S>,
    ) -> [S::F32; 4] {
        let channels = Channels::<S>::new(parameters);
        let rates = Rates::new(simd, v);
        let gates = [m, h, n];
        let [m_next, h_next, n_next] = array(
            #[inline(always)]
            |i| {
                let drift = drift(simd, &rates, gates, i);
                simd.add(gates[i], simd.mul(channels.dt, drift))
            },
        );
        let net = net_current(simd, &channels, open(simd, gates), v, current);
        let v = simd.add(v, simd.mul(channels.rate, net));
        [m_next, h_next, n_next, v]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        _: &Delayed<S>,
        parameters: [S::F32; 8],
        [m, h, n, v]: [S::F32; 4],
        current: Current<S>,
        [delta_m, delta_h, delta_n, delta_v]: [S::F32; 4],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let one = simd.splat(1.0);
        let channels = Channels::<S>::new(parameters);
        let rates = Rates::new(simd, v);
        let (gates, deltas) = ([m, h, n], [delta_m, delta_h, delta_n]);
        let open = open(simd, gates);
        let net = net_current(simd, &channels, open, v, current);

        let to_net = simd.mul(channels.rate, delta_v);
        // The gradient of each channel's open share, before its conductance.
        let pulls: [S::F32; 3] = array(
            #[inline(always)]
            |i| simd.mul(to_net, simd.sub(channels.potential[i], v)),
        );
        let conducted: [S::F32; 3] = array(
            #[inline(always)]
            |i| simd.mul(channels.conductance[i], open[i]),
        );
        let to_potential: [S::F32; 3] = array(
            #[inline(always)]
            |i| simd.mul(to_net, conducted[i]),
        );
        let to_conductance: [S::F32; 3] = array(
            #[inline(always)]
            |i| simd.mul(pulls[i], open[i]),
        );
        let to_sodium = simd.mul(pulls[0], channels.conductance[0]);
        let to_potassium = simd.mul(pulls[1], channels.conductance[1]);
        let (m2, n2) = (simd.mul(m, m), simd.mul(n, n));
        let by_open = [
            simd.mul(to_sodium, simd.mul(simd.mul(simd.splat(3.0), m2), h)),
            simd.mul(to_sodium, simd.mul(m2, m)),
            simd.mul(to_potassium, simd.mul(simd.mul(simd.splat(4.0), n2), n)),
        ];

        let all = simd.add(simd.add(conducted[0], conducted[1]), conducted[2]);
        let mut to_v = simd.sub(delta_v, simd.mul(to_net, all));
        let mut to_dt = zero;
        let mut to_gates = [zero; 3];
        for i in 0..3 {
            let to_drift = simd.mul(channels.dt, deltas[i]);
            let turnover = simd.add(rates.opening[i], rates.closing[i]);
            let kept = simd.sub(deltas[i], simd.mul(to_drift, turnover));
            to_gates[i] = simd.add(kept, by_open[i]);
            let opening = simd.mul(rates.opening_slope[i], simd.sub(one, gates[i]));
            let closing = simd.mul(rates.closing_slope[i], gates[i]);
            to_v = simd.add(to_v, simd.mul(to_drift, simd.sub(opening, closing)));
            to_dt = simd.add(to_dt, simd.mul(deltas[i], drift(simd, &rates, gates, i)));
        }
        let [to_m, to_h, to_n] = to_gates;
        let ([g_na, g_k, g_l], [e_na, e_k, e_l]) = (to_conductance, to_potential);
        Adjoint {
            current: to_net,
            state: [to_m, to_h, to_n, to_v],
            parameters: [
                g_na,
                g_k,
                g_l,
                e_na,
                e_k,
                e_l,
                simd.mul(delta_v, net),
                to_dt,
            ],
            threshold: zero,
        }
    }
}

/// What share of the channels of sodium, potassium and the leak is open.
#[inline(always)]
fn open<S: Simd>(simd: S, [m, h, n]: [S::F32; 3]) -> [S::F32; 3] {
    let n2 = simd.mul(n, n);
    [
        simd.mul(simd.mul(simd.mul(m, m), m), h),
        simd.mul(n2, n2),
        simd.splat(1.0),
    ]
}

/// `α·(1 - x) - β·x` of gate `i`.
#[inline(always)]
fn drift<S: Simd>(simd: S, rates: &Rates<S>, gates: [S::F32; 3], i: usize) -> S::F32 {
    let closed = simd.sub(simd.splat(1.0), gates[i]);
    simd.sub(
        simd.mul(rates.opening[i], closed),
        simd.mul(rates.closing[i], gates[i]),
    )
}

/// What charges the membrane: the input without what the channels conduct.
#[inline(always)]
fn net_current<S: Simd>(
    simd: S,
    channels: &Channels<S>,
    open: [S::F32; 3],
    v: S::F32,
    current: Current<S>,
) -> S::F32 {
    let mut net = current.total(simd);
    for (i, &open) in open.iter().enumerate() {
        let conducted = simd.mul(channels.conductance[i], open);
        let pull = simd.sub(v, channels.potential[i]);
        net = simd.sub(net, simd.mul(conducted, pull));
    }
    net
}
