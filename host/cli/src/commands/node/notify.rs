//! What a supervisor hears of a node: systemd's `sd_notify`, and whatever speaks it.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::paths;

/// Tells the supervisor something, if there is one. That it can't be told is no reason not to run.
pub(super) fn tell(state: &str) {
    if let Some(name) = paths::supervisor() {
        let _ = send(name.as_bytes(), state);
    }
}

fn send(name: &[u8], state: &str) -> io::Result<()> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_supervisor_has_a_path_or_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_bytes(), "READY=1").unwrap();
        assert_eq!(heard(&socket), "READY=1");
        // A name that is the test's own.
        let name = path.as_os_str().as_bytes();
        let socket = SocketAddr::from_abstract_name(name).unwrap();
        let socket = UnixDatagram::bind_addr(&socket).unwrap();
        send(&[b"@", name].concat(), "STOPPING=1").unwrap();
        assert_eq!(heard(&socket), "STOPPING=1");
    }
}
