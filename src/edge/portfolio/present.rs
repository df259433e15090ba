//! `/v1/present`: for a proxy that keeps answers. Who asks, and in which state their data is: what it keeps them under.
//!
//! NGINX asks here for each request (`auth_request`) and finds what it kept only under these two: no other person can form
//! that name, and after a write it is another one (nginx/fanfare.conf). What it did not keep it asks a node for, and says
//! what it was told: the database is not asked a second time.

use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};

use super::{
    Desk, answer,
    calls::{get, resource},
    person::Person,
    problem::Problem,
};
use crate::{domain::store::Present, ids::UserId};

/// Who asks: a digest, since ids are not for the logs and folders of proxies.
const WHO: &str = "x-fanfare-person";

/// In which state.
const STATE: &str = "x-fanfare-state";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(resource("/v1/present", "GET, HEAD").route(get().to(present)));
}

async fn present(desk: web::Data<Desk>, person: Person) -> Result<HttpResponse, Problem> {
    let Present { generation, computed } = desk.reading.present(&person.0).await?;
    let prices = (desk.prices)().version;
    Ok(answer::private(actix_web::http::StatusCode::NO_CONTENT)
        .insert_header((WHO, digest(&person.0)))
        .insert_header((STATE, format!("{generation}.{computed}.{prices}")))
        .finish())
}

/// The state that a proxy heard from a node after this very request had come to it. Only from those that are trusted:
/// they let nobody else write it.
pub(super) fn told(desk: &Desk, request: &HttpRequest) -> Option<Present> {
    let state = request.headers().get(STATE)?.to_str().ok()?;
    let is_trusted = desk.proxies.trusts(request.peer_addr()?.ip());
    let mut numbers = state.split('.').map(|number| number.parse().ok());
    let mut number = || numbers.next().flatten();
    let (generation, computed, _prices): (_, _, i64) = (number()?, number()?, number()?);
    let is_all = numbers.next().is_none();
    (is_all && is_trusted).then_some(Present { generation, computed })
}

fn digest(user: &UserId) -> String {
    let digest = Sha256::digest(user.as_str());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
