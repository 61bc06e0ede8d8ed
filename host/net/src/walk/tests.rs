use homestar_core::ipld::Ipld;

use super::*;

#[test]
fn x() {
    let _ = Ipld::Null;
}
