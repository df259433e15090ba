//! How answers go out: what browsers and proxies may keep, and what was written once and is sent again.
//!
//! A person's answers are `private, no-cache`: whoever keeps one asks each time whether it still holds, with its tag. The tag
//! names generation, computed state and price version, and the bytes themselves.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Desk, encoding::Encoding, person::Person, present, problem::Problem};
use crate::{
    domain::{
        moment::Moment,
        portfolio::{Refusal, token::PriceBoard},
        reading::{View, Which},
        store::{Present, Stored},
    },
    ids::UserId,
    platform::cache::{Millis, Page},
};

/// What a browser may do with a person's answer: keep it, and ask each time.
pub(super) const PRIVATE: &str = "private, no-cache";

/// What NGINX goes by where it is told to overlook `Cache-Control`. Others don't know it, and it tells nobody.
const PROXY_KEEPS: &str = "x-accel-expires";

/// Seconds that a proxy keeps an answer: nothing is asked for twice after its state has changed.
const PROXY_LONGEST: u64 = 30;

/// Bytes that an answer has room for from the start: those of a dashboard with 20 tokens. One that grows into them is
/// copied eight times.
const USUAL: usize = 24 * 1024;

/// What an answer shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shows {
    generation: i64,
    computed: i64,
    price_version: i64,
}

/// What a page is made of.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub parts: &'static [Which],
    /// Whether prices are applied.
    pub priced: bool,
    /// Whether each part stands without the others.
    pub apart: bool,
}

/// All that a page is written from.
pub(super) struct Sheet<'a> {
    pub view: &'a View,
    pub board: &'a PriceBoard,
    pub now: Moment,
    pub outage: Option<Outage>,
}

/// Said of an answer that may not be right any more, since the database does not say what is.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
pub(super) struct Outage {
    /// True.
    stale: bool,
    /// Since it was read.
    pub age_seconds: u64,
}

/// A person's answer.
pub(super) fn private(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, PRIVATE));
    answer
}

pub(super) fn ok() -> HttpResponseBuilder {
    private(StatusCode::OK)
}

pub(super) fn created() -> HttpResponseBuilder {
    private(StatusCode::CREATED)
}

pub(super) fn gone() -> HttpResponse {
    private(StatusCode::NO_CONTENT).finish()
}

/// How long an answer that is the same for everybody may be kept, in seconds.
pub(super) struct Public {
    pub fresh: u32,
    /// After that, while a new one is asked for.
    pub meanwhile: u32,
    /// After that, while nobody answers.
    pub instead: u32,
}

/// An answer that is the same for everybody.
pub(super) fn public(Public { fresh, meanwhile, instead }: Public) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    let kept = format!(
        "public, max-age={fresh}, stale-while-revalidate={meanwhile}, stale-if-error={instead}"
    );
    answer.insert_header((header::CACHE_CONTROL, kept));
    answer
}

/// JSON; what can't be written is our fault.
pub(super) fn json<T: Serialize>(answer: &T) -> Result<Vec<u8>, Problem> {
    let failed = |why: serde_json::Error| {
        log::error!("an answer could not be written: {why}");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the answer could not be written",
        )
    };
    let mut bytes = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut bytes, answer).map_err(failed)?;
    // It may be kept.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// A page of the present state: as it was written before, or as `write` does it now. None if `write` has none.
