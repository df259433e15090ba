//! Deliberate faults, one at a time: what stays green while one of them is on proves nothing.
//!
//! `mutant!` is the constant `false` in what people run. In tests, and with the cargo feature
//! `failpoints`, it is true while that mutant is on: for a whole node by the variable `FANFARE_MUTANT`, for one
//! test by `assert_caught`, whose switch belongs to the thread of the test, so that tests beside it see nothing of it.
//! A thread that the code under test starts takes the switch along by `carried`. `docs/TESTING.md` has the
//! table: where each sits, and what catches it.

/// Whether that mutant is on: `if mutant!(AnsweredWhenQueued) { .. }`.
macro_rules! mutant {
    ($name:ident) => {{
        #[cfg(any(test, feature = "failpoints"))]
        let is_on = $crate::platform::mutant::is_on($crate::platform::mutant::Mutant::$name);
        #[cfg(not(any(test, feature = "failpoints")))]
        let is_on = false;
        is_on
    }};
}

pub(crate) use mutant;

/// Work for another thread, under the same switch as this one.
#[cfg(not(any(test, feature = "failpoints")))]
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    work
}

#[cfg(any(test, feature = "failpoints"))]
pub use switch::*;

#[cfg(any(test, feature = "failpoints"))]
mod switch {
    use std::{
        cell::RefCell,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// The variable that switches a mutant on for a whole process, by its name.
    pub const VARIABLE: &str = "FANFARE_MUTANT";

    macro_rules! mutants {
        ($($(#[$doc:meta])+ $name:ident,)+) => {
            /// What can be wrong on purpose.
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub enum Mutant {
                $($(#[$doc])+ $name,)+
            }

            impl Mutant {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name),+];
            }
        };
    }

    mutants! {
        /// A room hands its own commits out and does not let them through its door.
        OwnCommitPastTheDoor,
        /// The answer to a publish lives in a future of the room, which a fall drops.
        AnswerInTheRoomsFuture,
        /// The bridge drops the last word of a channel, and no feed tells. In the simulation only.
        LastWordDropped,
        /// What arrives twice goes out twice.
        ArrivalsNotDeduplicated,
        /// Who stands above the room is told the room's top for the journal's.
        TopOfTheRoom,
        /// What is ahead goes out, and the gap below it is never read.
        GapSkipped,
        /// A leave ends whatever subscription there is.
        LeaveWithoutNumber,
        /// A room with a commit under way goes to sleep.
        ClosesWithACommitUnderWay,
        /// A hub that fell does not say so, and nobody compares.
        HubNotAudited,
        /// The room draws an epoch for a channel in which nothing was said.
        EpochDrawnByTheRoom,
        /// A page's top is read after its rows, from another snapshot.
        RowsThenTop,
        /// A publisher is answered when its publication waits for the commit.
        AnsweredWhenQueued,
        /// Members hear what is not committed yet.
        DeliveredBeforeCommit,
        /// The committing thread goes on with the connection over which it fell.
        ConnectionKeptAfterAPanic,
        /// What the thread remembers of channels moves before the commit.
        HeadsRaisedBeforeCommit,
        /// A batch goes on after a statement that failed.
        BatchGoesOnAfterAnError,
        /// A batch of unknown fate is sent again.
        UnknownBatchRetried,
        /// A commit past its deadline counts as cancelled.
        DeadlineCancels,
        /// Who no longer waits for its commit takes it back.
        CommitDroppedWithItsFuture,
        /// Idempotency keys live as long as the process.
        KeysKeptInMemory,
        /// Idempotency keys go with the publications that they stand for.
        KeysInMessageRows,
        /// Results come in the order of writing, not in that of the batch.
        ResultsByIndex,
        /// The feed is read behind the greatest number that was seen, whoever's it was.
        FeedByGlobalNumber,
        /// A restored copy goes on under the generation of the original.
        GenerationKept,
        /// Commits do not wait for the disk.
        SynchronousOff,
        /// Nobody ever recovers.
        NobodyRecovers,
        /// A writer goes on under an id that was closed, and is refused for ever.
        RefusesAfterTheFirstFault,
        /// Deadlines go by the clock on the wall, also after the process stood still.
        DeadlinesByTheWall,
        /// A recovery does not wait for room in the queue of its connection.
        RecoversIntoAFullQueue,
        /// A recovery leaves out what came while its page was read.
        MergedWithoutTheRing,
        /// A page that was read for one member is taken for another's.
        PageOfAnother,
        /// Who came after the page was asked for is judged by it.
        LateComerJudged,
        /// A room that fell goes on where it stood and does not look.
        FallForgetsToLook,
        /// A room that fell goes on with what it had begun, too.
        StepsKeptInAFall,
        /// A room that fell forgets who was on the way in.
        ComersLostInAFall,
    }

    /// One mutant in the threads of one test.
    #[derive(Debug)]
    struct Switch {
        mutant: Mutant,
        /// How often the code asked for it and went wrong.
        reached: AtomicU64,
    }

    thread_local! {
        static HERE: RefCell<Option<Arc<Switch>>> = const { RefCell::new(None) };
    }

    static EVERYWHERE: OnceLock<Mutant> = OnceLock::new();

    /// Switches the mutant that `FANFARE_MUTANT` names on for the whole process.
    pub fn switch_on_from_env() -> Result<(), String> {
        let Ok(name) = std::env::var(VARIABLE) else { return Ok(()) };
        let found = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
        let Some(mutant) = found else {
            return Err(format!("{VARIABLE}: expected one of {:?}, got {name:?}", Mutant::ALL));
        };
        log::warn!("this node is wrong on purpose: {mutant:?}");
        EVERYWHERE.set(*mutant).map_err(|_| format!("{VARIABLE} was read twice"))
    }

    /// See `mutant!`.
    pub fn is_on(mutant: Mutant) -> bool {
        let here = HERE.with_borrow(|here| match here {
            Some(switch) if switch.mutant == mutant => {
                switch.reached.fetch_add(1, Ordering::Relaxed);
                true
            }
            _ => false,
        });
        here || EVERYWHERE.get() == Some(&mutant)
    }

    /// Work for another thread, under the same switch as this one.
    pub fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let switch = HERE.with_borrow(Option::clone);
        move || {
            HERE.set(switch);
            work()
        }
    }

    #[cfg(test)]
    pub use testing::*;

    #[cfg(test)]
    mod testing {
        use std::{
            panic::{AssertUnwindSafe, catch_unwind},
            time::Duration,
        };

        use super::*;

        /// How long a test waits while a mutant is on for what may never come: all of it happens in memory.
        const IMPATIENT: Duration = Duration::from_secs(1);

        /// Switches a mutant off again when a property has been tried, however that ended.
        struct Off;

        impl Drop for Off {
            fn drop(&mut self) {
                HERE.set(None);
            }
        }

        /// Passes if the property holds, and is broken by the mutant.
        pub fn assert_caught(mutant: Mutant, property: impl Fn()) {
            property();
            let switch = Arc::new(Switch { mutant, reached: AtomicU64::new(0) });
            let outcome = {
                HERE.set(Some(switch.clone()));
                let _off = Off;
                catch_unwind(AssertUnwindSafe(&property))
            };
            assert!(switch.reached.load(Ordering::Relaxed) > 0, "nothing came by {mutant:?}");
            assert!(outcome.is_err(), "{mutant:?} survives");
        }

        /// How long a test waits for what has to come: as usual, and less for what a mutant keeps from coming.
        pub fn patience(usual: Duration) -> Duration {
            match HERE.with_borrow(Option::is_some) {
                true => usual.min(IMPATIENT),
                false => usual,
            }
        }
    }
}

/// Tests that a property catches a mutant: `caught! { name_of_the_test: Mutant by a::property; }`.
#[cfg(test)]
macro_rules! caught {
    ($($test:ident: $mutant:ident by $property:expr;)+) => {$(
        #[test]
        fn $test() {
            $crate::platform::mutant::assert_caught($crate::platform::mutant::Mutant::$mutant, $property);
        }
    )+};
}

#[cfg(test)]
pub(crate) use caught;

#[cfg(test)]
mod tests;
