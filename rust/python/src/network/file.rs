//! Network files, written from a graph and tensors.

use crate::buffer::Memory;
use crate::call::network_error;
use crate::tensor::Tensor;
use bitspike::network::{self, write};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A tensor's name, the dtype of the file, its shape, and its numbers: float32, int32 or bytes.
type Described<'py> = (String, String, Vec<usize>, Tensor<'py>);

/// A network file of a graph and tensors.
#[pyfunction]
pub(crate) fn write_network<'py>(
    py: Python<'py>,
    graph: &str,
    tensors: Vec<Described<'py>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let data = tensors
        .iter()
        .map(|(name, dtype, _, tensor)| {
            let bytes = match dtype.as_str() {
                "F32" => {
                    let numbers = Memory::<f32>::of(tensor, name)?;
                    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
                }
                "I32" => {
                    let numbers = Memory::<i32>::of(tensor, name)?;
                    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
                }
                _ => Memory::<u8>::of(tensor, name)?.to_vec(),
            };
            Ok((file_dtype(dtype)?, bytes))
        })
        .collect::<PyResult<Vec<(network::Dtype, Vec<u8>)>>>()?;
    let tensors = tensors.iter().zip(&data);
    let tensors = tensors.map(|((name, _, shape, _), (dtype, data))| network::Tensor {
        name: name.clone(),
        dtype: *dtype,
        shape: shape.clone(),
        data,
    });
    let bytes = write(graph, tensors.collect()).map_err(network_error)?;
    Ok(PyBytes::new(py, &bytes))
}

fn file_dtype(name: &str) -> PyResult<network::Dtype> {
    use network::Dtype::{F32, I8, I32, U8};
    let found = [F32, I32, I8, U8].into_iter().find(|x| x.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("a file holds no {name} from here")))
}
