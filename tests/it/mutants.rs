//! Mutants that only a whole node shows: each lets a test fail that passes without it.

use crate::{durability, recovery, support::assert_caught};

macro_rules! caught {
    ($($test:ident: $mutant:ident by $property:path;)+) => {$(
        #[test]
        fn $test() {
            assert_caught(stringify!($mutant), $property);
        }
    )+};
}

caught! {
    commits_that_do_not_wait_for_the_disk_are_caught: SynchronousOff by durability::each_acknowledgement_waits_for_the_disk;
    a_recovery_into_a_full_queue_is_caught: RecoversIntoAFullQueue by recovery::who_reads_nothing_for_a_while_is_given_no_more_than_it_has_room_for;
}
