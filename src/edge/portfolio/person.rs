//! Who is asking: the user of the bearer token.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{StatusCode, header::AUTHORIZATION},
    web::Data,
};

use super::{Desk, problem::Problem};
use crate::{
    ids::UserId,
    platform::tokens::{Holder, TokenError, Verified},
    realtime::session::host::Node,
};

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stranger {
    /// A new token helps.
    Expired,
    /// It is none of ours, or names nobody.
    Invalid,
    /// The user is blocked, or the token was revoked.
    Barred,
}

/// Knows whose token it is.
pub trait Doorkeeper: Send + Sync {
    /// The user that a token in force names, who is never anonymous.
    fn user(&self, token: &str) -> Result<UserId, Stranger>;
}

/// Lets in whoever may open a socket.
pub struct Door {
    node: Arc<Node>,
    verified: Verified,
}

impl Door {
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, verified: Verified::default() }
    }
}

impl Doorkeeper for Door {
    fn user(&self, token: &str) -> Result<UserId, Stranger> {
        let (node, now) = (&self.node, self.node.now());
        let holder = self.verified.holder(&node.connections, token, now);
        let Holder { user, papers } = holder.map_err(|why| match why {
            TokenError::Expired => Stranger::Expired,
            TokenError::Invalid(_) => Stranger::Invalid,
        })?;
        if user.is_anonymous() {
            return Err(Stranger::Invalid);
        }
        // Asked each time: who was barred a moment ago is.
        match node.barred.barrier(user.as_str(), &papers, now) {
            None => Ok(user),
            Some(_) => Err(Stranger::Barred),
        }
    }
}

/// The user who asks.
pub(super) struct Person(pub UserId);

impl FromRequest for Person {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(person(request).inspect(|person| Visit::begin(request, person)))
    }
}

/// Somebody was let in: it is told when their request is over, after all that it changed.
struct Visit {
    desk: Data<Desk>,
    user: UserId,
    changes: bool,
}

impl Visit {
    /// It ends with the request.
    fn begin(request: &HttpRequest, Person(user): &Person) {
        if let Some(desk) = request.app_data::<Data<Desk>>() {
            let (desk, user) = (desk.clone(), user.clone());
            let visit = Self { desk, user, changes: !request.method().is_safe() };
            request.extensions_mut().insert(visit);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        (self.desk.answered)(&self.user, self.changes);
    }
}

fn person(request: &HttpRequest) -> Result<Person, Problem> {
    let unauthorized = |code, detail: &str| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return Err(unauthorized("unauthorized", "expected Authorization: Bearer TOKEN"));
    };
    let Some(desk) = request.app_data::<Data<Desk>>() else {
        return Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "nobody is at the desk",
        ));
    };
    desk.doorkeeper.user(token.trim()).map(Person).map_err(|stranger| match stranger {
        Stranger::Expired => {
            unauthorized("token_expired", "the token is not in force any more; get a new one")
        }
        Stranger::Invalid => {
            unauthorized("unauthorized", "expected a token of this service that names a user")
        }
        Stranger::Barred => {
            Problem::new(StatusCode::FORBIDDEN, "forbidden", "this user or token was barred")
        }
    })
}
