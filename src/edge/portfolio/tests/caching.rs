//! What is sent again without being made again, and when it is not.

use actix_web::{body::MessageBody, http::header};

use super::*;
use crate::domain::portfolio::token::FRESH;

/// What came back, without its body's meaning.
struct Came {
    status: u16,
    tag: Option<String>,
    kept: String,
    body: String,
}

impl Scene {
    async fn fetch(&self, path: &str, tag: Option<&str>) -> Came {
        let desk = self.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let mut request = Self::request(Method::GET, path);
        if let Some(tag) = tag {
            request = request.insert_header((header::IF_NONE_MATCH, tag));
        }
        let answer = test::call_service(&app, request.to_request()).await;
        let text =
            |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, tag) = (answer.status().as_u16(), text(header::ETAG));
        let kept = text(header::CACHE_CONTROL).unwrap_or_default();
        let body = answer.into_body().try_into_bytes().unwrap();
        Came { status, tag, kept, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn written(&self) -> u64 {
        self.desk.metrics.cache_misses_total.of("page").get()
    }

    fn priced(&self, price: &str, version: i64, age: Duration) {
        let now = Moment::now().micros() - i64::try_from(age.as_micros()).unwrap();
        let price = Price { price: price.parse().unwrap(), observed_at: Moment::from_micros(now) };
        let board = PriceBoard { prices: [(self.btc, price)].into(), version };
        *self.board.lock().unwrap() = Arc::new(board);
    }
}

/// Everything that is answered out of the cache.
async fn pages(it: &Scene) -> Vec<String> {
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    let lists = ["dashboard", "portfolios", "holdings", "strategies", "forecasts"];
    let mut pages: Vec<String> = lists.map(|list| format!("/v1/{list}")).into();
    pages.extend([format!("{path}/holdings"), path, "/v1/portfolios?limit=1".into()]);
    pages
}

#[actix_web::test]
async fn who_has_the_answer_is_told_so_until_it_is_another_one() {
    let it = Scene::new().await;
    for page in pages(&it).await {
        let first = it.fetch(&page, None).await;
        let tag = first.tag.unwrap();
        assert_eq!((first.status, first.kept.as_str()), (200, "private, no-cache"), "{page}");
        let written = it.written();
        for had in [tag.clone(), tag.replace("W/", ""), format!("\"x\", {tag}"), "*".into()] {
            let again = it.fetch(&page, Some(&had)).await;
            assert_eq!(
                (again.status, again.body.as_str(), again.tag.as_ref()),
                (304, "", Some(&tag)),
                "{page}"
            );
            assert_eq!(again.kept, "private, no-cache");
        }
        let other = it.fetch(&page, Some("W/\"1.0-1-0\"")).await;
        assert_eq!((other.status, &other.body), (200, &first.body), "{page}");
        assert_eq!(it.written(), written, "{page} was written once");
        it.portfolio(&page.replace('/', " ")).await;
        let changed = it.fetch(&page, Some(&tag)).await;
        assert_eq!(changed.status, 200, "{page}");
        assert_ne!(changed.tag, Some(tag), "{page}");
    }
}

#[actix_web::test]
async fn a_new_price_is_on_the_next_answer_and_an_old_one_is_called_stale_in_time() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    let value = async || it.get("/v1/dashboard").await["portfolios"]["items"][0]["value"].clone();
    assert_eq!(value().await, "12000");
    it.priced("4000", 2, Duration::ZERO);
    assert_eq!(value().await, "16000");
    assert_eq!(it.get("/v1/holdings").await["price_version"], 2);
    // So that it gets old while its page is kept.
    it.priced("5000", 3, FRESH - Duration::from_millis(300));
    let stale = async || it.get("/v1/dashboard").await["holdings"]["items"][0]["stale"].clone();
    assert_eq!(stale().await, false);
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while stale().await == false {
        assert!(std::time::Instant::now() < end, "its price is older than 30 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_web::test]
async fn another_persons_answer_is_never_sent() {
    let it = Scene::new().await;
    for page in pages(&it).await {
        let mine = it.fetch(&page, None).await;
        for (user, status) in
            [("bo", if page.contains("/v1/portfolios/") { 404 } else { 200 }), ("forged", 401)]
        {
            let request = test::TestRequest::with_uri(&page)
                .insert_header(("authorization", format!("Bearer {user}")))
                .insert_header((header::IF_NONE_MATCH, mine.tag.clone().unwrap()));
            let (came, theirs) = it.send(request).await;
            assert_eq!(came.as_u16(), status, "{page}: {theirs}");
            assert!(!theirs.to_string().contains("mine"), "{page}: {theirs}");
        }
    }
}

#[actix_web::test]
async fn a_proxy_that_is_trusted_says_in_which_state_and_nobody_else_does() {
    let [proxy, stranger] = ["10.0.0.1:1", "10.0.0.2:1"];
    for (peer, state, name) in [
        (proxy, "G.C.1", "first"),
        (stranger, "G.C.1", "second"),
        (proxy, "G.C", "second"),
        (proxy, "G.C.", "second"),
        (proxy, "G.C.x", "second"),
        (proxy, "G.C.1.1", "second"),
        (proxy, "", "second"),
    ] {
        let it = Scene::new().await;
        let path = it.portfolio("first").await;
        let page = "/v1/portfolios";
        it.get(page).await;
        let told = it.desk.reading.present(&UserId::new("ana")).await.unwrap();
        let told = state
            .replace('G', &told.generation.to_string())
            .replace('C', &told.computed.to_string());
        assert_eq!(it.ask(Method::PUT, &path, json!({ "name": "second" })).await.0, 200);
        let request = Scene::request(Method::GET, page)
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-fanfare-state", told));
        let (_, shown) = it.send(request).await;
        assert_eq!(shown["items"][0]["name"], name, "{state} of {peer}");
    }
}

#[actix_web::test]
async fn what_is_written_is_not_kept_by_anybody_and_what_is_public_is() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    for page in [format!("{path}/transactions"), "/v1/alerts".into(), "/v1/portfolios/1".into()] {
        assert_eq!(it.fetch(&page, None).await.kept, "private, no-cache", "{page}");
    }
    for page in ["/v1/tokens?search=b".to_owned(), format!("/v1/prices?ids={}", it.btc)] {
        let came = it.fetch(&page, None).await;
        assert!(came.kept.starts_with("public, max-age="), "{page}: {}", came.kept);
    }
}

#[actix_web::test]
async fn while_the_database_is_away_the_last_answer_is_sent_and_says_so() {
    let it = Scene::new().await;
    let pages = pages(&it).await;
    for page in &pages {
        assert_eq!(it.fetch(page, None).await.status, 200);
    }
    let unknown = it.portfolio("unknown").await;
    for page in &pages {
        assert_eq!(it.fetch(page, None).await.status, 200);
    }
    let mut connection = it.database.connect().unwrap();
    let sql = "alter table people rename to gone";
    diesel::connection::SimpleConnection::batch_execute(&mut connection, sql).unwrap();
    for page in &pages {
        let (status, kept) = it.send(Scene::request(Method::GET, page)).await;
        assert_eq!(
            (status.as_u16(), &kept["age_seconds"]),
            (200, &Value::Null),
            "nobody wrote: {kept}"
        );
    }
    // Who knows what became of this.
    let (status, _) = it.ask(Method::POST, "/v1/portfolios", json!({ "name": "more" })).await;
    assert_eq!(status, 503);
    for page in &pages {
        let (status, last) = it.send(Scene::request(Method::GET, page)).await;
        assert_eq!((status.as_u16(), &last["stale"]), (200, &json!(true)), "{page}: {last}");
        assert!(last["age_seconds"].is_u64(), "{page}: {last}");
    }
    let (status, problem) = it.ask(Method::GET, "/v1/alerts", Value::Null).await;
    assert_eq!((status, &problem["code"]), (503, &json!("temporarily_unavailable")), "{unknown}");
    let stranger =
        test::TestRequest::with_uri("/v1/dashboard").insert_header(("authorization", "Bearer bo"));
    assert_eq!(it.send(stranger).await.0, 503, "nothing is known of them");
}

#[actix_web::test]
async fn an_answer_without_what_its_reader_wrote_is_sent_to_nobody() {
    let it = Scene::new().await;
    let pages = pages(&it).await;
    for page in &pages {
        assert_eq!(it.fetch(page, None).await.status, 200);
    }
    it.portfolio("later").await;
    let mut connection = it.database.connect().unwrap();
    let sql = "alter table portfolios rename to gone";
    diesel::connection::SimpleConnection::batch_execute(&mut connection, sql).unwrap();
    let (status, problem) = it.ask(Method::GET, "/v1/dashboard", Value::Null).await;
    assert_eq!((status, &problem["code"]), (503, &json!("temporarily_unavailable")), "{problem}");
}

#[actix_web::test]
async fn an_answer_comes_in_fewer_bytes_to_who_takes_them_and_is_compressed_once() {
    let it = Scene::new().await;
    for n in 0..20 {
        it.portfolio(&format!("portfolio {n}")).await;
    }
    let plain = it.fetch("/v1/portfolios", None).await;
    let fetch = async |accept: &'static str| {
        let desk = it.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let request = Scene::request(Method::GET, "/v1/portfolios")
            .insert_header((header::ACCEPT_ENCODING, accept));
        let answer = test::call_service(&app, request.to_request()).await;
        let text = |name| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let (encoding, tag) = (text(header::CONTENT_ENCODING), text(header::ETAG));
        assert_eq!((tag, text(header::VARY)), (plain.tag.clone(), Some("Accept-Encoding".into())));
        (encoding, answer.into_body().try_into_bytes().unwrap())
    };
    let (encoding, bytes) = fetch("gzip, br").await;
    assert_eq!(encoding.as_deref(), Some("br"));
    let mut text = Vec::new();
    brotli::BrotliDecompress(&mut &*bytes, &mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), plain.body);
    assert_eq!(fetch("gzip").await.0.as_deref(), Some("gzip"));
    assert_eq!(fetch("identity").await, (None, plain.body.clone().into()));
    assert_eq!(fetch("br").await.1.as_ptr(), bytes.as_ptr(), "it is the one that was kept");
    it.portfolio("one more").await;
    assert_ne!(it.fetch("/v1/portfolios", None).await.tag, plain.tag);
}

