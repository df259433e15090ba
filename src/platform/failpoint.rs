//! Named places where a test makes the process abort, panic, pause or fail (cargo feature `failpoints`).
//!
//! Without the feature [`fail_point!`](crate::fail_point) is nothing at all. With it, points are armed by the
//! variable `FANFARE_FAILPOINTS` or at run time through the operator port:
//!
//! ```text
//! append.committed=abort;room.closing=panic*1;journal.read=error*3;hub.half=pause(500)
//! ```
//!
//! An action is `abort`, `panic`, `error` (only where the place can fail), `pause` (until it is armed anew, at
//! most 60 s), `pause(MS)` or `off`; `*N` lets it happen N times only.
//! The crate `fail` knows no abort and counts no hits, and a test wants to see that its fault happened.

/// Does at this place what a test armed for it; `fail_point!(name, value)` returns `value` on `error`.
#[macro_export]
macro_rules! fail_point {
    ($name:expr) => {{
        #[cfg(feature = "failpoints")]
        $crate::platform::failpoint::hit($name);
    }};
    ($name:expr, $value:expr) => {{
        #[cfg(feature = "failpoints")]
        if $crate::platform::failpoint::hit($name) {
            return $value;
        }
    }};
}

/// The same in an async function: a pause lets the thread go on with its other work.
#[macro_export]
macro_rules! fail_point_async {
    ($name:expr) => {{
        #[cfg(feature = "failpoints")]
        $crate::platform::failpoint::hit_async($name).await;
    }};
    ($name:expr, $value:expr) => {{
        #[cfg(feature = "failpoints")]
        if $crate::platform::failpoint::hit_async($name).await {
            return $value;
        }
    }};
}

#[cfg(any(test, feature = "failpoints"))]
pub use armed::*;

#[cfg(any(test, feature = "failpoints"))]
mod armed {
    use std::{
        collections::BTreeMap,
        sync::{Mutex, MutexGuard},
        thread,
        time::{Duration, Instant},
    };

