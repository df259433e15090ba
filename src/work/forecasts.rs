//! Forecasts in the background: computed when something changed that they depend on, before their people ask.

mod computing;
mod forecaster;
mod people;
mod seen;
mod stride;

pub use forecaster::Forecaster;
pub use seen::Seen;
