//! Room among the live runs.

/// Which runs take room; of the runs of earlier builds those with status `RUNNING`, a live shadow run among them. Waiting runs are in the order of
/// `heal_runtime::port::place`: `urgency` has two numbers for each severity.
pub(super) const UP: &str = "
ALTER TABLE run ADD COLUMN room INTEGER NOT NULL DEFAULT 0;
UPDATE run SET room = 1 WHERE live = 1 AND status = 'RUNNING' AND playbook IS NOT NULL;

CREATE INDEX run_room ON run (playbook) WHERE room = 1;
CREATE INDEX run_waiting ON run (playbook, urgency / 2 DESC, started_at, run_id) WHERE status = 'PENDING' AND held_by IS NULL;
";
