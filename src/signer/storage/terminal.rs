//! The controlling terminal, whatever stdin and stdout are.

use coldsign_verify::escape;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, mpsc};
use zeroize::Zeroizing;

/// The longest line anybody types, in bytes.
const LONGEST: u64 = 64 << 10;

/// From now on a signal that ends the process leaves the terminal as it is now: a question for a
/// secret turns its echo off, and nobody would turn it on again. Nor does it leave empty folders.
pub fn restore_terminal_on_signals() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return };
        let Ok(settings) = tcgetattr(&terminal) else { return };
        let (ready, listening) = mpsc::sync_channel(1);
        // Caught only where somebody listens: without the thread a signal ends the process as ever.
        let wait = move || {
            let Ok((mut caught, number)) = catch() else { return };
            let _ = ready.send(());
            // One byte a signal; the pipe never ends while the process lives.
            while caught.read_exact(&mut [0]).is_ok() {
                let _ = tcsetattr(&terminal, OptionalActions::Now, &settings);
                super::tidy();
                let signal = i32::try_from(number.load(Ordering::SeqCst)).unwrap_or(SIGTERM);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        };
        if std::thread::Builder::new().name("signals".to_owned()).spawn(wait).is_ok() {
            let _ = listening.recv();
        }
    });
}

/// Where a byte arrives with each signal, and the number of the last one. A pipe: a confined process
/// gets no sockets, not even a pair of its own.
fn catch() -> io::Result<(PipeReader, Arc<AtomicUsize>)> {
    let (reader, writer) = io::pipe()?;
    let number = Arc::new(AtomicUsize::new(0));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register_usize(signal, Arc::clone(&number), usize::try_from(signal).unwrap_or_default())?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok((reader, number))
}

/// Whether standard output was closed when the process began: Rust's runtime then puts the null
/// device there, open both ways, and whatever is written is lost without an error.
pub fn stdout_is_closed(stdout: impl AsFd) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, major, minor};
    let null = fstat(&stdout).is_ok_and(|found| (major(found.st_rdev), minor(found.st_rdev)) == (1, 3));
    null && fcntl_getfl(&stdout).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

/// The terminal, opened for asking.
pub struct Terminal {
    input: BufReader<File>,
    output: File,
}

impl Terminal {
    /// Opens `/dev/tty`.
    ///
    /// # Errors
    /// As the system refuses, where there is none.
    pub fn open() -> io::Result<Self> {
        let output = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Self { input: BufReader::new(output.try_clone()?), output })
    }

    /// Shows text, escaped as all text from outside is: it can't move the cursor or hide.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(shown(text).as_bytes())?;
        self.output.flush()
    }

    /// Drops what was typed before: it answers no question that was not on the screen yet.
    pub fn forget_typed(&mut self) {
        let _ = rustix::termios::tcflush(&self.output, rustix::termios::QueueSelector::IFlush);
    }

    /// One line without its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the terminal was closed.
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if Read::take(&mut self.input, LONGEST).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}

/// As the terminal gets it. A sheet with codes on it goes this way too.
fn shown(text: &str) -> Zeroizing<String> {
    Zeroizing::new(escape::page(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn nothing_that_is_shown_moves_the_cursor_or_hides() {
        assert_eq!(*shown("a sheet\n\tits code\n"), "a sheet\n\tits code\n");
        assert_eq!(*shown("\u{1b}]0;x\u{7}\u{9b}2J\r\u{200b}"), r"\u{1b}]0;x\u{7}\u{9b}2J\u{d}\u{200b}");
    }
}