    /// The variable that arms points at start.
    pub const VARIABLE: &str = "FANFARE_FAILPOINTS";
    /// No pause is longer, so that a forgotten one does not hang a run for ever.
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);
    /// How often a pause looks whether it was let go.
    const LOOK: Duration = Duration::from_millis(2);

    static POINTS: Mutex<BTreeMap<String, Point>> = Mutex::new(BTreeMap::new());

    /// What happens at a point.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Action {
        Off,
        Abort,
        Panic,
        Error,
        Pause(Duration),
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Point {
        action: Action,
        /// How often it may still happen; none: always.
        left: Option<u64>,
        /// How often it did.
        hits: u64,
        /// Raised each time it is armed, which ends pauses under way.
        armed: u64,
    }

    /// Arms what `FANFARE_FAILPOINTS` says; the error says what was expected.
    pub fn arm_from_env() -> Result<(), String> {
        match std::env::var(VARIABLE) {
            Ok(plan) => arm(&plan).map_err(|e| format!("{VARIABLE}: {e}")),
            Err(_) => Ok(()),
        }
    }

    /// Arms the points of a plan; all of it or nothing.
    pub fn arm(plan: &str) -> Result<(), String> {
        let parsed = parse(plan)?;
        let mut points = points();
        for (name, action, left) in parsed {
            let before = points.get(&name).copied();
            let (hits, armed) = before.map_or((0, 0), |p| (p.hits, p.armed + 1));
            points.insert(name, Point { action, left, hits, armed });
        }
        Ok(())
    }

    /// How often each point was hit while armed: the witness that a fault happened.
    pub fn hits() -> BTreeMap<String, u64> {
        points().iter().map(|(name, point)| (name.clone(), point.hits)).collect()
    }

    /// Does what is armed here; true means: fail.
    pub fn hit(name: &str) -> bool {
        match take(name) {
            Some((Action::Pause(most), armed)) => {
                let end = Instant::now() + most;
                while Instant::now() < end && still(name, armed) {
                    thread::sleep(LOOK);
                }
                false
            }
            taken => at_once(name, taken.map(|(action, _)| action)),
        }
    }

    /// As [`hit`], and a pause does not block the thread.
    pub async fn hit_async(name: &str) -> bool {
        match take(name) {
            Some((Action::Pause(most), armed)) => {
                let end = Instant::now() + most;
                while Instant::now() < end && still(name, armed) {
                    tokio::time::sleep(LOOK).await;
                }
                false
            }
            taken => at_once(name, taken.map(|(action, _)| action)),
        }
    }

    fn at_once(name: &str, action: Option<Action>) -> bool {
        match action {
            Some(Action::Abort) => {
                log::error!("failpoint {name}: abort");
                std::process::abort()
            }
            Some(Action::Panic) => panic!("failpoint {name}: panic"),
            Some(Action::Error) => true,
            _ => false,
        }
    }

    /// Counts a hit and says what to do, if anything is armed and left.
    fn take(name: &str) -> Option<(Action, u64)> {
        let mut points = points();
        let point = points.get_mut(name).filter(|p| p.action != Action::Off)?;
        match &mut point.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        point.hits += 1;
        Some((point.action, point.armed))
    }

    fn still(name: &str, armed: u64) -> bool {
        points().get(name).is_some_and(|point| point.armed == armed)
    }

    fn points() -> MutexGuard<'static, BTreeMap<String, Point>> {
        POINTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn parse(plan: &str) -> Result<Vec<(String, Action, Option<u64>)>, String> {
        plan.split(';').map(str::trim).filter(|part| !part.is_empty()).map(parse_one).collect()
    }

    fn parse_one(part: &str) -> Result<(String, Action, Option<u64>), String> {
        let bad = || format!("expected NAME=ACTION or NAME=ACTION*TIMES, got {part:?}");
        let (name, what) = part.split_once('=').ok_or_else(bad)?;
        let (what, left) = match what.split_once('*') {
            Some((what, times)) => (what, Some(times.parse().map_err(|_| bad())?)),
            None => (what, None),
        };
        let action = match what {
            "off" => Action::Off,
            "abort" => Action::Abort,
            "panic" => Action::Panic,
            "error" => Action::Error,
            "pause" => Action::Pause(LONGEST_PAUSE),
            _ => {
                let ms = what.strip_prefix("pause(").and_then(|rest| rest.strip_suffix(')'));
                let ms = ms.and_then(|ms| ms.parse().ok()).ok_or_else(|| {
                    format!("{name}: expected abort, panic, error, pause, pause(MS) or off, got {what:?}")
                })?;
                Action::Pause(Duration::from_millis(ms).min(LONGEST_PAUSE))
            }
        };
        Ok((name.to_string(), action, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unarmed_point_does_nothing() {
        assert!(!hit("test.unarmed"));
    }

    #[test]
    fn an_armed_point_fails_as_often_as_it_was_told() {
        arm("test.twice=error*2").unwrap();
        assert_eq!([hit("test.twice"), hit("test.twice"), hit("test.twice")], [true, true, false]);
        assert_eq!(hits()["test.twice"], 2);
    }

    #[test]
    fn a_panic_does_not_disarm_the_other_points() {
        arm("test.panic=panic*1; test.after=error").unwrap();
        assert!(std::panic::catch_unwind(|| hit("test.panic")).is_err());
        assert!(!hit("test.panic"));
        assert!(hit("test.after"));
    }

    #[test]
    fn a_pause_ends_when_the_point_is_armed_anew() {
        arm("test.pause=pause").unwrap();
        let paused = std::thread::spawn(|| hit("test.pause"));
        while hits()["test.pause"] == 0 {
            std::thread::yield_now();
        }
        arm("test.pause=off").unwrap();
        assert!(!paused.join().unwrap());
    }

    #[test]
    fn a_plan_with_a_mistake_arms_nothing_and_says_what_was_expected() {
        for plan in ["a", "a=explode", "a=panic*x", "a=pause(x)"] {
            let error = arm(&format!("test.never=error;{plan}")).unwrap_err();
            assert!(error.contains("expected"), "{error}");
        }
        assert!(!hit("test.never"));
    }
}
