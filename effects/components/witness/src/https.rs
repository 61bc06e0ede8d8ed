use crate::bindings::exports::homestar::https::client::Guest;
use crate::bindings::homestar::https::client::{Error, Request, Response, get, send};
use crate::bindings::homestar::https::types::Options;
use crate::told::{record, variant};
use crate::{Witness, tell};

record!(Request { body headers method options url });
record!(Options { connect_timeout_ms max_bytes redirects timeout_ms });
record!(Response { body headers status url });
variant!(Error {
    Denied(text) "denied"
    Budget(text) "budget"
    Invalid(text) "invalid"
    Name(text) "name"
    Connection(text) "connection"
    Tls(text) "tls"
    Timeout "timeout"
    Protocol(text) "protocol"
    TooLarge(most) "too-large"
    Redirects(most) "redirects"
});

impl Guest for Witness {
    fn get(url: String) -> Result<Response, Error> {
        let answer = get(&url);
        tell("homestar:https/client.get", &[&url], &answer);
        answer
    }

    fn send(request: Request) -> Result<Response, Error> {
        let answer = send(&request);
        tell("homestar:https/client.send", &[&request], &answer);
        answer
    }
}
