//! The public port: one listener for the actix-web `App` and, below it, for sockets that are taken over.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{fn_factory, fn_service, map_config};
use actix_web::{App, dev::AppConfig, web};
use futures_core::future::LocalBoxFuture;
use tokio::sync::OnceCell;

use super::{
    routes,
    socket::{Accept, Door, take_over},
};
use crate::platform::metrics::lag;

/// Connections that the kernel keeps ready while the workers are busy: a storm of reconnects comes all at once,
/// and what does not fit waits a second or more before its client tries again.
const BACKLOG: i32 = 4096;
/// How long the rest of a request is awaited after its connection was given up.
const DISCONNECT: Duration = Duration::from_secs(1);
/// Seconds that HTTP requests under way get when the server stops. Sockets were drained by then.
const LAST_REQUESTS: u64 = 5;

/// Prepares a worker thread: called once on each, with its number from 0, before it takes any connection.
pub type OnWorkerStart = Arc<dyn Fn(usize) -> LocalBoxFuture<'static, Accept> + Send + Sync>;

/// What an operator may turn.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// Worker threads.
    pub workers: usize,
    /// A request whose head is not complete by then is answered 408.
    pub request_timeout: Duration,
    /// How long an idle HTTP connection is kept for its next request.
    pub keep_alive: Duration,
}

thread_local! {
    static ACCEPT: Rc<OnceCell<Accept>> = Rc::default();
}

/// Binds a port with a backlog that a storm of reconnects fits into.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves the public port. Call it inside an actix system; the server runs while the answer is awaited.
///
/// `configure` adds the routes that need parts of the house. Signals are not handled here.
pub fn run(
    listener: TcpListener,
    listening: Listening,
    door: Arc<Door>,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    on_worker_start: OnWorkerStart,
) -> io::Result<Server> {
    let counted = routes::counted(&door.metrics).map_err(io::Error::other)?;
    let workers = Arc::new(AtomicUsize::new(0));
    let service = move || {
        let (door, workers, start) = (door.clone(), workers.clone(), on_worker_start.clone());
        let sockets = fn_factory(move || {
            let (door, workers, start) = (door.clone(), workers.clone(), start.clone());
            async move {
                let accept = worker(&workers, &start, &door).await;
                Ok::<_, ()>(fn_service(move |upgrade| {
                    let (door, accept) = (door.clone(), accept.clone());
                    async move {
                        take_over(upgrade, door, accept).await;
                        Ok::<(), actix_web::Error>(())
                    }
                }))
            }
        });
        let app =
            App::new().wrap(counted.clone()).configure(configure.clone()).configure(routes::public);
        HttpService::build()
            .keep_alive(listening.keep_alive)
            .client_request_timeout(listening.request_timeout)
            .client_disconnect_timeout(DISCONNECT)
            .tcp_nodelay(true)
            .upgrade(sockets)
            .finish(map_config(app, |_| AppConfig::default()))
            .tcp()
    };
    Ok(Server::build()
        .workers(listening.workers)
        .shutdown_timeout(LAST_REQUESTS)
        .disable_signals()
        .listen("public", listener, service)?
        .run())
}

/// The session layer of this thread; prepared by the first who asks, for all listeners.
async fn worker(count: &AtomicUsize, start: &OnWorkerStart, door: &Door) -> Accept {
    let cell = ACCEPT.with(Rc::clone);
    let prepare = || async {
        let number = count.fetch_add(1, Relaxed);
        let lag = door.metrics.event_loop_lag_seconds.of(&number.to_string());
        actix_rt::spawn(lag::watch(lag.clone()));
        start(number).await
    };
    cell.get_or_init(prepare).await.clone()
}

#[cfg(test)]
mod tests;
