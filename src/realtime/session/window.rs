//! Publishes of one connection that are under way together, answered in the order in which they were sent. Pure.

use std::collections::VecDeque;

use crate::protocol::{Outcome, Reply};

/// At most `client.publish_window` of them.
#[derive(Default, Debug)]
pub struct Window {
    under_way: VecDeque<(u32, Option<Outcome>)>,
    /// Number of the first one that is still in there.
    first: u64,
}

impl Window {
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// One more; its number.
    pub fn begin(&mut self, command: u32) -> u64 {
        self.under_way.push_back((command, None));
        self.first + self.under_way.len() as u64 - 1
    }

    /// One has its outcome; what can be said now, in order. An outcome that comes twice counts once.
    pub fn end(&mut self, number: u64, outcome: Outcome) -> Vec<Reply> {
        let index = number.checked_sub(self.first).map(|index| index as usize);
        if let Some((_, slot @ None)) = index.and_then(|index| self.under_way.get_mut(index)) {
            *slot = Some(outcome);
        }
        let mut replies = Vec::new();
        while let Some((id, outcome @ Some(_))) = self.under_way.front_mut() {
            if let Some(outcome) = outcome.take() {
                replies.push(Reply { id: *id, outcome });
            }
            self.under_way.pop_front();
            self.first += 1;
        }
        if self.under_way.is_empty() {
            self.under_way = VecDeque::new();
        }
        replies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(replies: &[Reply]) -> Vec<u32> {
        replies.iter().map(|r| r.id).collect()
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let mut window = Window::default();
        let [a, b, c] = [7, 8, 9].map(|id| window.begin(id));
        assert_eq!(ids(&window.end(b, Outcome::Publish)), [0; 0]);
        assert_eq!(ids(&window.end(b, Outcome::Publish)), [0; 0], "twice is once");
        assert_eq!(ids(&window.end(a, Outcome::Publish)), [7, 8]);
        assert_eq!(ids(&window.end(a, Outcome::Publish)), [0; 0], "long gone");
        let d = window.begin(10);
        assert_eq!(ids(&window.end(d, Outcome::Publish)), [0; 0]);
        assert_eq!(ids(&window.end(c, Outcome::Publish)), [9, 10]);
        assert!(window.is_empty());
    }
}
