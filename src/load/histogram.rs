//! How long things took: counts in buckets that grow with the value, so that millions of latencies fit in 30 KiB.

use serde::Serialize;

/// Each power of two is cut into so many equal buckets: a value is known to 1/64, 1.6 %.
const STEPS: u64 = 1 << STEP_BITS;
const STEP_BITS: u32 = 6;
const BUCKETS: usize = ((u64::BITS - STEP_BITS + 1) as usize) << STEP_BITS;

/// Latencies in nanoseconds.
#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max: u64,
}

/// What a histogram says, in milliseconds. Each is the upper end of its bucket, but never more than the true maximum.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// None if nothing was recorded.
    pub fn quantiles(&self) -> Option<Quantiles> {
        (self.total > 0).then(|| Quantiles {
            p50: self.at(0.50),
            p95: self.at(0.95),
            p99: self.at(0.99),
            max: millis(self.max),
        })
    }

    /// The smallest bucket end that at least `share` of the values do not exceed, in milliseconds.
    fn at(&self, share: f64) -> f64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return millis(end(index).min(self.max));
            }
        }
        millis(self.max)
    }
}

/// To the microsecond: what lies below says nothing.
fn millis(nanos: u64) -> f64 {
    (nanos as f64 / 1e3).round() / 1e3
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = u64::BITS - 1 - value.leading_zeros() - STEP_BITS;
    (((shift as usize) + 1) << STEP_BITS) + ((value >> shift) & (STEPS - 1)) as usize
}

/// The largest value of a bucket.
fn end(index: usize) -> u64 {
    let (row, step) = (index >> STEP_BITS, index as u64 & (STEPS - 1));
    match row.checked_sub(1) {
        None => step,
        Some(shift) => {
            ((STEPS + step + 1) as u128 * (1u128 << shift) - 1).min(u64::MAX as u128) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_that_ends_at_most_a_64th_above_it() {
        for value in
            (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) + (1 << bit) / 3, (1 << bit) - 1])
        {
            let end = end(bucket(value));
            assert!(end >= value && end - value <= value / 64, "{value} ends at {end}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(end(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn quantiles_are_those_of_the_values_recorded() {
        let mut histogram = Histogram::default();
        for ms in 1..=100 {
            histogram.record(ms * 1_000_000);
        }
        let said = histogram.quantiles().unwrap();
        for (got, exact) in [(said.p50, 50.0), (said.p95, 95.0), (said.p99, 99.0)] {
            assert!((exact..exact * 1.017).contains(&got), "{got} for {exact}");
        }
        assert_eq!(said.max, 100.0);
    }

    #[test]
    fn nothing_recorded_has_no_quantiles() {
        assert_eq!(Histogram::default().quantiles(), None);
    }
}
