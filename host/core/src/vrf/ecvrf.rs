//! ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381: a hash under a key, with a proof that anyone can check.
//!
//! The names of the RFC are in the comments, the steps in its order. What touches the secret takes the same time
//! whatever the secret is; what touches the input doesn't, since the input is no secret here.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

/// Length of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// Length of a proof: a point, a challenge, a scalar.
pub const PROOF_BYTES: usize = POINT_BYTES + CHALLENGE_BYTES + SCALAR_BYTES;
/// Length of an output.
pub const OUTPUT_BYTES: usize = 64;

const POINT_BYTES: usize = 32;
const CHALLENGE_BYTES: usize = 16;
const SCALAR_BYTES: usize = 32;

/// `suite_string`, with which every hash begins.
const SUITE: u8 = 0x03;
/// What tells the three uses of the hash apart.
const ENCODE_TO_CURVE: u8 = 0x01;
const CHALLENGE: u8 = 0x02;
const PROOF_TO_HASH: u8 = 0x03;
/// With which every hash ends.
const END: u8 = 0x00;

/// The public key of a seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; PUBLIC_KEY_BYTES] {
    Secret::expand(seed).public
}

/// The output that the key of `seed` gives to `input`, and its proof.
///
/// The same key and input give the same output and proof for ever.
pub fn prove(seed: &[u8; 32], input: &[u8]) -> ([u8; PROOF_BYTES], [u8; OUTPUT_BYTES]) {
    let secret = Secret::expand(seed);
    let h = encode_to_curve(&secret.public, input).expect("half of all hashes are points");
    let h_bytes = h.compress().to_bytes();
    let gamma = h * *secret.x;
    let k = secret.nonce(&h_bytes);
    let c = challenge([
        &secret.public,
        &h_bytes,
        &gamma.compress().to_bytes(),
        &EdwardsPoint::mul_base(&k).compress().to_bytes(),
        &(h * *k).compress().to_bytes(),
    ]);
    let s = *k + scalar(&c) * *secret.x;

    let mut proof = [0; PROOF_BYTES];
    proof[..POINT_BYTES].copy_from_slice(gamma.compress().as_bytes());
    proof[POINT_BYTES..][..CHALLENGE_BYTES].copy_from_slice(&c);
    proof[POINT_BYTES + CHALLENGE_BYTES..].copy_from_slice(s.as_bytes());
    (proof, output(&gamma))
}

/// The output that `proof` proves for `input` under a public key, if it proves one.
///
/// Every part has one encoding, and keys of low order are refused, so that a key gives an input no two outputs,
/// whoever made the key.
pub fn verify(
    public_key: &[u8; PUBLIC_KEY_BYTES],
    input: &[u8],
    proof: &[u8; PROOF_BYTES],
) -> Option<[u8; OUTPUT_BYTES]> {
    let y = point(public_key).filter(|y| !y.is_small_order())?;
    let Parts { gamma, c, s } = Parts::decode(proof)?;
    let h = encode_to_curve(public_key, input)?;
    let minus_c = -scalar(&c);
    let u = EdwardsPoint::vartime_double_scalar_mul_basepoint(&minus_c, &y, &s);
    let v = h * s + gamma * minus_c;
    let expected = challenge([
        public_key,
        &h.compress().to_bytes(),
        &gamma.compress().to_bytes(),
        &u.compress().to_bytes(),
        &v.compress().to_bytes(),
    ]);
    (c == expected).then(|| output(&gamma))
}

/// What a seed stands for.
struct Secret {
    /// The secret scalar.
    x: Zeroizing<Scalar>,
    /// What makes nonces unpredictable: the second half of the hash of the seed.
    prefix: Zeroizing<[u8; 32]>,
    /// The public key, `Y`.
    public: [u8; PUBLIC_KEY_BYTES],
}

impl Secret {
    /// As Ed25519 does (RFC 8032, 5.1.5).
    fn expand(seed: &[u8; 32]) -> Self {
        let (mut x, prefix) = halves(Sha512::new().chain_update(seed));
        *x = clamp_integer(*x);
        let x = Zeroizing::new(Scalar::from_bytes_mod_order(*x));
        let public = EdwardsPoint::mul_base(&x).compress().to_bytes();
        Self { x, prefix, public }
    }

    /// `ECVRF_nonce_generation_RFC8032`.
    fn nonce(&self, h: &[u8; POINT_BYTES]) -> Zeroizing<Scalar> {
        let mut wide = Zeroizing::new([0; 64]);
        let (low, high) = halves(Sha512::new().chain_update(*self.prefix).chain_update(h));
        wide[..32].copy_from_slice(&*low);
        wide[32..].copy_from_slice(&*high);
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }
}

