//! CSV files of tokens.

use super::super::{
    import::BadRow,
    listing::{MOST, NewToken, read},
};

const HEAD: &str = "symbol,name,provider_id,logo_url\n";

fn token(symbol: &str, name: &str, provider_id: i64, logo_url: Option<&str>) -> NewToken {
    let logo_url = logo_url.map(str::to_owned);
    NewToken { symbol: symbol.into(), name: name.into(), provider_id, logo_url }
}

fn wrong(file: &str) -> Vec<(u64, String)> {
    let bad = read(file.as_bytes()).unwrap_err();
    bad.into_iter().map(|BadRow { line, reason }| (line, reason)).collect()
}

#[test]
fn tokens_of_a_file_are_read_with_logos_or_without() {
    let file = format!(
        "\u{feff}{HEAD}BTC,Bitcoin,1,https://a.example/1.png\r\n\r\n eth ,\"Ether, eum\",1027,\r\n"
    );
    let tokens = [
        token("BTC", "Bitcoin", 1, Some("https://a.example/1.png")),
        token("eth", "Ether, eum", 1027, None),
    ];
    assert_eq!(read(file.as_bytes()).unwrap(), tokens);
    let three = "\"Symbol\",\"NAME\",\"provider_id\"\n\"BTC\",\"Bitcoin\",1\n\"BTC\",\"Another\",2";
    assert_eq!(
        read(three.as_bytes()).unwrap(),
        [token("BTC", "Bitcoin", 1, None), token("BTC", "Another", 2, None)]
    );
}

#[test]
fn each_bad_token_says_its_line_and_what_was_expected() {
    let long = format!("BTC,Bitcoin,1,https://{}", "x".repeat(2_000));
    for (row, expected) in [
        ("BTC,Bitcoin,1", "expected 4 fields, got 3"),
        (",Bitcoin,1,", "symbol: expected 1 to 64 characters, got 0"),
        (&*format!("{},Bitcoin,1,", "B".repeat(65)), "symbol: expected 1 to 64 characters, got 65"),
        ("B\0TC,Bitcoin,1,", "symbol: expected a text without control characters"),
        ("BTC, ,1,", "name: expected 1 to 200 characters, got 0"),
        (&*format!("BTC,{},1,", "x".repeat(201)), "name: expected 1 to 200 characters, got 201"),
        ("BTC,Bitcoin,1,\"https://a\nb\"", "logo_url: expected a text without control characters"),
        ("BTC,Bitcoin,-1,", "provider_id: expected a number like 1027, got \"-1\""),
        ("BTC,Bitcoin,+1,", "provider_id: expected a number like 1027"),
        ("BTC,Bitcoin,0,", "provider_id: expected 1 or more, got 0"),
        ("BTC,Bitcoin,,", "provider_id: expected a number like 1027, got \"\""),
        ("BTC,Bitcoin,9223372036854775808,", "provider_id: expected a number like 1027"),
        ("BTC,Bitcoin,1,javascript:x", "logo_url: expected nothing, or what begins with https://"),
        ("BTC,Bitcoin,1,https://\0", "logo_url: expected a text without control characters"),
        (&*long, "logo_url: expected 1 to 2000 characters, got 2008"),
        ("BTC,Bitcoin,1027,", "provider_id: expected each number once, got 1027, which line 2 has"),
        ("BTC,\"Bitcoin,1,", "the quote is not closed"),
    ] {
        let file = format!("{HEAD}ETH,Ethereum,1027,\n{row}\n");
        let bad = wrong(&file);
        assert_eq!((bad.len(), bad[0].0), (1, 3), "{row}: {bad:?}");
        assert!(bad[0].1.starts_with(expected), "{row}: {}", bad[0].1);
    }
    let both = wrong(&format!("{HEAD}BTC,,1,\nETH,Ethereum,1027,\nX,x,x,\n"));
    assert_eq!(both.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4], "all are told");
    let latin = [HEAD.as_bytes(), b"CAF,caf\xe9,1,\n"].concat();
    assert_eq!(read(&latin).unwrap_err()[0].reason, "name: expected UTF-8");
}

#[test]
fn a_file_of_no_tokens_is_refused() {
    for (file, line, expected) in [
        ("", 1, "expected the header symbol,name,provider_id,logo_url"),
        ("BTC,Bitcoin,1,\n", 1, "expected the header symbol,name,provider_id,logo_url, got \"BTC,"),
        ("symbol,name\n", 1, "expected the header"),
        ("symbol,name,provider_id,logo_url,rank\n", 1, "expected the header"),
        (HEAD, 2, "expected a row for each token, got none"),
    ] {
        let bad = wrong(file);
        assert_eq!((bad.len(), bad[0].0), (1, line), "{file:?}: {bad:?}");
        assert!(bad[0].1.starts_with(expected), "{file:?}: {}", bad[0].1);
    }
    let rows = |count: usize| (1..=count).map(|n| format!("T{n},t,{n},\n")).collect::<String>();
    assert_eq!(read(format!("{HEAD}{}", rows(MOST)).as_bytes()).unwrap().len(), MOST);
    let bad = wrong(&format!("{HEAD}{}", rows(MOST + 1)));
    assert_eq!(bad, [(MOST as u64 + 2, format!("expected at most {MOST} rows, got more"))]);
}
