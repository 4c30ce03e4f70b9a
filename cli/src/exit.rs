//! How a command ends, for the shell.

use std::process::ExitCode;

/// A command that could do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 0: done, and well.
    Done,
    /// 1: the run failed, the lint found errors, the doctor found a fault. The command has said so.
    Failed,
}

/// Bad usage or bad input: the same number as the argument parser's.
const BAD_INPUT: u8 = 2;

impl Verdict {
    pub(crate) const fn of(well: bool) -> Self {
        if well { Self::Done } else { Self::Failed }
    }
}

/// The exit code; an error is told to standard error, causes behind colons.
pub(crate) fn code(result: anyhow::Result<Verdict>) -> ExitCode {
    match result {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::FAILURE,
        Err(error) => {
            crate::out::error(&error);
            ExitCode::from(BAD_INPUT)
        }
    }
}
