//! Lines in and out, each on a thread of its own: pipes know no async.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd;

use tokio::sync::mpsc;

const BUFFER_BYTES: usize = 64 * 1024;

/// A line that was read.
pub(crate) enum Line {
    /// With or without its end.
    Text(Vec<u8>),
    /// Longer than allowed; it was skipped.
    TooLong,
}

/// Read lines until the end, or until nobody takes them any more.
pub(crate) fn read_lines(
    input: impl Read,
    max_bytes: usize,
    lines: &mpsc::Sender<Line>,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    loop {
        let mut text = Vec::new();
        if input.by_ref().take(limit).read_until(b'\n', &mut text)? == 0 {
            return Ok(());
        }
        let is_whole = text.ends_with(b"\n");
        let line = if text.len() > max_bytes && !is_whole {
            input.skip_until(b'\n')?;
            Line::TooLong
        } else {
            Line::Text(text)
        };
        if lines.blocking_send(line).is_err() {
            return Ok(());
        }
    }
}

/// Write lines as they come, those that come together at once.
pub(crate) fn write_lines(
    output: impl Write,
    mut lines: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, output);
    while let Some(line) = lines.blocking_recv() {
        output.write_all(&line)?;
        while let Ok(line) = lines.try_recv() {
            output.write_all(&line)?;
        }
        output.flush()?;
    }
    Ok(())
}

/// Take stdin and stdout for the protocol alone. What anything else in this process, or a child of
/// it, prints goes to stderr, and so into the worker's log; it reads nothing.
pub(crate) fn take_stdio() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((File::from(input), File::from(output)))
}
