//! What it costs to ask whether something is granted.

use std::hint::black_box;
use std::net::IpAddr;

use homestar_core::grant::{Grant, Grants};
use url::Url;

use crate::Error;
use crate::measure::{Effort, Measurement, Repeated, repeated};

/// What a task may be given, with what is asked for last.
const GRANTS: &[&str] = &[
    "random",
    "https=GET,HEAD api.example.com/v1/*",
    "https=*.example.org",
    "dns=TXT example.com",
    "net=10.0.0.0/8",
    "https=GET http://127.0.0.1:8080",
];

pub(crate) fn grant(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let all = GRANTS.iter().map(|text| Grant::parse(text));
    let grants = Grants::new(all.collect::<Result<_, _>>()?);
    let operator = Grants::new(vec![
        Grant::parse("https=*:*")?,
        Grant::parse("https=http://127.0.0.1:8080")?,
    ]);
    let both = grants.and(&operator);
    let url = Url::parse("http://127.0.0.1:8080/a/page?q=1")?;
    let name = Url::parse("https://api.example.com/v1/users")?;
    let address: IpAddr = "127.0.0.1".parse()?;
    let public: IpAddr = "93.184.215.14".parse()?;
    let measured = repeated(
        "grant: six rules",
        effort,
        vec![
            Repeated::new("Grants::https, the last of them", || {
                Ok(black_box(&grants).https("GET", black_box(&url))?)
            }),
            Repeated::new("Grants::https, and what the operator allows", || {
                Ok(black_box(&both).https("GET", black_box(&url))?)
            }),
            Repeated::new("Grants::https, a name and a path", || {
                Ok(black_box(&grants).https("GET", black_box(&name))?)
            }),
            Repeated::new("Grants::address, loopback", || {
                Ok(black_box(&grants).address("GET", black_box(&url), black_box(address))?)
            }),
            Repeated::new("Grants::address, of a name", || {
                Ok(black_box(&grants).address("GET", black_box(&name), black_box(public))?)
            }),
            Repeated::new("Grants::random", || Ok(black_box(&grants).random()?)),
        ],
    )?;
    Ok(vec![measured.goal("≤ 100 ns")])
}
