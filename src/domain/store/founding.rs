//! People who come with all that they own: several in one database transaction, by the rules of the single calls.

use std::sync::Arc;

use super::{
    Store, computing, forecasts, portfolios,
    session::{Fault, Session},
    strategies,
    transact::{Purpose, Whose, first},
    transactions,
};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{
            Refusal,
            forecast::{Applied, NewForecast, forecast},
            portfolios::NewPortfolio,
            strategy::NewStrategy,
            token::PriceBoard,
            transaction::{Entry, MOST, checked},
        },
    },
    ids::UserId,
};

/// A person and all that they come with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPerson {
    pub user: UserId,
    /// Each with its transactions, however many. Those in the order of their times are entered fastest.
    pub portfolios: Vec<(NewPortfolio, Vec<Entry>)>,
    pub strategies: Vec<NewStrategy>,
    pub forecasts: Vec<NewExpectation>,
}

/// A forecast of a person who is not there yet: what it is about has no ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewExpectation {
    pub name: String,
    /// Which of the person's portfolios, from 0.
    pub portfolio: usize,
    /// Which of the person's strategies, from 0, each applied to its token.
    pub applied: Vec<usize>,
}

impl Store {
    /// Writes down people who have nothing yet, all of them or none. What they have afterwards is what the single calls
    /// would have left, each forecast computed at the prices of `board`, except that their generation is 1: it is one
    /// write.
    ///
    /// Refused if one of them has anything. It is one transaction and has 10 s: some tens of people at a time.
    pub async fn found(
        &self,
        people: Vec<NewPerson>,
        board: Arc<PriceBoard>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let founded = self.run(Purpose::Write, Whose::Anybody, move |session| {
            Box::pin(async move {
                for person in people {
                    found(session, person, &board, now).await?;
                }
                Ok(())
            })
        });
        founded.await.map(|stored| stored.value)
    }
}

async fn found(
    session: &mut Session,
    person: NewPerson,
    board: &PriceBoard,
    now: Moment,
) -> Result<(), Fault> {
    let owner = &person.user;
    // Takes the same lock as every write of this person.
    if !first(session, owner).await? {
        let expected = "people who have nothing yet";
        return Err(Refusal::invalid("people", expected, owner.as_str()).into());
    }
    let mut owned = Vec::with_capacity(person.portfolios.len());
    for (new, entries) in person.portfolios {
        let id = portfolios::create(session, owner, new.checked()?, now).await?;
        for entries in entries.chunks(MOST) {
            transactions::add(session, owner, id, checked(entries.to_vec())?).await?;
        }
        owned.push(id);
    }
    let mut planned = Vec::with_capacity(person.strategies.len());
    for new in person.strategies {
        let (token, new) = (new.token_id, new.checked()?);
        planned.push((token, strategies::create(session, owner, new, now).await?));
    }
    for NewExpectation { name, portfolio, applied } in person.forecasts {
        let none = |what| Refusal::NotFound { what };
        let portfolio_id = *owned.get(portfolio).ok_or(none("portfolio"))?;
        let plan = |n: usize| planned.get(n).copied().ok_or(none("strategy"));
        let applied = applied.into_iter().map(plan).collect::<Result<Applied, Refusal>>()?;
        let new = NewForecast { portfolio_id, name, applied, notes: None }.checked()?;
        let id = forecasts::create(session, owner, new, now).await?;
        let basis = computing::basis(session, owner, id).await?;
        let (_, summary) = forecast(&basis.holdings, &basis.plans, &board.prices)
            .map_err(Refusal::no_decimal("the forecast"))?;
        computing::keep(session, owner, id, summary, board.version, now).await?;
    }
    Ok(())
}
