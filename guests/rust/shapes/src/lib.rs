//! Takes and gives values of any shape, by `homestar:std/ipld`.

use homestar::std::ipld::{IpldError, Kind};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:shapes/shapes",
    additional_derives: [PartialEq],
    generate_all,
});

mod check;

struct Shapes;

impl Guest for Shapes {
    fn twice(of: Value) -> Result<Value, String> {
        doubled(&of).map_err(said)
    }

    fn twice_json(of: String) -> Result<String, String> {
        let value = Value::of_dag_json(&of).map_err(said)?;
        doubled(&value)
            .and_then(|value| value.to_dag_json())
            .map_err(said)
    }

    fn find(in_: Value, paths: Vec<String>) -> (String, Vec<Option<Value>>) {
        let found = paths.iter().map(|path| in_.at(path).ok());
        (in_.cid().unwrap_or_default(), found.collect())
    }

    fn check() {
        check::all();
    }

    fn grow(rounds: u32) -> u32 {
        let mut value = Value::of_null();
        for _ in 0..rounds {
            let pair = vec![value.copy(), value];
            value = Value::of_list(pair).expect("not too deep");
        }
        value.length().unwrap_or(0)
    }
}

fn doubled(value: &Value) -> Result<Value, IpldError> {
    match value.kind() {
        Kind::Integer => {
            let integer: i128 = value.as_decimal()?.parse().expect("an integer");
            Value::of_decimal(&(2 * integer).to_string())
        }
        Kind::List => {
            let items = value.as_list()?;
            let items = items.iter().map(doubled);
            Value::of_list(items.collect::<Result<_, _>>()?)
        }
        Kind::Map => {
            let entries = value.as_map()?;
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), doubled(value)?)));
            Value::of_map(entries.collect::<Result<_, IpldError>>()?)
        }
        _ => Ok(value.copy()),
    }
}

fn said(error: IpldError) -> String {
    format!("{error:?}")
}

export!(Shapes);
