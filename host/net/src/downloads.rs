//! Files from where a URL says.
//!
//! A URL names a place and not a content: what it gives today may be something else tomorrow, and nothing can be checked
//! but who gives it. So the connection is encrypted and the server is the one of its certificate; what came has a name
//! only then.

mod url;

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

pub use self::url::{DownloadUrl, DownloadUrlError};

use crate::authorities::{self, AuthoritiesError};
use crate::client::{Answer, Http, Patience};
use crate::fetch::wait_for;
use crate::threads::{Job, Threads};
use crate::{Fault, What};

/// Pieces that came and weren't taken yet, some 16 KiB each. Who takes slowly makes the sender wait.
const UNTAKEN_MAX: usize = 16;
/// Connections to one host that are kept: files come one after the other.
const IDLE_MAX: usize = 2;

/// Settings of [`Downloads`].
#[derive(Clone, Debug)]
pub struct DownloadsSettings {
    /// Files with certificates in PEM, of authorities that are trusted besides the system's. None by default.
    pub authorities: Vec<PathBuf>,
    /// Time for a connection. Default 10 seconds.
    pub connect_timeout: Duration,
    /// Time until an answer begins, connecting included. Default 30 seconds.
    pub answer_timeout: Duration,
    /// Time between two pieces of an answer. Default 30 seconds.
    pub stall_timeout: Duration,
    /// Bytes a second that an answer has to come with. Default 1 KiB.
    pub rate_min: u64,
    /// Time that is spent waiting for an answer before its rate is looked at. Default 30 seconds.
    pub rate_grace: Duration,
}

impl Default for DownloadsSettings {
    fn default() -> Self {
        Self {
            authorities: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            rate_min: 1 << 10,
            rate_grace: Duration::from_secs(30),
        }
    }
}

/// Gets files by their URLs. It starts its threads when it is first asked.
pub struct Downloads {
    http: Arc<Http>,
    threads: Threads,
}

impl Downloads {
    /// Makes it. Of files, it reads those that the settings name.
    pub fn new(settings: &DownloadsSettings) -> Result<Self, AuthoritiesError> {
        let patience = Patience {
            connect: settings.connect_timeout,
            answer: settings.answer_timeout,
            stall: settings.stall_timeout,
            rate_min: settings.rate_min,
            rate_grace: settings.rate_grace,
        };
        let roots = authorities::roots(&settings.authorities)?;
        Ok(Self {
            http: Arc::new(Http::new(patience, IDLE_MAX, roots)),
            threads: Threads::default(),
        })
    }

    /// Begins to get a file, of which there may be `bytes_max` bytes. Returns when its server has begun to answer. A
    /// redirect is followed if it leads to the same place or to a public address by https, four times at most.
    ///
    /// This waits, and isn't for threads of an async runtime.
    pub fn get(&self, url: &DownloadUrl, bytes_max: u64) -> Result<Download<'_>, Box<Fault>> {
        let (http, asked) = (self.http.clone(), url.clone());
        let (out, pieces) = mpsc::channel(UNTAKEN_MAX);
        let job = self
            .threads
            .spawn(async move { send(&http, &asked, bytes_max, &out).await });
        let mut download = Download {
            url: url.clone(),
            length: None,
            pieces,
            piece: Bytes::new(),
            taken: 0,
            end: None,
            _job: job,
            _of: std::marker::PhantomData,
        };
        match wait_for(download.pieces.recv()) {
            Some(Ok(Piece::Begin { length })) => {
                download.length = length;
                Ok(download)
            }
            Some(Err(what)) => Err(download.fault(what)),
            _ => Err(download.fault(ended(0))),
        }
    }
}

impl fmt::Debug for Downloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloads").finish_non_exhaustive()
    }
}

/// What is handed over of a download.
enum Piece {
    Begin { length: Option<u64> },
    Bytes(Bytes),
    End,
}

type Pieces = mpsc::Sender<Result<Piece, What>>;

/// Hands a file over piece by piece. That nobody takes it any more ends it.
async fn send(http: &Http, url: &DownloadUrl, bytes_max: u64, out: &Pieces) {
    let answer = http.get(url.url().clone(), "*/*", |to| url.judge(to)).await;
    let sent = match answer {
        Ok(answer) => pass_on(answer, bytes_max, out).await,
        Err(refused) => Err(refused.what),
    };
    if let Err(what) = sent {
        let _ = out.send(Err(what)).await;
    }
}

async fn pass_on(mut answer: Answer, bytes_max: u64, out: &Pieces) -> Result<(), What> {
    let length = answer.length();
    let too_much = What::TooMuch { bytes_max };
    if length.is_some_and(|length| length > bytes_max) {
        return Err(too_much);
    }
    if out.send(Ok(Piece::Begin { length })).await.is_err() {
        return Ok(());
    }
    let mut left = bytes_max;
    while let Some(bytes) = answer.chunk().await? {
        left = match left.checked_sub(bytes.len() as u64) {
            Some(left) => left,
            None => return Err(too_much),
        };
        if out.send(Ok(Piece::Bytes(bytes))).await.is_err() {
            return Ok(());
        }
    }
    let _ = out.send(Ok(Piece::End)).await;
    Ok(())
}

/// A file on its way. Dropped before its end, it is given up.
///
/// It reads like a file: what goes wrong is an [`io::Error`] that holds a [`Fault`].
pub struct Download<'a> {
    url: DownloadUrl,
    length: Option<u64>,
    pieces: mpsc::Receiver<Result<Piece, What>>,
    piece: Bytes,
    taken: u64,
    /// Nothing comes any more: all was there, or something went wrong, which is said as often as somebody asks.
    end: Option<Result<(), What>>,
    _job: Job<()>,
    _of: std::marker::PhantomData<&'a Downloads>,
}

impl Download<'_> {
    /// How many bytes it has, if its server said so.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, which is empty at the end. A file that breaks off has no end but an error.
    pub fn piece(&mut self) -> Result<Bytes, Box<Fault>> {
        if !self.piece.is_empty() {
            return Ok(std::mem::take(&mut self.piece));
        }
        while self.end.is_none() {
            match wait_for(self.pieces.recv()) {
                Some(Ok(Piece::Bytes(bytes))) if bytes.is_empty() => {}
                Some(Ok(Piece::Bytes(bytes))) => {
                    self.taken += bytes.len() as u64;
                    return Ok(bytes);
                }
                Some(Ok(Piece::Begin { .. })) => {}
                Some(Ok(Piece::End)) => self.end = Some(Ok(())),
                Some(Err(what)) => self.end = Some(Err(what)),
                None => self.end = Some(Err(ended(self.taken))),
            }
        }
        match &self.end {
            Some(Err(what)) => Err(self.fault(what.clone())),
            _ => Ok(Bytes::new()),
        }
    }

    fn fault(&self, what: What) -> Box<Fault> {
        Box::new(Fault {
            provider: self.url.to_string().into(),
            what,
        })
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut piece = self.piece().map_err(|fault| io::Error::other(*fault))?;
        let length = piece.len().min(buffer.len());
        piece.copy_to_slice(&mut buffer[..length]);
        self.piece = piece;
        Ok(length)
    }
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("url", &self.url)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// The threads end only with the program.
fn ended(bytes: u64) -> What {
    What::BrokeOff {
        bytes,
        cause: "downloading has ended".to_owned(),
    }
}
