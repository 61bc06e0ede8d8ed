//! Logs, keeps state and says its own names, by `homestar:std`.

use homestar::std::log::{Level, log};
use homestar::std::{state, task};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:diary/diary",
    generate_all,
});

const BUCKET: &str = "diary";

struct Diary;

impl Guest for Diary {
    fn note(text: String) -> Result<Vec<String>, String> {
        let said = |error| format!("{error:?}");
        state::set(BUCKET, &text, &[]).map_err(said)?;
        log(Level::Info, &format!("noted\n{text}"));
        state::list(BUCKET).map_err(said)
    }

    fn names() -> (String, String) {
        (task::instruction(), task::component())
    }
}

export!(Diary);
