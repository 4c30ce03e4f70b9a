//! The exit code of a command.

use std::process::ExitCode;

/// How a command that was executed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything succeeded.
    Success,
    /// 1: the run failed, the lint found errors, the doctor found a fault. The command has reported it.
    Failure,
}

/// Bad usage or bad input: the same number as the argument parser's.
const BAD_INPUT: u8 = 2;

impl Exit {
    pub(crate) const fn success_if(ok: bool) -> Self {
        if ok { Self::Success } else { Self::Failure }
    }
}

/// The exit code. An error is printed to standard error with its causes, each behind a colon.
pub(crate) fn code(result: anyhow::Result<Exit>) -> ExitCode {
    match result {
        Ok(Exit::Success) => ExitCode::SUCCESS,
        Ok(Exit::Failure) => ExitCode::FAILURE,
        Err(error) => {
            crate::out::error(&error);
            ExitCode::from(BAD_INPUT)
        }
    }
}