/// The two halves of a hash that is secret.
fn halves(hasher: Sha512) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    let mut hash = hasher.finalize();
    let half = |at| Zeroizing::new(std::array::from_fn(|byte| hash[at + byte]));
    let both = (half(0), half(32));
    hash.as_mut_slice().zeroize();
    both
}

/// The parts of a proof, each in its one encoding: `ECVRF_decode_proof`.
struct Parts {
    gamma: EdwardsPoint,
    c: [u8; CHALLENGE_BYTES],
    s: Scalar,
}

impl Parts {
    fn decode(proof: &[u8; PROOF_BYTES]) -> Option<Self> {
        let (gamma, rest) = proof.split_first_chunk()?;
        let (c, rest) = rest.split_first_chunk()?;
        Some(Self {
            gamma: point(gamma)?,
            c: *c,
            s: Scalar::from_canonical_bytes(rest.try_into().ok()?).into_option()?,
        })
    }
}

/// The point of these bytes, if they are its one encoding (RFC 8032, 5.1.3).
fn point(bytes: &[u8; POINT_BYTES]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (point.compress().as_bytes() == bytes).then_some(point)
}

/// `ECVRF_encode_to_curve_try_and_increment`: the first hash that is a point.
///
/// There is none once in 2^256 inputs.
fn encode_to_curve(salt: &[u8; PUBLIC_KEY_BYTES], input: &[u8]) -> Option<EdwardsPoint> {
    let start = Sha512::new()
        .chain_update([SUITE, ENCODE_TO_CURVE])
        .chain_update(salt)
        .chain_update(input);
    (0..=u8::MAX).find_map(|count| {
        let hash = start.clone().chain_update([count, END]).finalize();
        let candidate = point(hash.first_chunk()?)?.mul_by_cofactor();
        (!candidate.is_identity()).then_some(candidate)
    })
}

/// `ECVRF_challenge_generation`.
fn challenge(points: [&[u8; POINT_BYTES]; 5]) -> [u8; CHALLENGE_BYTES] {
    let mut hasher = Sha512::new().chain_update([SUITE, CHALLENGE]);
    for point in points {
        hasher.update(point);
    }
    let hash = hasher.chain_update([END]).finalize();
    std::array::from_fn(|at| hash[at])
}

/// The number that a challenge is, its lowest byte first.
fn scalar(challenge: &[u8; CHALLENGE_BYTES]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*challenge))
}

