//! What a section of settings is: a struct whose fields carry their name, their doc and their default in one place.

use super::value::Leaf;

/// A struct of settings.
pub trait Section {
    /// Its fields in the order of the default file.
    fn fields(&mut self) -> Vec<Field<'_>>;

    /// The lines of its own doc comment.
    fn about(&self) -> &'static [&'static str];

    /// Finds what can be wrong in this section alone; keys are relative to it.
    fn check(&self, _wrong: &mut Wrong) {}
}

/// One field of a section.
pub struct Field<'a> {
    /// As written in files and variables.
    pub name: &'static str,
    /// The lines of its doc comment.
    pub docs: &'static [&'static str],
    /// What can be set here.
    pub shape: Shape<'a>,
}

/// What stands behind a field.
pub enum Shape<'a> {
    /// A value.
    Leaf(&'a mut dyn Leaf),
    /// A table.
    Section(&'a mut dyn Section),
    /// A list of tables.
    List(&'a mut dyn List),
}

/// A list of sections.
pub trait List {
    /// Makes it `len` items long, all of them as if nothing was said about them.
    fn reset(&mut self, len: usize);
    /// Whether there are no items.
    fn is_empty(&self) -> bool;
    /// The items, in order.
    fn items(&mut self) -> Vec<&mut dyn Section>;
}

/// Gives a field's type its [`Shape`].
pub trait AsShape {
    /// The shape of this value.
    fn shape(&mut self) -> Shape<'_>;
}

impl<S: Section> AsShape for S {
    fn shape(&mut self) -> Shape<'_> {
        Shape::Section(self)
    }
}

impl<S: Section + Default> List for Vec<S> {
    fn reset(&mut self, len: usize) {
        self.clear();
        self.resize_with(len, S::default);
    }

    fn is_empty(&self) -> bool {
        <[S]>::is_empty(self)
    }

    fn items(&mut self) -> Vec<&mut dyn Section> {
        self.iter_mut().map(|item| item as &mut dyn Section).collect()
    }
}

/// Collects what [`Section::check`] finds: (key, what was expected).
#[derive(Default)]
pub struct Wrong(pub Vec<(String, String)>);

impl Wrong {
    /// The setting `key` is wrong unless `good`; `expected` says what would be right.
    pub fn unless(&mut self, good: bool, key: &str, expected: impl Into<String>) {
        if !good {
            self.0.push((key.into(), expected.into()));
        }
    }
}

/// Declares a section: each field with its doc comment and its default.
///
/// `#[check(path)]` before the struct names the function that finds what is wrong with it.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $(#[check($check:path)])?
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* pub $field:ident: $type:ty = $default:expr),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $type),*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $crate::platform::settings::section::Section for $name {
            fn fields(&mut self) -> Vec<$crate::platform::settings::section::Field<'_>> {
                vec![$($crate::platform::settings::section::Field {
                    name: stringify!($field),
                    docs: &[$($doc),*],
                    shape: $crate::platform::settings::section::AsShape::shape(&mut self.$field),
                }),*]
            }

            fn about(&self) -> &'static [&'static str] {
                &[$($about),*]
            }

            $(fn check(&self, wrong: &mut $crate::platform::settings::section::Wrong) {
                $check(self, wrong)
            })?
        }
    };
}
pub(super) use section;
