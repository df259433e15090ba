//! SQL past the nodes.

use diesel::connection::SimpleConnection;
use fanfare::platform::{database::Database, scratch::Postgres};

use super::Node;

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

/// Runs SQL in the file of a node.
pub fn file_sql(node: &Node, text: &str) {
    let file = Database::open(&node.data_dir().join("fanfare.db")).expect("the node's file");
    let mut connection = file.connect().expect("a connection");
    connection.batch_execute(text).expect("it is done");
}
