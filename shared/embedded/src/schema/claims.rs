//! Claims beside those of the same time.

/// Runs are numbered as they come, so the claims of runs that live at the same time share their pages; by their random names each had a page of its
/// own. `run_no` is 0 and `attempt` the whole name where no run is known. `result_seq` is the sequence number of the run's event that has the result;
/// `result` is the text of a result that no event has.
pub(super) const UP: &str = "
CREATE TABLE claim_by_run (
    no INTEGER PRIMARY KEY,
    run_no INTEGER NOT NULL,
    attempt TEXT NOT NULL,
    action TEXT NOT NULL,
    holder TEXT,
    lease_until INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    reserved TEXT NOT NULL,
    asked TEXT NOT NULL,
    intent TEXT,
    result TEXT,
    result_seq INTEGER,
    UNIQUE (run_no, attempt, action)
) STRICT;
INSERT INTO claim_by_run (run_no, attempt, action, holder, lease_until, recovered, reserved, asked, intent, result)
SELECT coalesce(run.no, 0), CASE WHEN run.no IS NULL THEN claim.attempt ELSE substr(claim.attempt, instr(claim.attempt, '/') + 1) END,
    claim.action, claim.holder, claim.lease_until, claim.recovered, claim.reserved, claim.asked, claim.intent, claim.result
FROM claim LEFT JOIN run ON run.run_id = substr(claim.attempt, 1, instr(claim.attempt, '/') - 1)
ORDER BY claim.lease_until;
DROP TABLE claim;
ALTER TABLE claim_by_run RENAME TO claim;
CREATE INDEX claim_lease ON claim (lease_until);
";
