//! Calibration: kab held against a server of its own whose behaviour is
//! scripted, and against what must then be measured.
//!
//! | module | idea |
//! |---|---|
//! | [`server`] | the null server: cheap, scripted, keeps evidence of its own |

pub mod server;
