//! The journal as the database has it, read by SQL past all of the server's code.

use std::{collections::HashMap, io, net::SocketAddr};

use super::Sql;
use crate::load::chaos::{
    ledger::Ledger,
    record::{Era, FOREIGN, Nanos, Row},
};

const PUBLICATIONS: &str = "select c.name, c.life, p.position, p.at, convert_from(p.data, 'UTF8') \
     from journal_publications p join journal_channels c on c.id = p.channel";

/// Reads the journal of the server at an address. `began`: milliseconds since 1970 when the clock of the run showed 0.
pub fn era(address: SocketAddr, ledger: &Ledger, began: u64) -> io::Result<Era> {
    let mut sql = Sql::connect(address)?;
    let generation = sql.one("select generation from journal_meta")?;
    let channels = ledger.history.channels.iter().enumerate();
    let numbers: HashMap<&str, u32> =
        channels.map(|(number, channel)| (channel.name.as_str(), number as u32)).collect();
    let mut rows = Vec::with_capacity(ledger.history.messages.len());
    sql.each(PUBLICATIONS, |row| {
        let odd = || io::Error::other("a row of the journal is not as it should be");
        let mut values = row.into_iter().flatten();
        let mut next = || values.next().ok_or_else(odd);
        let name = next()?;
        let mut number = || next()?.parse::<u64>().map_err(|_| odd());
        let (life, position, at) = (number()?, number()?, number()?);
        rows.push(Row {
            channel: numbers.get(name.as_str()).copied().unwrap_or(FOREIGN),
            life: life.try_into().map_err(|_| odd())?,
            offset: position.try_into().map_err(|_| odd())?,
            message: ledger.identify(next()?.as_bytes()),
            at: at.saturating_sub(began) * 1_000_000 as Nanos,
        });
        Ok(())
    })?;
    Ok(Era { generation, rows })
}
