//! What outputs are written to: a stream as it is, or one that is compressed on its way.

use std::{
    fs::File,
    io::{self, BufWriter, Stderr, Stdout, Write},
    time::{Duration, Instant},
};

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder;

/// A stream that is told when nothing follows any more: what is compressed has an end of its own.
pub trait Output: Write + Send {
    /// Completes what has been written. Nothing may be written afterwards.
    ///
    /// # Errors
    /// When it cannot be written.
    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Output for File {}
impl Output for Stdout {}
impl Output for Stderr {}
impl Output for Vec<u8> {}
impl Output for io::Sink {}

impl<W: Output + ?Sized> Output for Box<W> {
    fn end(&mut self) -> io::Result<()> {
        (**self).end()
    }
}

impl<W: Output> Output for BufWriter<W> {
    fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.get_mut().end()
    }
}

/// What a stream is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip: `.gz`
    Gzip,
    /// Zstandard: `.zst`
    Zstd,
}

impl Compression {
    /// What is written to the result goes to `out`, compressed.
    ///
    /// # Errors
    /// When the compressor cannot be set up.
    pub fn around<W: Output + 'static>(self, out: W) -> io::Result<Box<dyn Output>> {
        // Levels that keep up with a fast program: the next ones cost more time than they save space.
        Ok(match self {
            Self::Gzip => {
                Box::new(Paced::new(Gzip(GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL)))))
            }
            Self::Zstd => {
                let mut encoder = Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Box::new(Paced::new(Zstd(encoder)))
            }
        })
    }
}

const GZIP_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 3;

struct Gzip<W: Output>(GzEncoder<W>);

impl<W: Output> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Output> Output for Gzip<W> {
    fn end(&mut self) -> io::Result<()> {
        self.0.try_finish()?;
        self.0.get_mut().end()
    }
}

struct Zstd<W: Output>(Encoder<'static, W>);

impl<W: Output> Write for Zstd<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Output> Output for Zstd<W> {
    fn end(&mut self) -> io::Result<()> {
        self.0.do_finish()?;
        self.0.get_mut().end()
    }
}

/// A compressor is flushed at most this often: each time ends a block, and small blocks compress badly.
const PACE: Duration = Duration::from_secs(1);

/// Passes on one flush of many.
struct Paced<W> {
    out: W,
    flushed: Instant,
}

impl<W> Paced<W> {
    fn new(out: W) -> Self {
        Self { out, flushed: Instant::now() }
    }
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        if self.flushed.elapsed() < PACE {
            return Ok(());
        }
        self.flushed = Instant::now();
        self.out.flush()
    }
}

impl<W: Output> Output for Paced<W> {
    fn end(&mut self) -> io::Result<()> {
        self.out.end()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lock").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Shared {}

    fn compressed(compression: Compression) -> Vec<u8> {
        let shared = Shared::default();
        let mut out = BufWriter::new(compression.around(shared.clone()).expect("compressor"));
        for _ in 0..1_000 {
            out.write_all(b"the same line\n").expect("written");
            out.flush().expect("flushed");
        }
        out.end().expect("ended");
        let bytes = shared.0.lock().expect("lock").clone();
        assert!(bytes.len() < 500, "{} bytes: not a block for every line", bytes.len());
        bytes
    }

    #[test]
    fn compressed_streams_are_complete() {
        let expected = "the same line\n".repeat(1_000);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*compressed(Compression::Gzip))
            .read_to_string(&mut text)
            .expect("gzip");
        assert_eq!(text, expected);
        let zstd = zstd::decode_all(&*compressed(Compression::Zstd)).expect("zstd");
        assert_eq!(zstd, expected.as_bytes());
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Full {}

    #[test]
    fn a_full_disk_is_noticed_at_the_end_too() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut out = compression.around(Full).expect("compressor");
            let written = out.write_all(b"x").and_then(|()| out.end());
            assert_eq!(written.expect_err("full").kind(), io::ErrorKind::StorageFull);
        }
    }
}
