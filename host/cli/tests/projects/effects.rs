
    // What a test adds to a project: every other effect.

    use homestar_sdk::{digest, dns, keys, log, random, state};

    pub fn sent(url: &str) -> Result<String, String> {
        log::info("sending");
        let mut request = https::Request::new("GET", url);
        request.options = Some(https::Options {
            max_bytes: Some(3),
            ..https::Options::default()
        });
        let too_large = https::send(&request).unwrap_err().to_string();
        let request = https::Request::new("POST", url);
        let page = https::send(&request.header("x-a", "b").body("c"))?;
        let length = page.header("Content-Length").unwrap_or_default();
        Ok(format!("{} {length} {too_large}", page.status))
    }

    pub fn looked_up(name: &str) -> Result<Vec<String>, String> {
        assert_eq!(dns::lookup(name, dns::RecordType::Txt)?, []);
        Ok(dns::addresses(name)?)
    }

    pub fn drawn() -> Result<Vec<u32>, String> {
        random::u64()?;
        assert_eq!(random::uuid()?.len(), 36);
        let mut drawn = random::shuffle(3)?;
        drawn.sort();
        let first = [random::bytes(4)?.len() as u32, random::range(3, 4)? as u32];
        Ok([&first, &*drawn].concat())
    }

    pub fn signed(text: &str) -> Result<bool, String> {
        let hash = digest::hash(digest::Algorithm::Sha256, text.as_bytes());
        let key = keys::generate(keys::Algorithm::Ed25519)?;
        assert_eq!(key.algorithm(), Ok(keys::Algorithm::Ed25519));
        let (public, signature) = (key.public_key()?, key.sign(&hash)?);
        Ok(keys::verify(keys::Algorithm::Ed25519, &public, &hash, &signature)?)
    }

    pub fn wrongly() -> Result<Vec<u8>, String> {
        Ok(keys::generate(keys::Algorithm::Ed25519)?.encrypt(&[0; 12], b"", b"")?)
    }

    pub fn counted() -> Result<Vec<String>, String> {
        let mut value = state::get("counts", "n")?.unwrap_or_default();
        value.push(b'1');
        state::set("counts", "n", &value)?;
        let value = String::from_utf8_lossy(&value).into_owned();
        Ok([state::list("counts")?, vec![value]].concat())
    }

    pub fn ending(number: u32) -> u32 {
        1 / number
    }
