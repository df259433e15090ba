//! What is asked and answered in these tests, held against the document that describes it.

use std::{cell::RefCell, collections::BTreeSet};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use utoipa::OpenApi;

use super::super::openapi::Document;

const HERE: &str = "http://fanfare/openapi.json";

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::new(Known::new());
}

/// The document, as strict as it gets: what it does not name may not be there.
struct Known {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
    /// Calls and statuses that were seen, as in `alerts_fired 200`.
    seen: BTreeSet<String>,
}

/// The document as it is sent.
pub(super) fn document() -> Value {
    serde_json::from_str(&Document::openapi().to_json().unwrap()).unwrap()
}

/// Whether a body is one that the document describes; none if it knows no such call.
pub(super) fn takes(method: &str, path: &str, body: &Value) -> Option<Result<(), String>> {
    KNOWN.with_borrow_mut(|known| {
        let (at, operation) = known.call(method, path)?;
        operation.pointer("/requestBody/content/application~1json")?;
        Some(known.check(&format!("{at}/requestBody/content/application~1json/schema"), body))
    })
}

/// Fails unless an answer is one that the document describes. What no call of it answers is not looked at.
#[track_caller]
pub(super) fn answers(method: &str, path: &str, status: u16, kind: Option<&str>, body: &[u8]) {
    let said = KNOWN.with_borrow_mut(|known| known.answer(method, path, status, kind, body));
    said.unwrap_or_else(|why| panic!("{method} {path} {status} is not in /openapi.json: {why}"));
}

/// Which calls were answered how, on this thread.
pub(super) fn seen() -> BTreeSet<String> {
    KNOWN.with_borrow(|known| known.seen.clone())
}

impl Known {
    fn new() -> Self {
        let mut document = document();
        close(&mut document);
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(HERE, document.clone()).unwrap();
        Self { document, compiler, schemas: Schemas::new(), seen: BTreeSet::new() }
    }

    /// Where a call stands in the document, and what it says of it.
    fn call(&self, method: &str, path: &str) -> Option<(String, Value)> {
        let alike = |known: &str| {
            let (one, other) = (known.split('/'), path.split('/'));
            one.clone().count() == other.clone().count()
                && one.zip(other).all(|(known, came)| known == "{id}" || known == came)
        };
        let known = self.document["paths"].as_object()?.keys().find(|known| alike(known))?;
        let at = format!("/paths/{}/{}", known.replace('/', "~1"), method.to_lowercase());
        self.document.pointer(&at).map(|operation| (at.clone(), operation.clone()))
    }

    fn answer(
        &mut self,
        method: &str,
        path: &str,
        status: u16,
        kind: Option<&str>,
        body: &[u8],
    ) -> Result<(), String> {
        let Some((at, operation)) = self.call(method, path) else { return Ok(()) };
        let (exact, kinds) = (status.to_string(), format!("{}XX", status / 100));
        let is_known = |name: &&String| operation["responses"].get(name.as_str()).is_some();
        let name = [&exact, &kinds].into_iter().find(is_known).ok_or("there is no such status")?;
        self.seen.insert(format!("{} {status}", operation["operationId"].as_str().unwrap()));
        let Some(content) = operation["responses"][name].get("content") else {
            return body.is_empty().then_some(()).ok_or_else(|| "it has no body".into());
        };
        let kind = kind.unwrap_or_default();
        content.get(kind).ok_or_else(|| format!("{kind:?} is not among {content}"))?;
        let body = serde_json::from_slice(body).map_err(|why| why.to_string())?;
        let kind = kind.replace('/', "~1");
        self.check(&format!("{at}/responses/{name}/content/{kind}/schema"), &body)
    }

    fn check(&mut self, at: &str, value: &Value) -> Result<(), String> {
        let at = format!("{HERE}#{}", at.replace('{', "%7B").replace('}', "%7D"));
        let schema: SchemaIndex =
            self.compiler.compile(&at, &mut self.schemas).map_err(|why| format!("{why:#}"))?;
        self.schemas.validate(value, schema).map_err(|why| format!("{why:#} of {value}"))
    }
}

/// Closes each object that names its fields. The document leaves answers open: a later version may say more.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.contains_key("properties") && fields["type"] == "object" {
                fields.entry("additionalProperties").or_insert(false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
