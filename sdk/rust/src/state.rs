//! Small values that stay after the task, by `homestar:std`. They need `homestar run --allow state=BUCKET`.

use crate::effect::{error, functions};

error! {
    /// Why not.
    {
        /// Not granted; the text says what would allow it.
        Denied(text: String) => "{text}",
        /// The task's budget is used up.
        Budget(text: String) => "{text}",
        /// A bucket or key can't have this name.
        Invalid(text: String) => "{text}",
        /// A value is larger than 256 KiB, or the bucket is full.
        TooLarge(most: u64) => "more than {most} bytes",
        /// The host's disk failed.
        Failed(text: String) => "{text}",
    }
}

functions! {
    "state", crate::bindings::homestar::std::state {
        /// Returns the value of a key, if it is there.
        fn get(bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Error>;
        /// Sets the value of a key: 256 KiB at most.
        fn set(bucket: &str, key: &str, value: &[u8]) -> Result<(), Error>;
        /// Removes a key, if it is there.
        fn delete(bucket: &str, key: &str) -> Result<(), Error>;
        /// Returns the keys, in the order of their bytes.
        fn list(bucket: &str) -> Result<Vec<String>, Error>;
    }
}
