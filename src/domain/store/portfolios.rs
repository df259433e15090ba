//! Portfolios: their names, and which one is the default.

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Answer, Key, Page, Store,
    bounds::PORTFOLIOS,
    columns::{At, Shown},
    holdings, page,
    query::{Query, Value},
    session::{Fault, Reads, Session},
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            holding::Holding,
            id::PortfolioId,
            portfolios::{NewPortfolio, Portfolio},
        },
    },
    ids::UserId,
};

const NOT_FOUND: Refusal = Refusal::NotFound { what: "portfolio" };

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: Shown<PortfolioId>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    description: Option<String>,
    #[diesel(sql_type = Bool)]
    is_default: bool,
    #[diesel(sql_type = BigInt)]
    created_at: At,
    #[diesel(sql_type = BigInt)]
    updated_at: At,
}

impl From<Row> for Portfolio {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            description: row.description,
            is_default: row.is_default,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

pub(super) const LIST: &str = "\
select id, name, description, is_default, created_at, updated_at from portfolios \
where owner = $1 and id > $2 order by id limit $3";

pub(super) const ONE: &str = "\
select id, name, description, is_default, created_at, updated_at from portfolios where id = $1 and owner = $2";

impl Store {
    /// Creates a portfolio. The first one is the default, whatever it says.
    pub async fn create_portfolio(
        &self,
        user: &UserId,
        new: NewPortfolio,
        key: Option<Key>,
        now: Moment,
    ) -> Answer<PortfolioId> {
        self.create_portfolio_and(user, new, key, now, |made, _| Ok(made.id)).await
    }

    /// The same with an answer made of what there is then. If it can't be made, nothing was changed; who comes again with
    /// their key has this one.
    pub async fn create_portfolio_and<A: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        user: &UserId,
        new: NewPortfolio,
        key: Option<Key>,
        now: Moment,
        answer: impl FnOnce(Portfolio, Vec<Holding>) -> Result<A, Refusal> + Send + 'static,
    ) -> Answer<A> {
        let (owner, new) = (user.clone(), new.checked()?);
        self.write_once(user, key, now, move |session| {
            Box::pin(async move {
                let id = create(session, &owner, new, now).await?;
                Ok(answer(one(session, &owner, id).await?, Vec::new())?)
            })
        })
        .await
    }

    /// A person's portfolios, the oldest first.
    pub async fn portfolios(
        &self,
        user: &UserId,
        page: Page<PortfolioId>,
    ) -> Answer<Vec<Portfolio>> {
        let owner = user.clone();
        self.read(user, move |session| {
            Box::pin(async move { list(&session.reads(), &owner, page).await })
        })
        .await
    }

    /// One portfolio.
    pub async fn portfolio(&self, user: &UserId, id: PortfolioId) -> Answer<Portfolio> {
        let owner = user.clone();
        self.read(user, move |session| Box::pin(async move { one(session, &owner, id).await }))
            .await
    }

    /// Puts another description in the place of the one before.
    pub async fn change_portfolio(
        &self,
        user: &UserId,
        id: PortfolioId,
        to: NewPortfolio,
        now: Moment,
    ) -> Answer<Portfolio> {
        self.change_portfolio_and(user, id, to, now, |changed, _| Ok(changed)).await
    }

    /// The same with an answer made of what there is then. If it can't be made, nothing was changed.
    pub async fn change_portfolio_and<A: Send + 'static>(
        &self,
        user: &UserId,
        id: PortfolioId,
        to: NewPortfolio,
        now: Moment,
        answer: impl FnOnce(Portfolio, Vec<Holding>) -> Result<A, Refusal> + Send + 'static,
    ) -> Answer<A> {
        let (owner, to) = (user.clone(), to.checked()?);
        self.write(user, move |session| {
            Box::pin(async move {
                let changed = change(session, &owner, id, to, now).await?;
                let held = holdings::of_portfolio(session, &owner, id).await?;
                Ok(answer(changed, held)?)
            })
        })
        .await
    }

    /// Deletes a portfolio and all that hangs on it. If it was the default, the oldest left is.
    pub async fn delete_portfolio(&self, user: &UserId, id: PortfolioId) -> Answer<()> {
        let owner = user.clone();
        self.write(user, move |session| Box::pin(async move { delete(session, &owner, id).await }))
            .await
    }
}

