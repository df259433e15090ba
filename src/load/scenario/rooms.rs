//! `rooms`: connections in many rooms, a member of each room publishes, for a while. How many deliveries a second?

use std::time::Duration;

use super::fill_rooms;
use crate::load::{
    Failure,
    conditions::Conditions,
    publishing::{Drive, Publisher, Publishing, Until},
    report::Report,
    run::Run,
};

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    fill_rooms(run);
    run.bring_in()?;
    let conditions = run.conditions.clone();
    let publishing = publishing(run);
    let from = run.mark()?;
    run.publish(publishing, Some(Duration::from_secs(conditions.seconds)))?;
    let to = run.mark()?;
    run.drain()?;
    let cost = run.mark()?;
    run.report(&from, &to, &cost)
}

/// Members of the rooms, ready to publish.
pub(super) fn publishing(run: &Run) -> Publishing {
    let conditions = &run.conditions;
    let drive = Drive {
        rate: conditions.rate,
        window: conditions.window,
        until: Until::Acknowledged,
        size: conditions.payload,
    };
    Publishing::new(publishers(conditions), drive, run.clock.now())
}

/// One member of each room, then a second one of each, and so on.
fn publishers(conditions: &Conditions) -> Vec<Publisher> {
    let rooms = conditions.rooms();
    let members = (0..conditions.room_size)
        .flat_map(|seat| (0..rooms).map(move |room| (room * conditions.room_size + seat, room)));
    let real = members.filter(|(who, _)| *who < conditions.connections);
    real.take(conditions.publishers)
        .map(|(who, room)| Publisher::new(who, vec![room], None))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::load::scenario::tests::conditions;

    #[test]
    fn publishers_are_members_of_the_rooms_that_they_publish_in() {
        let ask = |publishers| {
            let mut conditions = conditions("rooms --connections 5 --room-size 2");
            conditions.publishers = publishers;
            super::publishers(&conditions).iter().map(|p| (p.who, p.rooms[0])).collect::<Vec<_>>()
        };
        assert_eq!(ask(3), [(0, 0), (2, 1), (4, 2)]);
        assert_eq!(ask(9), [(0, 0), (2, 1), (4, 2), (1, 0), (3, 1)]);
    }
}
