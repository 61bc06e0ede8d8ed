//! `homestar:driver/keys`.
//!
//! A trace is for others to read, so it holds no private key and no text that is signed, sealed or encrypted: in
//! their place stand their SHA-256 digests, which are enough to see that a replay asks the same. What is decrypted
//! has to be in it, since the guest gets to see it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use super::{Instance, digest, drivers_of, outside, permitted};
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
            &args,
            agree,
        )?,))
    })
}

fn add_naming(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("open", move |store, (kept,): (String,)| {
        let outside = outside(&store)?;
        let allowed = outside
            .grants(part)
            .crypto_key(&kept)
            .map_err(|denied| denied.to_string());
        let open = |keys: &mut Keys| {
            allowed.map_err(Error::Denied)?;
            keys.open(&kept)
        };
        Ok((ask_freely(
            outside,
            part,
            "homestar:driver/keys.open",
            &(&kept,),
            open,
        )?,))
    })?;
    instance.func_wrap("keep", move |store, (key, kept): (u32, String)| {
        let outside = outside(&store)?;
        let allowed = outside
            .grants(part)
            .crypto_key(&kept)
            .map_err(|denied| denied.to_string());
        let keep = |keys: &mut Keys| {
            allowed.map_err(Error::Denied)?;
            keys.keep(key, &kept).map(|()| NOTHING)
        };
        let kept = ask_freely(
            outside,
            part,
            "homestar:driver/keys.keep",
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
        let signed = ask_freely(outside, part, "homestar:driver/keys.sign", &args, |keys| {
            let random = &drivers_of(outside).random;
            keys.sign(key, &message, random).map(ByteBuf::from)
        })?;
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
            let code = ask_freely(outside, part, "homestar:driver/keys.hmac", &args, |keys| {
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
            let done = ask_freely(outside, part, name, &args, |keys| {
                cipher(keys, key, &first, &second, &text).map(ByteBuf::from)
            })?;
            Ok((done.map(ByteBuf::into_vec),))
        },
    )
}

/// Asks what needs the grant `crypto`.
fn ask<R: Serialize + DeserializeOwned>(
    outside: &Outside,
    part: usize,
    name: &'static str,
    args: &impl Serialize,
    work: impl FnOnce(&mut Keys) -> Result<R, Error>,
) -> wasmtime::Result<Result<R, Error>> {
    let allowed = outside
        .grants(part)
        .crypto()
        .map_err(|denied| denied.to_string());
    ask_freely(outside, part, name, args, |keys| {
        allowed.map_err(Error::Denied)?;
        work(keys)
    })
}

/// Asks what needs no grant, because it needs a key that was granted.
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
