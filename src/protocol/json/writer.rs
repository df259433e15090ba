//! Writes JSON objects field by field, zero values left out.
//!
//! By hand, because a payload goes out as the bytes it came as: serde_json would parse it again to embed it.

use serde::Serialize;

use crate::protocol::{NotJson, Payload};

/// An object that is being written. Methods named `always_` write zero values too.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// Writes one object, with what `fill` puts into it.
pub(super) fn object(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Object<'_>) -> Result<(), NotJson>,
) -> Result<(), NotJson> {
    out.push(b'{');
    fill(&mut Object { out, empty: true })?;
    out.push(b'}');
    Ok(())
}

impl Object<'_> {
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.always(name, value);
        }
    }

    pub(super) fn number(&mut self, name: &str, value: impl Serialize + Default + PartialEq) {
        if value != Default::default() {
            self.always(name, &value);
        }
    }

    pub(super) fn truth(&mut self, name: &str, value: bool) {
        if value {
            self.always(name, &true);
        }
    }

    /// Writes a string, number or map of strings whatever its value.
    pub(super) fn always(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        let out = self.name(name);
        serialize(out, value);
    }

    /// Embeds application data as it is.
    pub(super) fn payload(&mut self, name: &str, value: &Payload) -> Result<(), NotJson> {
        if value.is_empty() {
            return Ok(());
        }
        if !value.is_json() {
            return Err(NotJson);
        }
        self.name(name).extend_from_slice(value.bytes());
        Ok(())
    }

    /// An object, written even if it stays empty.
    pub(super) fn object(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Object<'_>) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        object(self.name(name), fill)
    }

    /// A list of objects, written even if it stays empty.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        let out = self.name(name);
        out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            object(out, |o| fill(o, item))?;
        }
        out.push(b']');
        Ok(())
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        serialize(self.out, name);
        self.out.push(b':');
        self.out
    }
}

fn serialize(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "strings and integers always fit into memory");
}
