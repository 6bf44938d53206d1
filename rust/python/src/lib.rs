//! `bitspike.ops._native`: the Rust crate `bitspike` as Python sees it.
//!
//! Only numbers, short strings and tensors cross. Python allocates every tensor that is written and
//! minds autograd; `buffer.rs` takes a tensor only if it is dense memory of the right dtype on the CPU,
//! and holds all the unsafe code; the crate checks lengths and strides. Functions carry the names that
//! they have in the crate.

#![deny(unsafe_code)]

mod attention;
mod buffer;
mod call;
mod config;
mod conv;
mod dlpack;
mod event_frames;
mod events;
mod layout;
mod matmul;
mod network;
mod program;
mod recurrent;
mod scan;
mod sequence;
mod spike_times;
mod spikes;
mod stack;
mod tensor;
mod traces;
mod view;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::attention::attend;
    #[pymodule_export]
    use super::config::{describe, force_isa, install_torch_pool};
    #[pymodule_export]
    use super::conv::{
        convolve, convolve_gradient_prefers_dense, convolve_input_gradient, convolve_prefers_dense,
        convolve_weight_gradient, max_pool, max_pool_gradient, sum_pool,
    };
    #[pymodule_export]
    use super::event_frames::EventFrames;
    #[pymodule_export]
    use super::events::{EventReader, EventWriter, event_format, event_formats};
    #[pymodule_export]
    use super::matmul::{
        gradient_prefers_dense, input_gradient, plane_product, prefers_dense, prefers_planes,
        product, small_dense_product, weight_gradient,
    };
    #[pymodule_export]
    use super::network::{Network, NetworkState, write_network};
    #[pymodule_export]
    use super::program::{Program, program_backward, program_forward};
    #[pymodule_export]
    use super::recurrent::{recurrent_backward, recurrent_forward};
    #[pymodule_export]
    use super::scan::{scan_backward, scan_forward};
    #[pymodule_export]
    use super::sequence::{error_decay, sequence_backward, sequence_forward};
    #[pymodule_export]
    use super::spike_times::{Fired, spike_times_backward, spike_times_forward};
    #[pymodule_export]
    use super::spikes::{
        bernoulli, count, count_axis, from_events, pack, spike_times, spike_times_gradient,
        swap_axes, to_events, unpack,
    };
    #[pymodule_export]
    use super::stack::{stack_backward, stack_forward};
    #[pymodule_export]
    use super::traces::{traces_filter, traces_learn, traces_sum, traces_weighted_sums};
}
