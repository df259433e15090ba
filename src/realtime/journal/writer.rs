//! stub
use super::*;
use actix::Message;
#[derive(Clone)]
pub struct JournalHandle(Arc<dyn Journal>);
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
    pub fn append(
        &self,
        _a: Append,
        _b: Answer,
        _c: actix::Recipient<Committed>,
    ) -> Result<(), Overloaded> {
        todo!()
    }
    pub async fn read(&self, channel: &Channel, range: Range) -> Result<Page, Unavailable> {
        self.0.read(channel, range).await
    }
}