#[actix_web::test]
async fn a_proxy_is_told_who_asks_and_in_which_state_their_data_is() {
    let it = Scene::new().await;
    let told = async |user: &'static str| {
        let desk = it.desk.clone();
        let app = App::new().configure(move |app: &mut web::ServiceConfig| routes(app, desk));
        let app = test::init_service(app).await;
        let request = test::TestRequest::with_uri("/v1/present")
            .insert_header(("authorization", format!("Bearer {user}")));
        let answer = test::call_service(&app, request.to_request()).await;
        let text = |name| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        (answer.status().as_u16(), text("x-fanfare-person"), text("x-fanfare-state"))
    };
    for stranger in ["old", "forged", "blocked"] {
        let (status, who, state) = told(stranger).await;
        assert!([401, 403].contains(&status) && who.is_none() && state.is_none(), "{stranger}");
    }
    let (bo, before) = (told("bo").await, told("ana").await);
    assert_eq!((before.0, before.1.as_ref().map(String::len)), (204, Some(64)));
    assert_ne!(before.1, bo.1);
    assert_eq!(told("ana").await, before);
    it.portfolio("mine").await;
    let after = told("ana").await;
    assert!(after.1 == before.1 && after.2 != before.2, "{after:?}");
    it.priced("4000", 2, Duration::ZERO);
    assert_ne!(told("ana").await.2, after.2);
    assert_eq!(told("bo").await.1, bo.1);
}

#[actix_web::test]
async fn what_is_read_from_the_database_has_a_tag_as_well() {
    let it = Scene::new().await;
    let path = it.portfolio("mine").await;
    it.post(&format!("{path}/transactions"), it.bought("4", "10000")).await;
    let step = json!({ "target_kind": "price", "target_value": "1550", "sell_percent": "50" });
    let plan = json!({ "token_id": it.btc, "name": "exit", "base_quantity": "5", "reference_price": "1200", "steps": [step] });
    let plan = it.post("/v1/strategies", plan).await;
    let plan = format!("/v1/strategies/{}", plan["id"].as_str().unwrap());
    let pages = [
        format!("{path}/transactions"),
        plan.clone(),
        format!("{plan}/alerts"),
        "/v1/alerts".into(),
    ];
    for page in &pages {
        let first = it.fetch(page, None).await;
        let tag = first.tag.as_deref();
        assert!(
            first.status == 200 && tag.is_some() && first.kept == "private, no-cache",
            "{page}"
        );
        let again = it.fetch(page, tag).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{page}");
        it.ask(Method::PATCH, &plan, json!({ "notes": page })).await;
        assert_eq!(it.fetch(page, tag).await.status, 200, "{page}: somebody wrote");
    }
}
