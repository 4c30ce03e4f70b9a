//! The exit code of a command.

use std::process::ExitCode;

use heal_engine::event::{RunOutcome, RunStatus};

/// How a command that was executed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything succeeded.
    Success,
    /// 1: the run failed, the lint found errors, the doctor found a fault. The command has reported it.
    Failure,
    /// 3: something is left for a person. The run ended `DEGRADED`, so it is done; or `ESCALATED`, so it did nothing.
    LeftOver,
}

/// Bad usage or bad input: the same number as the argument parser's.
const BAD_INPUT: u8 = 2;
const LEFT_OVER: u8 = 3;

impl Exit {
    pub(crate) const fn success_if(ok: bool) -> Self {
        if ok { Self::Success } else { Self::Failure }
    }

    /// The exit of a command that did both.
    pub(crate) const fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failure, _) | (_, Self::Failure) => Self::Failure,
            (Self::LeftOver, _) | (_, Self::LeftOver) => Self::LeftOver,
            (Self::Success, Self::Success) => Self::Success,
        }
    }

    /// The exit of a command that followed a run up to here.
    pub(crate) fn of_run(status: RunStatus, outcome: Option<RunOutcome>) -> Self {
        match outcome {
            Some(RunOutcome::Degraded | RunOutcome::Escalated) => Self::LeftOver,
            Some(_) | None => Self::success_if(status == RunStatus::Completed),
        }
    }
}

/// The exit code. An error is printed to standard error with its causes, each behind a colon.
pub(crate) fn code(result: anyhow::Result<Exit>) -> ExitCode {
    match result {
        Ok(Exit::Success) => ExitCode::SUCCESS,
        Ok(Exit::Failure) => ExitCode::FAILURE,
        Ok(Exit::LeftOver) => ExitCode::from(LEFT_OVER),
        Err(error) => {
            crate::out::error(&error);
            ExitCode::from(BAD_INPUT)
        }
    }
}
