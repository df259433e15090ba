//! stopgap
use super::*;
use actix::Message;
#[derive(Clone)]
pub struct JournalHandle {
    journal: Arc<dyn Journal>,
    tx: tokio::sync::mpsc::UnboundedSender<(Append, Answer, actix::Recipient<Committed>)>,
}
pub struct Answer(Option<Box<dyn FnOnce(Result<Appended, AppendError>) + Send>>);
impl Answer {
    pub fn new(f: impl FnOnce(Result<Appended, AppendError>) + Send + 'static) -> Self {
        Self(Some(Box::new(f)))
    }
    pub fn give(mut self, r: Result<Appended, AppendError>) {
        if let Some(f) = self.0.take() {
            f(r)
        }
    }
}
#[derive(Message)]
#[rtype(result = "()")]
pub struct Committed {
    pub channel: Channel,
    pub publication: Arc<Publication>,
    pub result: Result<Appended, AppendError>,
}
pub struct Overloaded;
impl JournalHandle {
    pub fn start(journal: Arc<dyn Journal>, arbiter: &actix::ArbiterHandle) -> Self {
        let (tx, mut rx) =
            tokio::sync::mpsc::unbounded_channel::<(Append, Answer, actix::Recipient<Committed>)>();
        let j = journal.clone();
        arbiter.spawn(async move {
            let mut seq = 0;
            let writer = WriterId(uuid::Uuid::new_v4());
            while let Some(first) = rx.recv().await {
                let mut all = vec![first];
                while let Ok(more) = rx.try_recv() {
                    all.push(more);
                }
                seq += 1;
                let batch =
                    Batch { writer, seq, appends: all.iter().map(|a| a.0.clone()).collect() };
                let results = j.append(batch).await.unwrap();
                for ((append, answer, told), result) in all.into_iter().zip(results) {
                    answer.give(Ok(result.clone()));
                    #[allow(clippy::disallowed_methods)]
                    told.do_send(Committed {
                        channel: append.channel,
                        publication: append.publication,
                        result: Ok(result),
                    });
                }
            }
        });
        Self { journal, tx }
    }
    pub fn append(
        &self,
        a: Append,
        b: Answer,
        c: actix::Recipient<Committed>,
    ) -> Result<(), Overloaded> {
        self.tx.send((a, b, c)).map_err(|_| Overloaded)
    }
    pub async fn read(&self, channel: &Channel, range: Range) -> Result<Page, Unavailable> {
        self.journal.read(channel, range).await
    }
    pub async fn remove(&self, channel: &Channel) -> Result<(), Unavailable> {
        self.journal.remove(channel).await
    }
    pub async fn flush(&self) {}
}
