//! How late a thread serves its timers: what everybody on it waits, whatever for.

use std::time::{Duration, Instant};

use prometheus::Histogram;

/// Often enough to see a stall of a second, rare enough to cost nothing.
const EACH: Duration = Duration::from_millis(250);

/// Measures the thread that polls it, for ever.
pub async fn watch(lag: Histogram) {
    loop {
        let begun = Instant::now();
        tokio::time::sleep(EACH).await;
        lag.observe(begun.elapsed().saturating_sub(EACH).as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::metrics::{Labels, Metrics};

    #[actix_web::test]
    async fn a_thread_that_is_held_up_shows() {
        let metrics = Metrics::new(&Labels { workers: 1, ..Labels::default() }).unwrap();
        let lag = metrics.event_loop_lag_seconds.code(0).clone();
        let watching = actix_rt::spawn(watch(lag.clone()));
        tokio::task::yield_now().await;
        std::thread::sleep(EACH * 2);
        while lag.get_sample_count() == 0 {
            tokio::task::yield_now().await;
        }
        watching.abort();
        assert!(lag.get_sample_sum() >= 0.2, "{}", lag.get_sample_sum());
    }
}
