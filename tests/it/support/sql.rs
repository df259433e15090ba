//! SQL past the nodes.

use fanfare::platform::scratch::Postgres;

/// Runs SQL in the server.
pub fn sql(server: &Postgres, text: &str) {
    let url = server.url("postgres").replace("/postgres", "/postgres?application_name=test");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
        let driver = tokio::spawn(connection);
        client.batch_execute(text).await.expect("it is done");
        drop(client);
        let _ = driver.await;
    });
}
