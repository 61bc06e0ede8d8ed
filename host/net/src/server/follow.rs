//! Events by WebSocket: one text message for each.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use libp2p::futures::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::feed::{Follower, Told};
use super::stream::Body;
use super::{End, is_last};

/// Bytes of what a follower may send: nothing but signs of life.
const HEARD_BYTES_MAX: usize = 4 << 10;
/// Time without a word after which a follower is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(20);
/// Time without a sign of life after which nobody is there.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Time for the last words.
const GOODBYE: Duration = Duration::from_secs(5);

/// What a connection goes on with when its answer was sent.
pub(super) type Following = Arc<Mutex<Option<(OnUpgrade, Follower)>>>;

/// A request to go on by WebSocket.
pub(super) struct Upgrade {
    on: OnUpgrade,
    accept: String,
}

impl Upgrade {
    /// Returns the request for it, if it is one.
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Self> {
        let headers = request.headers();
        let is_one = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && has(headers, &CONNECTION, "upgrade")
            && has(headers, &UPGRADE, "websocket")
            && headers
                .get(SEC_WEBSOCKET_VERSION)
                .is_some_and(|it| it == "13");
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_one)?;
        let accept = derive_accept_key(key.as_bytes());
        let on = hyper::upgrade::on(request);
        Some(Self { on, accept })
    }

    /// Says so, and leaves what is to be told to the connection.
    pub(super) fn begin(self, follower: Follower, following: &Following) -> Response<Body> {
        let mut response = Response::new(Body::whole(Default::default()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        let mut following = following.lock().unwrap_or_else(PoisonError::into_inner);
        *following = Some((self.on, follower));
        response
    }
}

fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    words.any(|it| it.trim().eq_ignore_ascii_case(word))
}

/// Goes on with what an answer left, if it did.
pub(super) async fn go_on(following: &Following, end: watch::Receiver<Option<End>>) {
    let left = {
        let mut following = following.lock().unwrap_or_else(PoisonError::into_inner);
        following.take()
    };
    if let Some((on, follower)) = left
        && let Ok(connection) = on.await
    {
        follow(connection, follower, end).await;
    }
}

/// What a connection wakes for.
enum Wake {
    /// The follower sent something, or nothing ever again.
    Heard(bool),
    Told(Told),
    Silent,
    End,
}

/// Tells a follower what happens until it is over, they leave, or the server ends. What has happened by then is told first.
async fn follow(
    connection: Upgraded,
    mut follower: Follower,
    mut end: watch::Receiver<Option<End>>,
) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(HEARD_BYTES_MAX))
        .max_frame_size(Some(HEARD_BYTES_MAX));
    let connection = TokioIo::new(connection);
    let mut socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (mut heard_at, mut due) = (Instant::now(), Instant::now() + SILENCE);
    let code = loop {
        let wake = {
            let mut next = pin!(follower.next());
            let mut silent = pin!(sleep_until(due));
            let mut ended = pin!(end.wait_for(is_last));
            std::future::poll_fn(|context| {
                if let Poll::Ready(heard) = socket.poll_next_unpin(context) {
                    let is_life = matches!(heard, Some(Ok(Message::Ping(_) | Message::Pong(_))));
                    return Poll::Ready(Wake::Heard(is_life));
                }
                if let Poll::Ready(told) = next.as_mut().poll(context) {
                    return Poll::Ready(Wake::Told(told));
                }
                if ended.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Wake::End);
                }
                silent.as_mut().poll(context).map(|()| Wake::Silent)
            })
            .await
        };
        let message = match wake {
            Wake::Heard(true) => {
                heard_at = Instant::now();
                continue;
            }
            // They left, or speak of what nobody asked.
            Wake::Heard(false) => break CloseCode::Policy,
            Wake::Told(Told::Event(event)) => Message::text(event.to_string()),
            Wake::Told(Told::Missed(count)) => {
                Message::text(format!(r#"{{"count":{count},"event":"missed"}}"#))
            }
            Wake::Told(Told::Over) => break CloseCode::Normal,
            Wake::End => break CloseCode::Away,
            Wake::Silent if heard_at.elapsed() > SILENCE_MAX => return,
            Wake::Silent => {
                due = Instant::now() + SILENCE;
                Message::Ping(Bytes::new())
            }
        };
        // Who takes nothing for too long is gone: the connection knows.
        if socket.send(message).await.is_err() {
            return;
        }
    };
    let reason = CloseFrame {
        code,
        reason: "".into(),
    };
    let goodbye = async {
        if socket.close(Some(reason)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(GOODBYE, goodbye).await;
}
