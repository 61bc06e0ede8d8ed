use crate::add::add;
use homestar_sdk::flow::{Workflow, Task, workflow};

fn sums(first: u32) -> Workflow<Task<u32>> {
    workflow("sums", || {
        let three = add(first, 2);
        let five = add(&three, 2);
        add(five, three)
            .label("total")
            .limit("fuel", "10M")
            .limit("time", "2s")
            .limit("call-bytes", "1MiB")
            .retry_after(2, "200ms", "1s")
            .reuse("1h")
            .secret(false)
            .nonce("again")
    })
}

pub fn flow() -> Workflow<Task<u32>> {
    sums(1)
}
