//! Numbers for each neuron, from the keys of an op and the tensors that they name.

use super::Error;
use super::builder::Builder;
use super::fields::Fields;
use super::json::Json;
use super::parameter::Parameter;
use super::tensor::Tensor;
use super::values::Value;
use crate::spikes::layout::padded;
use alloc::format;
use alloc::vec::Vec;

impl Builder<'_> {
    /// A number, or the name of a tensor that broadcasts to the neurons of a shape.
    pub(super) fn parameter(
        &mut self,
        fields: &mut Fields,
        key: &'static str,
        shape: &[usize],
    ) -> Result<Parameter, Error> {
        match fields.take(key)? {
            Json::Number(number) => Ok(Parameter::Same(number as f32)),
            Json::Integer(number) => Ok(Parameter::Same(number as f32)),
            Json::Text(name) => self.broadcast_floats(&name, shape),
            _ => Err(fields.value(key, "a number or the name of a tensor")),
        }
    }

    /// An integer that is not negative, or the name of a tensor of such that broadcasts to the neurons of
    /// a shape.
    pub(super) fn integers(
        &mut self,
        fields: &mut Fields,
        key: &'static str,
        shape: &[usize],
        limit: i32,
    ) -> Result<Parameter<i32>, Error> {
        let expected = || format!("integers in 0..={limit}, or the name of a tensor of such");
        let (name, integers) = match fields.take(key)? {
            Json::Integer(number) => {
                let number = i32::try_from(number).ok().filter(|&number| number <= limit);
                let number = number.ok_or_else(|| fields.value(key, &expected()))?;
                return Ok(Parameter::Same(number));
            }
            Json::Text(name) => {
                let integers = self.tensors.tensor(&name)?.integers()?;
                (name, integers)
            }
            _ => return Err(fields.value(key, &expected())),
        };
        if !integers.iter().all(|number| (0..=limit).contains(number)) {
            return Err(fields.value(key, &expected()));
        }
        self.broadcast(&name, &integers, shape)
    }

    /// What states are before the first step: for each plane of a buffer a number, or the name of a
    /// tensor.
    pub(super) fn initial(
        &mut self,
        fields: &mut Fields,
        states: &Value,
        count: usize,
    ) -> Result<(), Error> {
        let list = fields.list("initial")?;
        if list.len() != count {
            return Err(fields.value(
                "initial",
                &format!("a list of {count} numbers or names of tensors"),
            ));
        }
        for (plane, initial) in list.into_iter().enumerate() {
            let initial = match initial {
                Json::Integer(0) => continue,
                Json::Number(number) => Parameter::Same(number as f32),
                Json::Integer(number) => Parameter::Same(number as f32),
                Json::Text(name) => self.broadcast_floats(&name, &states.shape)?,
                _ => return Err(fields.value("initial", "numbers or names of tensors")),
            };
            let state = Value {
                plane,
                ..states.clone()
            };
            self.initial.push((state, initial));
        }
        Ok(())
    }

    /// The numbers of a tensor for each neuron of a shape.
    fn broadcast_floats(&mut self, name: &str, shape: &[usize]) -> Result<Parameter, Error> {
        let numbers = self.tensors.tensor(name)?.numbers()?;
        self.broadcast(name, &numbers, shape)
    }

    /// The same for what a tensor holds.
    fn broadcast<T: Copy + Default>(
        &mut self,
        name: &str,
        numbers: &[T],
        shape: &[usize],
    ) -> Result<Parameter<T>, Error> {
        let tensor = self.tensors.tensor(name)?;
        if let [number] = numbers[..] {
            return Ok(Parameter::Same(number));
        }
        let neurons = shape.iter().product();
        self.reserve(neurons)?;
        let each = broadcast(tensor, numbers, shape)?;
        Ok(Parameter::Each(each))
    }

    /// The numbers of a bias, padded; zeros for null.
    pub(super) fn bias(&mut self, fields: &mut Fields, outputs: usize) -> Result<Vec<f32>, Error> {
        let mut bias = match fields.text_or_null("bias")? {
            Some(name) => self.tensor(&name, &[outputs])?,
            None => Vec::new(),
        };
        bias.resize(padded(outputs), 0.0);
        Ok(bias)
    }
}

/// The numbers of a tensor for each neuron of a shape, padded: axes are matched from the last on, and
/// those of size 1, or missing ones, are repeated.
fn broadcast<T: Copy + Default>(
    tensor: &Tensor<'_>,
    numbers: &[T],
    shape: &[usize],
) -> Result<Vec<T>, Error> {
    let missing = shape.len().checked_sub(tensor.shape.len());
    let fits = missing.is_some_and(|missing| {
        let mut axes = tensor.shape.iter().zip(&shape[missing..]);
        axes.all(|(&found, &size)| found == 1 || found == size)
    });
    let (Some(missing), true) = (missing, fits) else {
        return Err(tensor.problem(format!(
            "has shape {:?}, which does not broadcast to {shape:?}",
            tensor.shape
        )));
    };
    let neurons = shape.iter().product();
    let place = |neuron: usize| {
        let (mut rest, mut place, mut stride) = (neuron, 0, 1);
        for (axis, size) in shape.iter().enumerate().rev() {
            if axis >= missing && tensor.shape[axis - missing] > 1 {
                place += rest % size * stride;
                stride *= size;
            }
            rest /= size;
        }
        place
    };
    let mut each: Vec<_> = (0..neurons).map(|neuron| numbers[place(neuron)]).collect();
    each.resize(padded(neurons), T::default());
    Ok(each)
}
