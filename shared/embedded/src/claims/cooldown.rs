//! A cooldown: the time after a reservation in which no other attempt may touch the target.

use heal_runtime::Timestamp;
use heal_runtime::port::{ClaimKey, ClaimRequest, CooldownKey, CooldownRequest, Cooling, reservation_put_right};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::column::{millis, moment, optional_moment};
use crate::error::JobError;

/// The targets that are cooling, each with the end of its cooldown, and those that were reserved.
type Reserved = (Vec<(CooldownKey, Timestamp)>, Vec<CooldownKey>);

/// The outcome of reserving one target.
enum ReserveOutcome {
    /// Reserved now.
    New,
    /// The same attempt reserved it earlier; the cooldown restarts now.
    Renewed,
    /// Another attempt's cooldown has not ended.
    Cooling { until: Timestamp },
}

/// A reservation as it is stored.
struct Cooldown {
    reserved_at: Timestamp,
    until: Timestamp,
    /// `None` if the last reservation was freed; then the times are those of the reservation before it.
    by: Option<ClaimKey>,
    /// Start and end of the reservation before this one, if that was not freed.
    before: Option<(Timestamp, Timestamp)>,
}

fn find(connection: &Connection, key: &CooldownKey) -> Result<Option<Cooldown>, JobError> {
    let mut select = connection.prepare_cached(
        "SELECT reserved_at, until, by_action, by_attempt, before_at, before_until FROM cooldown WHERE action = ?1 AND target = ?2",
    )?;
    let found = select.query_row([&key.action, &key.target], |row| {
        let by = row.get::<_, Option<String>>(2)?.zip(row.get::<_, Option<String>>(3)?);
        Ok(Cooldown {
            reserved_at: moment(row, 0)?,
            until: moment(row, 1)?,
            by: by.map(|(action, attempt)| ClaimKey { action, attempt }),
            before: optional_moment(row, 4)?.zip(optional_moment(row, 5)?),
        })
    });
    Ok(found.optional()?)
}

/// The target's last reservation that was not freed.
pub(super) fn peek(connection: &Connection, key: &CooldownKey) -> Result<Option<Cooling>, JobError> {
    let found = find(connection, key)?;
    let by = |by: Option<ClaimKey>| by.map(|by| by.attempt);
    Ok(found.map(|Cooldown { reserved_at: since, until, by: found, .. }| Cooling { since, until, by: by(found) }))
}

/// Time of the target's last reservation by another attempt that was not freed; `None` if there was none.
pub(super) fn last_touched(
    connection: &Connection,
    key: &CooldownKey,
    attempt: &ClaimKey,
) -> Result<Option<Timestamp>, JobError> {
    Ok(find(connection, key)?.and_then(|cooldown| {
        if cooldown.by.as_ref() == Some(attempt) {
            cooldown.before.map(|(reserved_at, _)| reserved_at)
        } else {
            Some(cooldown.reserved_at)
        }
    }))
}

/// Reserves the targets. Those that are cooling, and those that are reserved now and were not before.
pub(super) fn reserve_all(connection: &Connection, request: &ClaimRequest) -> Result<Reserved, JobError> {
    let (mut cooling, mut new) = (Vec::new(), Vec::new());
    for wanted in &request.cooldowns {
        match reserve(connection, wanted, request)? {
            ReserveOutcome::New => new.push(wanted.key.clone()),
            ReserveOutcome::Renewed => {}
            ReserveOutcome::Cooling { until } => cooling.push((wanted.key.clone(), until)),
        }
    }
    Ok((cooling, new))
}

fn reserve(
    connection: &Connection,
    wanted: &CooldownRequest,
    request: &ClaimRequest,
) -> Result<ReserveOutcome, JobError> {
    let ClaimRequest { key: by, now, takes_over, .. } = request;
    let is_taken_over = |cooldown: &Cooldown| {
        let earlier = takes_over.as_ref().zip(cooldown.by.as_ref());
        earlier.is_some_and(|(attempt, found)| found.action == by.action && found.attempt == *attempt)
    };
    let (reserved, before) = match find(connection, &wanted.key)? {
        None => (ReserveOutcome::New, None),
        Some(cooldown) if cooldown.by.as_ref() == Some(by) => (ReserveOutcome::Renewed, cooldown.before),
        Some(cooldown) if is_taken_over(&cooldown) => (ReserveOutcome::New, cooldown.before),
        Some(Cooldown { until, reserved_at, .. }) if until > *now => {
            let right = reservation_put_right(reserved_at, until, *now);
            right.map_or(Ok(()), |times| put_right(connection, &wanted.key, times))?;
            return Ok(ReserveOutcome::Cooling { until: right.map_or(until, |(_, until)| until) });
        }
        Some(cooldown) => (ReserveOutcome::New, Some((cooldown.reserved_at, cooldown.until))),
    };
    let mut write = connection.prepare_cached(
        "INSERT OR REPLACE INTO cooldown (action, target, reserved_at, until, by_action, by_attempt, before_at, before_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    write.execute(params![
        wanted.key.action,
        wanted.key.target,
        millis(*now),
        millis(now.plus_ms(wanted.cooldown_ms)),
        by.action,
        by.attempt,
        before.map(|(at, _)| millis(at)),
        before.map(|(_, until)| millis(until)),
    ])?;
    Ok(reserved)
}

/// Writes the times of a reservation that a wrong clock made.
fn put_right(
    connection: &Connection,
    key: &CooldownKey,
    (reserved_at, until): (Timestamp, Timestamp),
) -> Result<(), JobError> {
    let sql = "UPDATE cooldown SET reserved_at = ?3, until = ?4 WHERE action = ?1 AND target = ?2";
    connection.prepare_cached(sql)?.execute(params![key.action, key.target, millis(reserved_at), millis(until)])?;
    Ok(())
}

/// Undoes the reservation of `by`; leaves that of another attempt alone.
pub(super) fn free(connection: &Connection, key: &CooldownKey, by: &ClaimKey) -> Result<(), JobError> {
    let Some(cooldown) = find(connection, key)?.filter(|cooldown| cooldown.by.as_ref() == Some(by)) else {
        return Ok(());
    };
    let sql = if cooldown.before.is_some() {
        "UPDATE cooldown SET reserved_at = before_at, until = before_until,
         by_action = NULL, by_attempt = NULL, before_at = NULL, before_until = NULL WHERE action = ?1 AND target = ?2"
    } else {
        "DELETE FROM cooldown WHERE action = ?1 AND target = ?2"
    };
    connection.prepare_cached(sql)?.execute([&key.action, &key.target])?;
    Ok(())
}
