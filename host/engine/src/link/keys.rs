//! `homestar:driver/keys`.
//!
//! A trace is for others to read, so it holds no private key and no text that is signed, sealed or encrypted: in
//! their place stand their SHA-256 digests, which are enough to see that a replay asks the same. What is decrypted
//! has to be in it, since the guest gets to see it.

use homestar_core::grant::{Denied, Permit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use super::{Instance, digest, drivers_of, function_of, outside, permitted};
use crate::drivers::keys::{self, Algorithm, Error, Hash, Keys};
use crate::outside::{NOTHING, Outside, number};

type Bytes = Vec<u8>;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    add_making(instance, part)?;
    add_naming(instance, part)?;
    add_signing(instance, part)?;
    add_encrypting(instance, part)
}

fn add_making(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("generate", move |store, (algorithm,): (Algorithm,)| {
        let outside = outside(&store)?;
        let random = || &drivers_of(outside).random;
        let generate = |keys: &mut Keys| keys.generate(algorithm, random());
        Ok((ask(
            outside,
            part,
            "homestar:driver/keys.generate",
            On::Nothing(Some(algorithm)),
            &(algorithm,),
            generate,
        )?,))
    })?;
    instance.func_wrap(
        "import",
        move |store, (algorithm, private): (Algorithm, Bytes)| {
            let outside = outside(&store)?;
            let import = |keys: &mut Keys| keys.import(algorithm, private);
            Ok((ask(
                outside,
                part,
                "homestar:driver/keys.import",
                On::Nothing(Some(algorithm)),
                &(algorithm,),
                import,
            )?,))
        },
    )?;
    instance.func_wrap(
        "derive",
        move |store, (key, hash, salt, info, algorithm): (u32, Hash, Bytes, Bytes, Algorithm)| {
            let outside = outside(&store)?;
            let args = (key, hash, digest(&salt), digest(&info), algorithm);
            let derive = |keys: &mut Keys| keys.derive(key, hash, &salt, &info, algorithm);
            Ok((ask(
                outside,
                part,
                "homestar:driver/keys.derive",
                On::Source(key),
                &args,
                derive,
            )?,))
        },
    )?;
    instance.func_wrap("agree", move |store, (key, public): (u32, Bytes)| {
        let outside = outside(&store)?;
        let args = (key, ByteBuf::from(public.clone()));
        let agree = |keys: &mut Keys| keys.agree(key, &public);
        Ok((ask(
            outside,
            part,
            "homestar:driver/keys.agree",
            On::Source(key),
            &args,
            agree,
        )?,))
    })
}

fn add_naming(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("open", move |store, (kept,): (String,)| {
        let outside = outside(&store)?;
        Ok((ask(
            outside,
            part,
            "homestar:driver/keys.open",
            On::Name(&kept),
            &(&kept,),
            |keys| keys.open(&kept),
        )?,))
    })?;
    instance.func_wrap("keep", move |store, (key, kept): (u32, String)| {
        let outside = outside(&store)?;
        let keep = |keys: &mut Keys| keys.keep(key, &kept).map(|()| NOTHING);
        let kept = ask(
            outside,
            part,
            "homestar:driver/keys.keep",
            On::Name(&kept),
            &(key, &kept),
            keep,
        )?;
        Ok((kept.map(drop),))
    })?;
    instance.func_wrap("close", move |store, (key,): (u32,)| {
        // Nothing enters by this, so it isn't in the trace.
        if let Some(session) = outside(&store)?.session() {
            session.open(part).keys.close(key);
        }
        Ok(())
    })?;
    instance.func_wrap("algorithm-of", move |store, (key,): (u32,)| {
        let outside = outside(&store)?;
        let name = "homestar:driver/keys.algorithm-of";
        Ok((ask_freely(outside, part, name, &(key,), |keys| {
            keys.algorithm_of(key)
        })?,))
    })?;
    instance.func_wrap("public-key", move |store, (key,): (u32,)| {
        let outside = outside(&store)?;
        let name = "homestar:driver/keys.public-key";
        let public = ask_freely(outside, part, name, &(key,), |keys| {
            keys.public_key(key).map(ByteBuf::from)
        })?;
        Ok((public.map(ByteBuf::into_vec),))
    })
}

fn add_signing(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("sign", move |store, (key, message): (u32, Bytes)| {
        let outside = outside(&store)?;
        let args = (key, digest(&message));
        let sign = |keys: &mut Keys| {
            let random = &drivers_of(outside).random;
            keys.sign(key, &message, random).map(ByteBuf::from)
        };
        let name = "homestar:driver/keys.sign";
        let signed = ask(outside, part, name, On::Open(key), &args, sign)?;
        Ok((signed.map(ByteBuf::into_vec),))
    })?;
    instance.func_wrap(
        "verify",
        move |store, (algorithm, public, message, signature): (Algorithm, Bytes, Bytes, Bytes)| {
            let outside = outside(&store)?;
            let digests = (digest(&message), digest(&signature));
            let args = (algorithm, ByteBuf::from(public.clone()), digests);
            let verify = |_: &mut Keys| keys::verify(algorithm, &public, &message, &signature);
            Ok((ask(
                outside,
                part,
                "homestar:driver/keys.verify",
                On::Nothing(Some(algorithm)),
                &args,
                verify,
            )?,))
        },
    )?;
    instance.func_wrap(
        "hmac",
        move |store, (key, hash, message): (u32, Hash, Bytes)| {
            let outside = outside(&store)?;
            let args = (key, hash, digest(&message));
            let name = "homestar:driver/keys.hmac";
            let code = ask(outside, part, name, On::Open(key), &args, |keys| {
                keys.hmac(key, hash, &message).map(ByteBuf::from)
            })?;
            Ok((code.map(ByteBuf::into_vec),))
        },
    )
}