pub(super) async fn list(
    reads: &Reads<'_>,
    owner: &UserId,
    Page { after, limit }: Page<PortfolioId>,
) -> Result<Vec<Portfolio>, Fault> {
    let list = Query::new(LIST).bind(owner).bind(page::start(after)).bind(limit);
    let rows: Vec<Row> = reads.rows(list).await?;
    Ok(rows.into_iter().map(Portfolio::from).collect())
}

/// One portfolio of that owner, or that there is none.
pub(super) async fn one(
    session: &mut Session,
    owner: &UserId,
    id: PortfolioId,
) -> Result<Portfolio, Fault> {
    let row: Option<Row> = session.row(Query::new(ONE).bind(id).bind(owner)).await?;
    row.map(Portfolio::from).ok_or(NOT_FOUND.into())
}

pub(super) async fn create(
    session: &mut Session,
    owner: &UserId,
    new: NewPortfolio,
    now: Moment,
) -> Result<PortfolioId, Fault> {
    let others = list(&session.reads(), owner, Page::first(PORTFOLIOS)).await?;
    if others.len() == PORTFOLIOS {
        let expected = format!("at most {PORTFOLIOS} portfolios; delete one first");
        return Err(Refusal::invalid("portfolios", expected, "one more").into());
    }
    free_name(&others, None, &new.name)?;
    let is_default = new.is_default || others.is_empty();
    if is_default {
        no_default(session, owner).await?;
    }
    let id = PortfolioId::new();
    let row: [Value; 7] = [
        id.into(),
        owner.into(),
        new.name.into(),
        new.description.into(),
        is_default.into(),
        now.into(),
        now.into(),
    ];
    let insert = "insert into portfolios (id, owner, name, description, is_default, created_at, updated_at) values ";
    session.change(Query::new(insert).rows([row])).await?;
    Ok(id)
}

async fn change(
    session: &mut Session,
    owner: &UserId,
    id: PortfolioId,
    to: NewPortfolio,
    now: Moment,
) -> Result<Portfolio, Fault> {
    let all = list(&session.reads(), owner, Page::first(PORTFOLIOS)).await?;
    let before = all.iter().find(|one| one.id == id).ok_or(NOT_FOUND)?;
    free_name(&all, Some(id), &to.name)?;
    if to.is_default && !before.is_default {
        no_default(session, owner).await?;
    }
    let NewPortfolio { name, description, is_default } = to;
    let is_default = is_default || before.is_default;
    let update = Query::new("update portfolios set name = $1, description = $2, is_default = $3, updated_at = $4 where id = $5")
        .bind(&*name)
        .bind(description.clone())
        .bind(is_default)
        .bind(now)
        .bind(id);
    session.change(update).await?;
    Ok(Portfolio { name, description, is_default, updated_at: now, ..before.clone() })
}

async fn delete(session: &mut Session, owner: &UserId, id: PortfolioId) -> Result<(), Fault> {
    let before = one(session, owner, id).await?;
    session.change(Query::new("delete from portfolios where id = $1").bind(id)).await?;
    if before.is_default {
        let oldest = "update portfolios set is_default = $1 where id = \
            (select id from portfolios where owner = $2 order by id limit 1)";
        session.change(Query::new(oldest).bind(true).bind(owner)).await?;
    }
    Ok(())
}

/// A person has one writer: what is free now is free until the commit.
fn free_name(all: &[Portfolio], own: Option<PortfolioId>, name: &str) -> Result<(), Refusal> {
    match all.iter().any(|other| other.name == name && Some(other.id) != own) {
        true => Err(Refusal::NameTaken { name: name.to_owned() }),
        false => Ok(()),
    }
}

async fn no_default(session: &mut Session, owner: &UserId) -> Result<(), Fault> {
    let none = "update portfolios set is_default = $1 where owner = $2 and is_default";
    session.change(Query::new(none).bind(false).bind(owner)).await?;
    Ok(())
}
