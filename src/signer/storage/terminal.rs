//! The controlling terminal, whatever stdin and stdout are.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

/// The longest line anybody types, in bytes.
const LONGEST: u64 = 64 << 10;

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

    /// Shows text.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }

    /// One line without its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the terminal was closed.
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if io::Read::take(&mut self.input, LONGEST).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}
