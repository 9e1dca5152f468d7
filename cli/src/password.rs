//! A password that is never on the command line: asked for without echo, or one line of stdin where nobody can be asked.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use issuer::NewPassword;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use crate::failure::Failure;
use crate::terminal;

/// Past this a line is no password; the issuer says how long one may be.
const LINE_BYTES_MAX: u64 = 4096;

const CTRL_C: u8 = 3;

/// A new password.
pub(crate) fn read() -> Result<NewPassword, Failure> {
    let password = if io::stdin().is_terminal() { asked()? } else { line()? };
    NewPassword::parse(password).map_err(Failure::from_error)
}

fn asked() -> Result<String, Failure> {
    let quiet = Quiet::begin()?;
    terminal::ask("Password (not shown): ");
    let first = line();
    terminal::ask("\nThe same again: ");
    let second = if first.is_ok() { line() } else { Ok(String::new()) };
    terminal::ask("\n");
    drop(quiet);
    let (first, second) = (first?, second?);
    if first == second { Ok(first) } else { Err(Failure::usage("these were two passwords: try again")) }
}

fn line() -> Result<String, Failure> {
    let mut line = Vec::new();
    let mut input = io::stdin().lock().take(LINE_BYTES_MAX);
    let read = input.read_until(b'\n', &mut line);
    read.map_err(|error| Failure::runtime(format!("cannot read the password: {error}: pass it as a line of stdin")))?;
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    if line.last() == Some(&CTRL_C) {
        return Err(Failure::runtime("nothing was changed: interrupted"));
    }
    String::from_utf8(line).map_err(|_| Failure::usage("the password is not UTF-8: choose another"))
}

/// A terminal that does not show what is typed, until this is dropped. Meanwhile ctrl-c ends the line and not the process,
/// which would leave the terminal silent.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(io::stdin()).map_err(Failure::from_error)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        if let Some(end_of_line) = quiet.control_chars.get_mut(SpecialCharacterIndices::VEOL as usize) {
            *end_of_line = CTRL_C;
        }
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet).map_err(Failure::from_error)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0) {
            terminal::complain(&format!("the terminal stays silent ({error}): type `stty sane`"));
        }
    }
}
