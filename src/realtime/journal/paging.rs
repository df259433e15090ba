//! Which of a channel's publications a page shows: the arithmetic that every store shares. Pure.

use super::{Direction, Range};

/// The offsets that a page may show, both included; none if `first > last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub first: u64,
    pub last: u64,
}

impl Range {
    /// The offsets to look at in a channel whose publications up to `floor` are not shown.
    pub(super) fn window(&self, floor: u64, top: u64) -> Window {
        let first = floor.saturating_add(1);
        match self.direction {
            Direction::After(offset) => {
                Window { first: first.max(offset.saturating_add(1)), last: top }
            }
            Direction::Before(None) => Window { first, last: top },
            Direction::Before(Some(offset)) => {
                Window { first, last: top.min(offset.saturating_sub(1)) }
            }
        }
    }

    /// How much the page may hold.
    pub(super) fn budget(&self) -> Budget {
        Budget { publications: self.limit, bytes: self.max_bytes, empty: true }
    }

    /// Whether the page runs from old to new.
    pub(super) fn ascends(&self) -> bool {
        matches!(self.direction, Direction::After(_))
    }
}

/// What a page may still take.
#[derive(Debug)]
pub(super) struct Budget {
    publications: usize,
    bytes: usize,
    empty: bool,
}

impl Budget {
    /// Whether a publication with so many bytes of data still fits; the first always does.
    pub fn takes(&mut self, bytes: usize) -> bool {
        if self.publications == 0 || (bytes > self.bytes && !self.empty) {
            self.publications = 0;
            return false;
        }
        self.publications -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.empty = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(direction: Direction, limit: usize, max_bytes: usize) -> Range {
        Range { direction, limit, max_bytes }
    }

    #[test]
    fn a_window_lies_between_what_is_gone_and_the_top() {
        let window = |direction, floor, top| {
            let window = range(direction, 1, 1).window(floor, top);
            (window.first, window.last)
        };
        assert_eq!(window(Direction::After(0), 0, 9), (1, 9));
        assert_eq!(window(Direction::After(3), 5, 9), (6, 9));
        assert_eq!(window(Direction::After(7), 5, 9), (8, 9));
        assert_eq!(window(Direction::After(u64::MAX), 5, 9), (u64::MAX, 9));
        assert_eq!(window(Direction::Before(None), 5, 9), (6, 9));
        assert_eq!(window(Direction::Before(Some(8)), 5, 9), (6, 7));
        assert_eq!(window(Direction::Before(Some(0)), 0, 9), (1, 0));
        assert_eq!(window(Direction::Before(Some(100)), 0, 9), (1, 9));
    }

    #[test]
    fn a_page_has_at_least_one_and_ends_before_it_is_too_heavy() {
        let mut budget = range(Direction::After(0), 3, 10).budget();
        assert!(budget.takes(50));
        assert!(!budget.takes(1));
        assert!(!budget.takes(0), "what ended stays ended: a page has no holes");
        let mut budget = range(Direction::After(0), 2, 10).budget();
        assert!(budget.takes(4) && budget.takes(6));
        assert!(!budget.takes(0));
        assert!(!range(Direction::After(0), 0, 10).budget().takes(0));
    }
}
