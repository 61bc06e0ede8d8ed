//! How long it takes until a changed effect counts.

use std::fs;
use std::time::{Duration, Instant};

use homestar_core::unixfs::cid_of_file;
use homestar_engine::Live;

use crate::Error;
use crate::measure::{Clock, Effort, Measurement};

/// Nothing takes that long.
const AT_MOST: Duration = Duration::from_secs(60);

/// An effect is dropped, replaced and removed in a folder that is watched.
pub(crate) fn swap(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("effect.wasm");
    let next = folder.path().join("next");
    let live = Live::open(&[folder.path().to_owned()], 1 << 20);
    let bytes = fs::read(homestar_guests::almanac())?;
    let mut times: [Vec<f64>; 4] = Default::default();
    for round in 0..effort.rounds(100) {
        let version = |number: usize| versions(&bytes, 4 * round + number);
        times[0].push(until(&live, Some(&version(0)), |bytes| {
            fs::write(&next, bytes)?;
            fs::rename(&next, &path)
        })?);
        times[1].push(until(&live, Some(&version(1)), |bytes| {
            fs::write(&path, bytes)
        })?);
        times[2].push(until(&live, Some(&version(2)), |bytes| {
            fs::remove_file(&path)?;
            fs::write(&path, bytes)
        })?);
        times[3].push(until(&live, None, |_| fs::remove_file(&path))?);
    }
    let names = [
        "replaced by renaming",
        "written in place",
        "made anew",
        "removed",
    ];
    let sides = names.map(str::to_owned).into_iter().zip(times);
    let measured = Measurement::new("swap: an effect of 17 KB in a folder", Clock::Wall, sides);
    Ok(vec![measured.goal("≤ 50 ms")])
}

/// Returns `component` with a section of no meaning that tells versions apart.
fn versions(component: &[u8], number: usize) -> Vec<u8> {
    let name = format!("version-{number:08}");
    let mut bytes = component.to_vec();
    bytes.extend([0, name.len() as u8 + 1, name.len() as u8]);
    bytes.extend(name.as_bytes());
    bytes
}

/// Returns how long it takes until `bytes` is the one effect, or there is none, once `change` has begun.
fn until(
    live: &Live,
    bytes: Option<&[u8]>,
    change: impl FnOnce(&[u8]) -> std::io::Result<()>,
) -> Result<f64, Error> {
    let wanted = bytes.map(cid_of_file);
    let begin = Instant::now();
    change(bytes.unwrap_or_default())?;
    while begin.elapsed() < AT_MOST {
        let snapshot = live.snapshot();
        if snapshot
            .effects
            .iter()
            .map(|effect| effect.cid())
            .eq(wanted.as_ref())
        {
            return Ok(begin.elapsed().as_secs_f64());
        }
        live.wait(snapshot.generation, AT_MOST);
    }
    Err("a changed effect was not seen".into())
}
