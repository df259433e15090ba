//! Where tests let the journal fail: before each statement of an append, at COMMIT and after it.

use diesel::QueryResult;

/// Does nothing outside tests.
#[derive(Clone, Default)]
pub(super) struct Faults {
    #[cfg(test)]
    pub hook: Option<std::sync::Arc<dyn Fn(&'static str) -> Fault + Send + Sync>>,
}

/// What happens at a place.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    Error,
    Panic,
}

impl Faults {
    /// A place with a name.
    #[cfg(test)]
    pub fn at(&self, place: &'static str) -> QueryResult<()> {
        match self.hook.as_ref().map_or(Fault::None, |hook| hook(place)) {
            Fault::None => Ok(()),
            Fault::Error => {
                Err(diesel::result::Error::QueryBuilderError(format!("injected at {place}").into()))
            }
            Fault::Panic => panic!("injected at {place}"),
        }
    }

    /// A place with a name.
    #[cfg(not(test))]
    #[inline(always)]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub fn at(&self, _: &'static str) -> QueryResult<()> {
        Ok(())
    }
}
