//! `/v1/portfolios/{id}/transactions`, its import, and `/v1/transactions/{id}`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk,
    again::Kept,
    answer,
    body::{self, Body, id, json, list},
    calls::{Nothing, get, resource},
    openapi::{Again, Had, Refused, Unchanged},
    person::Person,
    problem::Problem,
    turning::{Turn, Turned, one_more, turned},
};
use crate::domain::{
    moment::Moment,
    portfolio::{
        id::{PortfolioId, TransactionId},
        import::{BadRow, Names, entries, read},
        transaction::{Change, Entry, Place, Transaction, checked},
    },
    store::Imported as Entered,
};

const LIST: &str = "transactions";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/portfolios/{id}/transactions/import", "POST").route(web::post().to(import)),
    )
    .service(
        resource("/v1/portfolios/{id}/transactions", "GET, HEAD, POST")
            .route(get().to(all))
            .route(web::post().to(add)),
    )
    .service(
        resource("/v1/transactions/{id}", "PATCH, DELETE")
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// Transactions, the latest first.
#[utoipa::path(
    get,
    path = "/v1/portfolios/{id}/transactions",
    operation_id = "transactions_all",
    tag = "transactions",
    params(("id" = PortfolioId, Path), Turn, Had),
    responses(
        (status = 200, description = "A page of them, the latest first.", body = Turned<Transaction>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn all(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let portfolio = id(&path, "portfolio")?;
    let name = format!("{LIST} {portfolio}");
    let page = turn.page::<(Moment, TransactionId)>(&name)?;
    let place = |(occurred_at, id)| Place { occurred_at, id };
    let asked = crate::domain::store::Page { after: page.after.map(place), limit: page.limit };
    let stored = desk.store.transactions(&person.0, portfolio, one_more(&asked)).await?;
    let (key, generation) =
        (|one: &Transaction| (one.entry.occurred_at, one.id), stored.generation);
    let turned = stored.map(|items| turned(&name, items, page.limit, generation, key));
    answer::read(&desk, &person, &request, turned)
}

/// What is entered: one, or up to 1,000, all or none.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = NewTransactions)]
#[expect(
    dead_code,
    reason = "it is read as what it looks like, so that a refusal says where it is"
)]
enum Sent {
    One(Entry),
    Several(Vec<Entry>),
}

/// What was entered, as it was sent: one, or several in their order.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = AddedTransactions)]
enum Added {
    One(Transaction),
    Several { items: Vec<Transaction> },
}

/// One transaction, or a list of them.
#[utoipa::path(
    post,
    path = "/v1/portfolios/{id}/transactions",
    operation_id = "transactions_add",
    tag = "transactions",
    params(("id" = PortfolioId, Path), Again),
    request_body(content = Sent, description = "One, or up to 1,000 in a list: all or none."),
    responses(
        (status = 201, description = "All of it is entered.", body = Added),
        Refused,
    )
)]
pub(super) async fn add(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let portfolio: PortfolioId = id(&path, "portfolio")?;
    let several = body.bytes.trim_ascii_start().starts_with(b"[");
    let entries: Vec<Entry> =
        if several { list(&body.bytes, LIST)? } else { vec![json(&body.bytes)?] };
    // As they are stored, which is what is answered.
    let entries = checked(entries)?;
    let added =
        desk.store.add_transactions(&person.0, portfolio, entries.clone(), body.key, Moment::now());
    let ids = added.await?.value;
    let with = |(id, entry)| Transaction { id, portfolio_id: portfolio, entry };
    let mut items: Vec<Transaction> = ids.into_iter().zip(entries).map(with).collect();
    let added = match items.pop() {
        Some(one) if !several => Added::One(one),
        last => {
            items.extend(last);
            Added::Several { items }
        }
    };
    Ok(answer::created().json(added))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// Says the same and writes nothing.
    #[serde(default)]
    dry_run: bool,
}

/// What became of a file.
#[derive(Serialize, utoipa::ToSchema)]
struct Imported {
    /// Rows that were entered; with `dry_run`, that would be.
    imported: usize,
    dry_run: bool,
    errors: Vec<BadRow>,
}

/// Enters the rows of a file that can be.
#[utoipa::path(
    post,
    path = "/v1/portfolios/{id}/transactions/import",
    operation_id = "transactions_import",
    tag = "transactions",
    params(("id" = PortfolioId, Path), How, Again),
    request_body(content = String, content_type = "text/csv", description = "Date,Symbol,Type,Quantity,Price,Amount,Notes"),
    responses(
        (status = 200, description = "What was entered, and which rows were not and why.", body = Imported),
        Refused,
    )
)]
pub(super) async fn import(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    how: web::Query<How>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let portfolio: PortfolioId = id(&path, "portfolio")?;
    let (rows, mut errors) = read(&body.bytes)?;
    let mut symbols: Vec<&str> = rows.iter().map(|row| &*row.symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let names = Names::of(&desk.store.tokens_called(&symbols).await?);
    let entries = entries(rows, &names, &mut errors);
    let (store, dry_run) = (&desk.store, how.dry_run);
    let told = move |done: Entered| {
        errors.extend(done.bad);
        errors.sort_by_key(|bad| bad.line);
        Kept::done(&Imported { imported: done.rows, dry_run, errors })
    };
    // Nothing is done by a dry run, so that it may come again as often as it likes.
    if dry_run {
        let done = store.import_transactions(&person.0, portfolio, entries, true).await?.value;
        return Ok(told(done)?.send());
    }
    let (key, now) = (body.key, Moment::now());
    let done = store.import_transactions_and(&person.0, portfolio, entries, key, now, told).await?;
    Ok(done.value.send())
}

/// Changes a transaction.
#[utoipa::path(
    patch,
    path = "/v1/transactions/{id}",
    operation_id = "transactions_change",
    tag = "transactions",
    params(("id" = TransactionId, Path)),
    request_body = Change,
    responses(
        (status = 200, description = "As it is now.", body = Transaction),
        Refused,
    )
)]
pub(super) async fn change(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, to) = (id(&path, "transaction")?, body::change::<Change>(&body.bytes, &["notes"])?);
    Ok(answer::ok().json(desk.store.change_transaction(&person.0, id, to).await?.value))
}

/// Deletes a transaction.
#[utoipa::path(
    delete,
    path = "/v1/transactions/{id}",
    operation_id = "transactions_delete",
    tag = "transactions",
    params(("id" = TransactionId, Path)),
    responses(
        (status = 204, description = "It is gone."),
        Refused,
    )
)]
pub(super) async fn delete(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    desk.store.delete_transaction(&person.0, id(&path, "transaction")?).await?;
    Ok(answer::gone())
}
