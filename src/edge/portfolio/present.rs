//! `/v1/present`: for a proxy that keeps answers. Who asks, and in which state their data is: what it keeps them under.
//!
//! NGINX asks here for each request (`auth_request`) and finds what it kept only under these two: no other person can form
//! that name, and after a write it is another one (nginx/fanfare.conf).

use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

use super::{Desk, answer, person::Person, problem::Problem};
use crate::{domain::store::Present, ids::UserId};

/// Who asks: a digest, since ids are not for the logs and folders of proxies.
const WHO: &str = "X-Fanfare-Person";

/// In which state.
const STATE: &str = "X-Fanfare-State";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/present").route(web::get().to(present)));
}

async fn present(desk: web::Data<Desk>, person: Person) -> Result<HttpResponse, Problem> {
    let Present { generation, computed } = desk.reading.present(&person.0).await?;
    let prices = (desk.prices)().version;
    Ok(answer::private(actix_web::http::StatusCode::NO_CONTENT)
        .insert_header((WHO, digest(&person.0)))
        .insert_header((STATE, format!("{generation}.{computed}.{prices}")))
        .finish())
}

fn digest(user: &UserId) -> String {
    let digest = Sha256::digest(user.as_str());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
