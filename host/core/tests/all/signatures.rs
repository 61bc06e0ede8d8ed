//! Signatures and keys as Wycheproof has them: those that are good, and many that only look so.

use homestar_core::ucan::Did;
use homestar_core::ucan::varsig::Algorithm;
use serde_json::Value;

use crate::{bytes, list, text};

/// Half of secp256k1's order, above which `s` isn't taken: with it every signature would have a second form.
const HALF_ORDER: &str = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

#[test]
fn signatures_count_as_wycheproof_says() {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/wycheproof.json")).expect("JSON");
    let mut counts = [0; 2];
    for group in list(&vectors, "groups") {
        let name = text(group, "algorithm");
        let mut all = Algorithm::ALL.into_iter();
        let algorithm = all.find(|it| it.to_string() == name).expect(name);
        let did = Did::from_key(algorithm, &bytes(group, "key")).expect("a key");
        for test in list(group, "tests") {
            let hex = |at: usize| {
                let text = test[at].as_str().expect("hex");
                bytes(&serde_json::json!({ "hex": text }), "hex")
            };
            let (message, signature) = (hex(0), hex(1));
            let comment = test[3].as_str().expect("a comment");
            let is_second = algorithm == Algorithm::Secp256k1
                && signature.len() == 64
                && test[1].as_str().expect("hex")[64..] > *HALF_ORDER;
            let counted = test[2].as_bool().expect("a bool") && !is_second;
            let said = did.has_signed(&message, &signature);
            assert_eq!(said, counted, "{name}: {comment}: {signature:02x?}");
            counts[usize::from(said)] += 1;
        }
    }
    assert!(counts[0] > 200 && counts[1] > 200, "{counts:?}");
}