/// `ECVRF_proof_to_hash`.
fn output(gamma: &EdwardsPoint) -> [u8; OUTPUT_BYTES] {
    Sha512::new()
        .chain_update([SUITE, PROOF_TO_HASH])
        .chain_update(gamma.mul_by_cofactor().compress().as_bytes())
        .chain_update([END])
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::unhex;
    use proptest::prelude::*;

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        unhex(hex).try_into().expect("the right length")
    }

    struct Example {
        seed: &'static str,
        public_key: &'static str,
        input: &'static str,
        /// The input on the curve.
        h: &'static str,
        proof: &'static str,
        output: &'static str,
    }

    /// RFC 9381, appendix B.3: examples 16, 17 and 18.
    const EXAMPLES: [Example; 3] = [
        Example {
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            public_key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            input: "",
            h: "91bbed02a99461df1ad4c6564a5f5d829d0b90cfc7903e7a5797bd658abf3318",
            proof: "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f\
                    26f8a57ccaed74ee1b190bed1f479d97\
                    27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
            output: "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff\
                     66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae",
        },
        Example {
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            public_key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            input: "72",
            h: "5b659fc3d4e9263fd9a4ed1d022d75eaacc20df5e09f9ea937502396598dc551",
            proof: "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed593\
                    3bf0864a62558b3ed7f2fea45c92a465\
                    301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
            output: "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb\
                     5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031",
        },
        Example {
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            public_key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            input: "af82",
            h: "bf4339376f5542811de615e3313d2b36f6f53c0acfebb482159711201192576a",
            proof: "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf80\
                    96bb474e53895c362d8628ee9f9ea3c0\
                    e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
            output: "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c45\
                     2118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f",
        },
    ];

    #[test]
    fn the_examples_of_the_rfc_hold() {
        for example in &EXAMPLES {
            let (seed, key) = (array(example.seed), array(example.public_key));
            let (input, proof) = (unhex(example.input), array(example.proof));
            let output = array(example.output);
            let h = encode_to_curve(&key, &input).expect("a point");
            assert_eq!(h.compress().to_bytes(), array(example.h));
            assert_eq!(public_key(&seed), key);
            assert_eq!(prove(&seed, &input), (proof, output));
            assert_eq!(verify(&key, &input, &proof), Some(output));
        }
    }

    #[test]
    fn a_scalar_has_one_form() {
        // The order of the group, which is zero again.
        const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let order = Scalar::from_canonical_bytes(array(ORDER));
        assert!(bool::from(order.is_none()));
        for example in &EXAMPLES {
            let mut proof = array(example.proof);
            let mut carry = 0;
            for (byte, more) in proof[48..].iter_mut().zip(unhex(ORDER)) {
                carry += u16::from(*byte) + u16::from(more);
                *byte = carry as u8;
                carry >>= 8;
            }
            let (key, input) = (array(example.public_key), unhex(example.input));
            assert_eq!(verify(&key, &input, &proof), None);
        }
    }

    /// Points of low order and numbers that are no point or another form of one.
    fn bad_points() -> Vec<[u8; 32]> {
        let small = |low: u8| std::array::from_fn(|at| if at == 0 { low } else { 0 });
        let near_top = |low: u8, top: u8| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, top);
            bytes
        };
        let mut minus_zero = small(1);
        minus_zero[31] = 0x80;
        vec![
            // Order 1, 4, 2, 8 and 8.
            small(1),
            small(0),
            near_top(0xec, 0x7f),
            array("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            array("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            // Other forms: x = -0, y = p, y = p + 1, and y = p + 3, which is of no low order.
            minus_zero,
            near_top(0xed, 0x7f),
            near_top(0xee, 0x7f),
            near_top(0xf0, 0x7f),
            // Not on the curve.
            small(2),
        ]
    }

    #[test]
    fn bad_public_keys_are_refused() {
        // With s = 0 and gamma the identity, a key of order 1 would prove this for every input whose challenge fits.
        for key in bad_points() {
            for example in &EXAMPLES {
                let input = unhex(example.input);
                assert_eq!(verify(&key, &input, &array(example.proof)), None);
                assert_eq!(verify(&key, &input, &forged(&key, &input)), None);
            }
        }
    }

    /// A proof that holds for a public key of order 1, and for one of low order now and then, if the key isn't checked.
    fn forged(key: &[u8; 32], input: &[u8]) -> [u8; PROOF_BYTES] {
        let h = encode_to_curve(key, input).expect("a point");
        let gamma = {
            let mut identity = [0; 32];
            identity[0] = 1;
            identity
        };
        let s = Scalar::from(5u8);
        let (u, v) = (EdwardsPoint::mul_base(&s), h * s);
        let c = challenge([
            key,
            &h.compress().to_bytes(),
            &gamma,
            &u.compress().to_bytes(),
            &v.compress().to_bytes(),
        ]);
        let proof = [&gamma[..], &c, s.as_bytes()].concat();
        proof.try_into().expect("three parts")
    }

    #[test]
    fn the_forged_proof_would_hold_without_the_check() {
        let mut key = [0; 32];
        key[0] = 1;
        let proof = forged(&key, b"input");
        let Parts { gamma, c, s } = Parts::decode(&proof).expect("parts");
        let h = encode_to_curve(&key, b"input").expect("a point");
        let y = point(&key).expect("the identity");
        let u = EdwardsPoint::mul_base(&s) - y * scalar(&c);
        let v = h * s - gamma * scalar(&c);
        let points = [h, gamma, u, v].map(|point| point.compress().to_bytes());
        assert_eq!(
            challenge([&key, &points[0], &points[1], &points[2], &points[3]]),
            c
        );
    }

    #[test]
    fn bad_points_in_a_proof_are_refused() {
        for bytes in bad_points() {
            for example in &EXAMPLES {
                let mut proof: [u8; PROOF_BYTES] = array(example.proof);
                proof[..32].copy_from_slice(&bytes);
                let (key, input) = (array(example.public_key), unhex(example.input));
                assert_eq!(verify(&key, &input, &proof), None);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_proven_holds(seed: [u8; 32], input: Vec<u8>) {
            let (proof, output) = prove(&seed, &input);
            prop_assert_eq!(verify(&public_key(&seed), &input, &proof), Some(output));
        }

        #[test]
        fn a_changed_bit_breaks_it(seed: [u8; 32], input: Vec<u8>, at in 0..PROOF_BYTES * 8) {
            let (mut proof, _) = prove(&seed, &input);
            proof[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(verify(&public_key(&seed), &input, &proof), None);
        }

        #[test]
        fn a_changed_input_or_key_breaks_it(seed: [u8; 32], mut input: Vec<u8>, other: [u8; 32]) {
            let (proof, _) = prove(&seed, &input);
            prop_assume!(seed != other);
            prop_assert_eq!(verify(&public_key(&other), &input, &proof), None);
            input.push(0);
            prop_assert_eq!(verify(&public_key(&seed), &input, &proof), None);
        }

        #[test]
        fn nothing_panics(key: [u8; 32], input: Vec<u8>, proof in prop::array::uniform32(any::<u8>())) {
            let proof = std::array::from_fn(|at| proof[at % 32]);
            prop_assert_eq!(verify(&key, &input, &proof), None);
        }
    }
}
