//! A metric with one label whose values are all known at start.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    core::Collector,
};

use super::{Row, table::Labels};

/// One child for each value of the label, and one, `other`, for everything else.
#[derive(Debug)]
pub struct Family<T> {
    children: Vec<(String, Option<u32>, T)>,
    other: T,
}

impl<T> Family<T> {
    /// The child of a named value.
    pub fn of(&self, value: &str) -> &T {
        let found = self.children.iter().find(|(name, ..)| name == value);
        found.map_or(&self.other, |(.., child)| child)
    }

    /// The child of a number: a code, a status, a worker.
    pub fn code(&self, code: u32) -> &T {
        let found = self.children.iter().find(|(_, number, _)| *number == Some(code));
        found.map_or(&self.other, |(.., child)| child)
    }

    fn new(values: Vec<String>, child: impl Fn(&str) -> T) -> Self {
        let children = values.into_iter().map(|v| (v.clone(), v.parse().ok(), child(&v))).collect();
        Self { children, other: child("other") }
    }
}

/// How a metric of the table comes to be.
pub(super) trait Made: Sized {
    fn make(row: &Row, labels: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)>;
}

fn opts(row: &Row) -> Opts {
    Opts::new(row.name, row.help).namespace("fanfare")
}

fn histogram_opts(row: &Row) -> HistogramOpts {
    HistogramOpts::from(opts(row)).buckets(row.shape.buckets().to_vec())
}

impl Made for IntGauge {
    fn make(row: &Row, _: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)> {
        let made = IntGauge::with_opts(opts(row))?;
        Ok((made.clone(), Box::new(made)))
    }
}

impl Made for IntCounter {
    fn make(row: &Row, _: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)> {
        let made = IntCounter::with_opts(opts(row))?;
        Ok((made.clone(), Box::new(made)))
    }
}

impl Made for Histogram {
    fn make(row: &Row, _: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)> {
        let made = Histogram::with_opts(histogram_opts(row))?;
        Ok((made.clone(), Box::new(made)))
    }
}

impl Made for Family<IntCounter> {
    fn make(row: &Row, labels: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)> {
        let (label, values) = row.shape.label(labels);
        let made = IntCounterVec::new(opts(row), &[label])?;
        Ok((Family::new(values, |value| made.with_label_values(&[value])), Box::new(made)))
    }
}

impl Made for Family<Histogram> {
    fn make(row: &Row, labels: &Labels) -> prometheus::Result<(Self, Box<dyn Collector>)> {
        let (label, values) = row.shape.label(labels);
        let made = HistogramVec::new(histogram_opts(row), &[label])?;
        Ok((Family::new(values, |value| made.with_label_values(&[value])), Box::new(made)))
    }
}
