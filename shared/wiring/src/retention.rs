//! How long ended runs are kept.

/// Days that a run is kept after its end if nothing else is configured.
pub const RUN_RETENTION_DAYS: u64 = heal_aws::limit::RUN_RETENTION_DAYS;
/// The most days that can be configured: ten years.
pub const MAX_RUN_RETENTION_DAYS: u64 = 3_650;

/// Reads a number of days.
///
/// # Errors
/// What the value is and what is allowed.
pub fn parse_days(text: &str) -> Result<u64, String> {
    let days = text.parse().ok().filter(|days| (1..=MAX_RUN_RETENTION_DAYS).contains(days));
    days.ok_or_else(|| format!("`{text}` is not a whole number of days from 1 to {MAX_RUN_RETENTION_DAYS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_bounds() {
        assert_eq!(parse_days("1"), Ok(1));
        assert_eq!(parse_days("3650"), Ok(MAX_RUN_RETENTION_DAYS));
        for wrong in ["0", "3651", "-1", "90d", ""] {
            let error = parse_days(wrong).unwrap_err();
            assert_eq!(error, format!("`{wrong}` is not a whole number of days from 1 to 3650"));
        }
    }
}
