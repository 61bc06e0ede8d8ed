use crate::{lines, mender, shapes, text, zoo};
use homestar_sdk::flow::{Arg, Catch, Data, File, Task, Workflow, for_each, workflow};
use serde_json::json;

fn each(pages: File) -> Workflow<Task<u64>> {
    workflow("each", || {
        let words = ["a b", "c"].map(str::to_owned);
        let counts = for_each(words, |words, _| text::word_count(words));
        let total = text::sum(counts);
        let found = for_each(pages, |page, name| lines::count(page, name).catch(Catch::Ok(0)));
        text::sum(found);
        for_each([1.0, 2.5], |number, _| zoo::echo_f64(number));
        let failed = mender::fail("no");
        shapes::twice(failed.error());
        shapes::twice(failed.outcome());
        let list = Data(json!([1, 2.5, null, {"/": {"bytes": "Zg"}}]));
        shapes::twice(Arg::map([("a", Arg::from(list)), ("b", Arg::from(&total))]));
        let caught = mender::fail("yes");
        let spare = zoo::echo_u32(1).label("spare");
        caught.catch(Catch::Call {
            call: "on-error".into(),
            component: Some("mender.wasm".into()),
            rewire: vec![spare],
        });
        total
    })
}

pub fn flow() -> Workflow<Task<u64>> {
    each(File::new("pages"))
}
