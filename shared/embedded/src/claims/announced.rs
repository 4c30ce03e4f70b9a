//! Claims that are announced and not yet written. A state file has one owner, so an announcement need not survive it: whoever announced has
//! done nothing. The claim is written with the first thing that counts: a reservation, an intent, the moment before the effect, or the result.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heal_runtime::Timestamp;
use heal_runtime::port::{ClaimKey, ClaimRequest, LeaseOwner, Stage};
use rusqlite::{Connection, params};

use super::place::{self, Place};
use crate::column::millis;
use crate::error::JobError;

/// Announcements at which those that ended long ago are dropped: their worker is gone, and has done nothing.
const MOST: usize = 4_096;
/// Milliseconds after its end for which an announcement is kept.
const KEEP_MS: u64 = 3_600_000;

/// The announced claims of this process.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    claims: Mutex<HashMap<ClaimKey, Announcement>>,
}

/// One announced claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    holder: LeaseOwner,
    lease_until: Timestamp,
}

impl Announcement {
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.lease_until > now
    }
}

/// What an announcement means for a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The requester announces the claim now; whether it is free, the store has to say.
    Announces,
    /// The requester has announced it.
    Renewed,
    /// Another holder has announced it, until then.
    Busy(Timestamp),
    /// The request is for the store, where this announcement is to be written first.
    Stored(Option<Announcement>),
}

impl Announced {
    pub(super) fn request(&self, request: &ClaimRequest) -> Standing {
        let ClaimRequest { key, holder, now, lease_until, stage, .. } = request;
        let mut claims = self.lock();
        let found = claims.get_mut(key);
        match (stage, found) {
            (_, Some(other)) if other.holder != *holder && other.is_live(*now) => Standing::Busy(other.lease_until),
            (Stage::Announce, Some(own)) if own.holder == *holder => {
                own.lease_until = *lease_until;
                Standing::Renewed
            }
            (Stage::Announce, None) => {
                if claims.len() >= MOST {
                    claims.retain(|_, announced| announced.lease_until.plus_ms(KEEP_MS) > *now);
                }
                claims.insert(key.clone(), Announcement { holder: holder.clone(), lease_until: *lease_until });
                Standing::Announces
            }
            (Stage::Announce | Stage::Full | Stage::Reserve, found) => Standing::Stored(found.cloned()),
        }
    }

    /// The holder's announcement.
    pub(crate) fn of(&self, key: &ClaimKey, holder: &LeaseOwner) -> Option<Announcement> {
        self.lock().get(key).filter(|found| found.holder == *holder).cloned()
    }

    /// The claim is in the store now, or is nobody's.
    pub(crate) fn forget(&self, key: &ClaimKey, announcement: &Announcement) {
        let mut claims = self.lock();
        if claims.get(key).is_some_and(|found| found.holder == announcement.holder) {
            claims.remove(key);
        }
    }

    /// Withdraws the holder's announcement. False if there is none.
    pub(super) fn withdraw(&self, key: &ClaimKey, holder: &LeaseOwner) -> bool {
        let mut claims = self.lock();
        let is_own = claims.get(key).is_some_and(|found| found.holder == *holder);
        if is_own {
            claims.remove(key);
        }
        is_own
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimKey, Announcement>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an announced claim. One that is in the store already stays as it is.
pub(crate) fn write(
    connection: &Connection,
    key: &ClaimKey,
    announcement: Option<&Announcement>,
) -> Result<(), JobError> {
    let Some(Announcement { holder, lease_until }) = announcement else { return Ok(()) };
    let mut insert = connection.prepare_cached(
        "INSERT INTO claim (run_no, attempt, action, holder, lease_until, recovered, reserved, asked)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, '[]', '[]') ON CONFLICT (run_no, attempt, action) DO NOTHING",
    )?;
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    insert.execute(params![run_no, attempt, action, holder.0, millis(*lease_until)])?;
    Ok(())
}