pub(super) async fn page(
    desk: &Desk,
    person: &Person,
    request: &HttpRequest,
    of: Subject,
    write: impl Fn(&Sheet<'_>) -> Result<Option<Vec<u8>>, Problem>,
) -> Result<Option<HttpResponse>, Problem> {
    let (user, address) = (&person.0, address(request));
    let present = match present::told(desk, request) {
        Some(present) => Ok(present),
        None => desk.reading.present(user).await,
    };
    let (board, now) = ((desk.prices)(), Moment::now());
    let view = match &present {
        Err(why) => Err(why.clone()),
        &Ok(present) => {
            let state = of.shows(present, &board);
            let written = || desk.pages.get(user, address, &state, millis(now));
            if let Some(page) = written() {
                desk.metrics.cache_hits_total.of("page").inc();
                return Ok(Some(kept(send(desk, person, request, &page), &page)));
            }
            desk.metrics.cache_misses_total.of("page").inc();
            let view = match of.apart {
                true => desk.reading.view_apart(user, of.parts, present).await,
                false => desk.reading.view(user, of.parts, present).await,
            };
            // Of many who waited for the same one was the first.
            if let Some(page) = written() {
                return Ok(Some(kept(send(desk, person, request, &page), &page)));
            }
            view
        }
    };
    let (view, outage) = match view {
        Ok(view) => (view, None),
        Err(why @ Refusal::Unavailable(_)) => {
            let known = present.map_or(0, |present| present.generation);
            let last = desk.reading.last(user, of.parts);
            // What lacks something that they are known to have written is no answer.
            let Some(last) = last.filter(|last| last.generation >= known) else {
                return Err(why.into());
            };
            desk.metrics.cache_outage_total.inc();
            let age_seconds = last.age(millis(now)).as_secs();
            (last, Some(Outage { stale: true, age_seconds }))
        }
        Err(why) => return Err(why.into()),
    };
    let sheet = Sheet { view: &view, board: &board, now, outage };
    let Some(bytes) = write(&sheet)? else { return Ok(None) };
    let page = of.finished(&sheet, bytes);
    let answer = send(desk, person, request, &page);
    let is_whole = outage.is_none() && view.lacks(of.parts).is_none();
    if !is_whole || page.until <= millis(now) {
        return Ok(Some(answer));
    }
    desk.keep(user, address, page.clone());
    Ok(Some(kept(answer, &page)))
}

/// What was read from the database for this request, with a tag for those who have it already.
pub(super) fn read<T: Serialize>(
    desk: &Desk,
    person: &Person,
    request: &HttpRequest,
    Stored { generation, value }: Stored<T>,
) -> Result<HttpResponse, Problem> {
    let (state, bytes) = (Shows { generation, computed: 0, price_version: 0 }, json(&value)?);
    let page = Page { state, until: Millis::MAX, tag: state.tag(&bytes), bytes: bytes.into() };
    Ok(send(desk, person, request, &page))
}

impl Subject {
    fn shows(&self, Present { generation, computed }: Present, board: &PriceBoard) -> Shows {
        let forecasts = self.parts.contains(&Which::Forecasts);
        Shows {
            generation,
            computed: if forecasts { computed } else { 0 },
            price_version: if self.priced { board.version } else { 0 },
        }
    }

    fn finished(&self, sheet: &Sheet<'_>, bytes: Vec<u8>) -> Page<Shows> {
        let Sheet { view, board, now, .. } = sheet;
        let present = Present { generation: view.generation, computed: view.computed };
        let state = self.shows(present, board);
        let tokens = view.holdings().iter().map(|holding| holding.token.id);
        let prices = if self.priced { board.next_stale(tokens, *now) } else { None };
        let until = prices.map_or(Millis::MAX, millis).min(view.fresh_until());
        Page { state, until, tag: state.tag(&bytes), bytes: bytes.into() }
    }
}

impl Shows {
    /// Weak: a proxy may compress what it names.
    fn tag(&self, bytes: &[u8]) -> Bytes {
        let digest = Sha256::digest(bytes);
        let digest = digest.iter().take(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
        let Self { generation, computed, price_version } = self;
        format!("W/\"{generation}.{computed}-{price_version}-{digest:016x}\"").into()
    }
}

/// The same with how long a proxy may keep it that keeps it under its person and state.
fn kept(mut answer: HttpResponse, page: &Page<Shows>) -> HttpResponse {
    let left = page.until.saturating_sub(millis(Moment::now())) / 1_000;
    if left > 0 {
        let name = header::HeaderName::from_static(PROXY_KEEPS);
        answer.headers_mut().insert(name, left.min(PROXY_LONGEST).into());
    }
    answer
}

/// The page, or that it is the one that the asker has; in fewer bytes if they take these.
fn send(
    desk: &Desk,
    Person(user): &Person,
    request: &HttpRequest,
    page: &Page<Shows>,
) -> HttpResponse {
    let mut had = request.headers().get_all(header::IF_NONE_MATCH);
    let is_had = had.any(|tags| names(tags.as_bytes(), &page.tag));
    let mut answer = private(if is_had { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    answer.insert_header((header::ETAG, page.tag.as_ref()));
    answer.insert_header((header::VARY, "Accept-Encoding"));
    if is_had {
        return answer.finish();
    }
    answer.content_type("application/json");
    let fewer = Encoding::wanted(request.headers()).and_then(|encoding| {
        Some((encoding, fewer(desk, user, address(request), page, encoding)?))
    });
    let Some((encoding, bytes)) = fewer else { return answer.body(page.bytes.clone()) };
    answer.insert_header((header::CONTENT_ENCODING, encoding.name())).body(bytes)
}

/// The page's bytes in this encoding, as they were written before or now; none if these are not fewer.
fn fewer(
    desk: &Desk,
    user: &UserId,
    address: &str,
    page: &Page<Shows>,
    encoding: Encoding,
) -> Option<Bytes> {
    // No address of a request has a blank.
    let beside = format!("{address} {}", encoding.name());
    let it_is = |kept: &Page<Shows>| kept.tag == page.tag;
    if let Some(kept) = desk.pages.get(user, &beside, &page.state, 0).filter(it_is) {
        return Some(kept.bytes);
    }
    let bytes = Bytes::from(encoding.write(&page.bytes)?);
    desk.keep(user, &beside, Page { bytes: bytes.clone(), ..page.clone() });
    Some(bytes)
}

fn address(request: &HttpRequest) -> &str {
    request.uri().path_and_query().map_or("", |address| address.as_str())
}

impl Desk {
    fn keep(&self, user: &UserId, address: &str, page: Page<Shows>) {
        let kept = self.pages.put(user, address, page);
        self.metrics.cache_page_bytes.set(i64::try_from(kept).unwrap_or(i64::MAX));
    }
}

/// Whether a list of tags has this one, weak or strong, or is `*` (RFC 9110, 13.1.2).
fn names(tags: &[u8], tag: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let is_it = |one: &[u8]| one == b"*" || opaque(one) == opaque(tag);
    tags.split(|byte| *byte == b',').any(|one| is_it(one.trim_ascii()))
}

fn millis(moment: Moment) -> Millis {
    Millis::try_from(moment.micros() / 1_000).unwrap_or(0)
}
