//! What serde writes as one object is one object in the document, too.
//!
//! utoipa says of flattened fields that all of their schemas hold (`allOf`). Then one that is closed refuses the fields of the
//! others, and one that may be missing has to be there or to be `null`: no answer is like that.

use std::collections::BTreeMap;

use utoipa::{
    Modify,
    openapi::{Object, Ref, RefOr, Schema, schema::AllOf},
};

type Named = BTreeMap<String, RefOr<Schema>>;

pub(super) struct Flat;

impl Modify for Flat {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let Some(components) = document.components.as_mut() else { return };
        let named = components.schemas.clone();
        components.schemas.values_mut().for_each(|schema| flatten(schema, &named));
    }
}

/// Makes one object of each `allOf` in a schema.
fn flatten(schema: &mut RefOr<Schema>, named: &Named) {
    let RefOr::T(schema) = schema else { return };
    if let Schema::AllOf(all) = schema {
        *schema = Schema::Object(joined(all, named));
    }
    match schema {
        Schema::OneOf(one) => one.items.iter_mut().for_each(|one| flatten(one, named)),
        Schema::Object(object) => {
            object.properties.values_mut().for_each(|field| flatten(field, named));
        }
        Schema::Array(utoipa::openapi::Array {
            items: utoipa::openapi::schema::ArrayItems::RefOrSchema(items),
            ..
        }) => flatten(items, named),
        _ => {}
    }
}

/// All fields in one object. It is open, as all that is answered is: a later version may say more.
fn joined(all: &AllOf, named: &Named) -> Object {
    let mut object = Object::new();
    all.items.iter().for_each(|part| join(&mut object, part, named));
    object.description.clone_from(&all.description);
    object
}

fn join(into: &mut Object, part: &RefOr<Schema>, named: &Named) {
    match part {
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next().unwrap_or_default();
            if let Some(part) = named.get(name) {
                join(into, part, named);
            }
        }
        RefOr::T(Schema::Object(part)) => {
            into.properties.extend(part.properties.clone());
            into.required.extend(part.required.iter().cloned());
        }
        RefOr::T(Schema::AllOf(parts)) => {
            parts.items.iter().for_each(|part| join(into, part, named));
        }
        // An optional part, or null: its fields are there or not.
        RefOr::T(Schema::OneOf(either)) => {
            let mut optional = Object::new();
            either.items.iter().for_each(|part| join(&mut optional, part, named));
            into.properties.extend(optional.properties);
        }
        RefOr::T(_) => {}
    }
}
