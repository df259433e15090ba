//! Settings of what is computed before anybody asks for it.

use std::time::Duration;

use super::section::{Wrong, section};
use crate::domain::decimal::Decimal;

/// More often than prices are read is for nothing.
const SHORTEST: Duration = Duration::from_millis(100);

section! {
    /// Forecasts, computed in the background when something changed that they depend on.
    #[check(check_forecast)]
    pub struct Forecasting {
        /// Percent that a price has to have moved since forecasts were computed at it, for them to be
        /// computed anew. Below that nobody sees a difference, and each new price would be work for
        /// all that plan to sell. "0": each new price. At most "100".
        pub min_move: Decimal = Decimal::TENTH,
        /// Who asked within that time, or watched, comes first, and is who new prices are computed for.
        /// As long as people leave a dashboard and come back to it.
        pub seen_for: Duration = Duration::from_secs(15 * 60),
        /// How long it rests before it looks again what is to be computed, and how long it computes then
        /// at most, with a rest after each step. Prices are read once a second. At least 100ms.
        pub interval: Duration = Duration::from_secs(1),
    }
}

fn check_forecast(forecast: &Forecasting, wrong: &mut Wrong) {
    let percent = Decimal::ZERO..=Decimal::HUNDRED;
    wrong.unless(percent.contains(&forecast.min_move), "min_move", "from \"0\" to \"100\"");
    wrong.unless(forecast.interval >= SHORTEST, "interval", "100ms or more");
}
