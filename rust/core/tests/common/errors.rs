//! Errors of neurons as lists.

use bitspike::spikes::layout::words;
use bitspike::tiling::Shape;

/// Who has an error `[T, B, N]` that is not 0, and these errors side by side, as `FilteredErrors` takes
/// them.
pub(crate) fn listed(shape: Shape, errors: &[f32]) -> (Vec<u64>, Vec<f32>) {
    let row = words(shape.neurons);
    let rows = shape.steps * shape.samples;
    let mut active = vec![0; rows * row];
    // What lies behind a word's last value is not read as a number that counts.
    let mut values = vec![f32::NAN; rows * row * 64];
    let mut ends = vec![0; shape.samples * row];
    for r in (0..rows).rev() {
        for n in 0..shape.neurons {
            let error = errors[r * shape.neurons + n];
            if error != 0.0 {
                let word = r * row + n / 64;
                let stream = word % (shape.samples * row);
                active[word] |= 1 << (n % 64);
                values[stream * 64 * shape.steps + ends[stream]] = error;
                ends[stream] += 1;
            }
        }
    }
    (active, values)
}
