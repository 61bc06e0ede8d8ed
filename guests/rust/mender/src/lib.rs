//! Makes something of failures.

wit_bindgen::generate!({ path: "wit" });

struct Mender;

impl Guest for Mender {
    fn fail(words: String) -> Result<u32, String> {
        Err(words)
    }

    fn explain(of: Failure) -> String {
        let Failure {
            kind,
            message,
            value,
        } = of;
        let value = value.map(|value| format!(", with {value:?}"));
        format!("{kind}: {message}{}", value.unwrap_or_default())
    }

    fn or_zero(outcome: Result<u32, Failure>) -> u32 {
        outcome.unwrap_or(0)
    }

    fn on_error(of: Caught) -> Answer {
        match of.value.as_deref() {
            Some("seven") => Answer::Ok(7),
            Some("spare") => Answer::Rewire("spare".to_owned()),
            _ => Answer::Msg(format!("{} ended as {}", of.task, of.kind)),
        }
    }
}

export!(Mender);