fn add_encrypting(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    let name = "homestar:driver/keys.encrypt";
    add_cipher(instance, part, "encrypt", name, Keys::encrypt)?;
    let name = "homestar:driver/keys.decrypt";
    add_cipher(instance, part, "decrypt", name, Keys::decrypt)?;
    let name = "homestar:driver/keys.open-box";
    add_cipher(instance, part, "open-box", name, Keys::open_box)?;
    instance.func_wrap(
        "seal-box",
        move |store, (public, info, additional, text): (Bytes, Bytes, Bytes, Bytes)| {
            let outside = outside(&store)?;
            let digests = (digest(&info), digest(&additional), digest(&text));
            let args = (ByteBuf::from(public.clone()), digests);
            let done = ask(
                outside,
                part,
                "homestar:driver/keys.seal-box",
                On::Nothing(None),
                &args,
                |_| {
                    let random = &drivers_of(outside).random;
                    keys::seal_box(&public, &info, &additional, &text, random).map(ByteBuf::from)
                },
            )?;
            Ok((done.map(ByteBuf::into_vec),))
        },
    )
}

/// What a key makes of three texts.
type Cipher = fn(&Keys, u32, &[u8], &[u8], &[u8]) -> Result<Bytes, Error>;

fn add_cipher(
    instance: &mut Instance<'_>,
    part: usize,
    function: &str,
    name: &'static str,
    cipher: Cipher,
) -> wasmtime::Result<()> {
    instance.func_wrap(
        function,
        move |store, (key, first, second, text): (u32, Bytes, Bytes, Bytes)| {
            let outside = outside(&store)?;
            let args = (key, digest(&first), digest(&second), digest(&text));
            let done = ask(outside, part, name, On::Open(key), &args, |keys| {
                cipher(keys, key, &first, &second, &text).map(ByteBuf::from)
            })?;
            Ok((done.map(ByteBuf::into_vec),))
        },
    )
}

/// What is worked on, which decides what has to be granted.
#[derive(Clone, Copy)]
enum On<'a> {
    /// No key, or one that is made or that is public: the grant `crypto`.
    Nothing(Option<Algorithm>),
    /// An open key of which another is made: the grant `crypto` too.
    Source(u32),
    /// An open key: that it is open is the grant.
    Open(u32),
    /// A name under which a key is kept: a grant that names it.
    Name(&'a str),
}

impl On<'_> {
    /// Whether this may be done by a function of the driver.
    fn allowed(self, permit: &Permit, function: &str, keys: &Keys) -> Result<(), Denied> {
        let of = |key| keys.algorithm_of(key).ok().map(Algorithm::name);
        match self {
            Self::Nothing(algorithm) => permit.crypto(function, algorithm.map(Algorithm::name)),
            Self::Source(key) => {
                permit.grants().crypto()?;
                permit.crypto_use(function, keys.name_of(key), of(key))
            }
            Self::Open(key) => permit.crypto_use(function, keys.name_of(key), of(key)),
            Self::Name(name) => permit.crypto_key(function, name),
        }
    }
}

/// Asks what has to be granted.
fn ask<R: Serialize + DeserializeOwned>(
    outside: &Outside,
    part: usize,
    name: &'static str,
    on: On<'_>,
    args: &impl Serialize,
    work: impl FnOnce(&mut Keys) -> Result<R, Error>,
) -> wasmtime::Result<Result<R, Error>> {
    let permit = outside.permit(part);
    ask_freely(outside, part, name, args, |keys| {
        let allowed = on.allowed(&permit, function_of(name), keys);
        allowed.map_err(|denied| Error::Denied(denied.to_string()))?;
        work(keys)
    })
}

/// Asks what needs no grant: what is public of a key, which was granted when it was opened.
fn ask_freely<R: Serialize + DeserializeOwned>(
    outside: &Outside,
    part: usize,
    name: &'static str,
    args: &impl Serialize,
    work: impl FnOnce(&mut Keys) -> Result<R, Error>,
) -> wasmtime::Result<Result<R, Error>> {
    let allowed = permitted::<Error>(&outside.door, Ok(()));
    outside.door.ask_now(number(part), name, args, || {
        allowed?;
        let session = outside
            .session()
            .expect("only a task that is no replay asks drivers");
        work(&mut session.open(part).keys)
    })
}
