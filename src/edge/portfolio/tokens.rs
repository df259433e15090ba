//! `/v1/tokens?search=` and `/v1/prices?ids=`: the same for everybody.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{Desk, person::Person, problem::Problem};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{id::TokenId, list, token::Token},
};

/// Tokens of one answer.
const FOUND: usize = 50;

/// Prices of one answer, at most.
const PRICES: usize = 500;

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/tokens").route(web::get().to(search)))
        .service(web::resource("/v1/prices").route(web::get().to(prices)));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default)]
    search: String,
}

async fn search(
    desk: web::Data<Desk>,
    _: Person,
    asked: web::Query<Search>,
) -> Result<HttpResponse, Problem> {
    #[derive(Serialize)]
    struct Found {
        items: Vec<Token>,
    }
    let begins: String = asked.search.chars().take(200).filter(|c| !c.is_control()).collect();
    let items = desk.store.search_tokens(&begins, FOUND).await?;
    Ok(HttpResponse::Ok().json(Found { items }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    ids: String,
}

#[derive(Serialize)]
struct Priced {
    token_id: TokenId,
    price: Decimal,
    observed_at: Moment,
    stale: bool,
    age_seconds: u64,
}

async fn prices(
    desk: web::Data<Desk>,
    _: Person,
    asked: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    #[derive(Serialize)]
    struct Known {
        items: Vec<Priced>,
    }
    let ids: Vec<&str> = asked.ids.split(',').collect();
    list("ids", ids.len(), 1, PRICES)?;
    let (known, now) = ((desk.prices)(), Moment::now());
    let mut items = Vec::with_capacity(ids.len());
    for text in ids {
        let token_id = text
            .parse()
            .map_err(|_| Problem::invalid("ids", "ids of tokens with commas between", text))?;
        items.extend(known.prices.get(&token_id).map(|price| Priced {
            token_id,
            price: price.price,
            observed_at: price.observed_at,
            stale: price.is_stale(now),
            age_seconds: Duration::as_secs(&price.age(now)),
        }));
    }
    Ok(HttpResponse::Ok().json(Known { items }))
}
