//! What a system took, by the names that claims use.

use super::Place;
use crate::cost::Cost;
use crate::value::Value;

pub(super) fn cost(at: &mut Place<'_>, of: Option<&Cost>) {
    at.length("cpu", of.and_then(|c| c.cpu));
    at.length("cpuPerOp", of.and_then(|c| c.cpu_per_op));
    at.put("cores", of.and_then(|c| c.cores).map(Value::Cores));
    at.put("restCores", of.and_then(|c| c.rest_cores).map(Value::Cores));
    at.bytes("written", of.and_then(|c| c.written));
    at.bytes("bytesPerOp", of.and_then(|c| c.bytes_per_op));
}
