//! The configuration as a person reads it: `heal doctor`.

use std::fmt;

use super::read;
use super::reader::Reader;
use super::strings::Strings;

/// One variable as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// What holds, credentials hidden. `None`: unset and without a default.
    pub value: Option<String>,
    pub source: Source,
    pub purpose: &'static str,
    /// What is wrong with the value, where something is.
    pub problem: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Environment,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Default => "default",
        })
    }
}

/// Every variable with its value and source, also where the configuration as a whole is wrong.
pub fn describe(strings: &dyn Strings) -> Vec<Setting> {
    let mut reader = Reader::new(strings);
    // The settings are noted as they are read; whether they make a configuration is `Config::read`'s question.
    let _ = read::config(&mut reader);
    reader.into_settings()
}
