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

    fn plan(depth: u32) -> Result<Vec<String>, String> {
        let ask = |at| task::ask(None, "plan", &format!("[{at}]"));
        let asked = (0..depth).map(ask).collect::<Result<_, _>>();
        asked.map_err(|error| format!("{error:?}"))
    }

    fn ask(component: Option<String>, function: String, args: String) -> Result<String, String> {
        let asked = task::ask(component.as_deref(), &function, &args);
        asked.map_err(|error| format!("{error:?}"))
    }
}

export!(Diary);
