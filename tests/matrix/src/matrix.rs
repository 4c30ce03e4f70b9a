//! The whole matrix: every cell, run in parallel.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cell::{Cell, Row};
use crate::facts::Facts;
use crate::playbook::{self, Playbook};
use crate::process;
use crate::settings::{PARALLEL_RUNS, PARALLEL_STARTS};
use crate::world::{Identities, World};

/// The rows of the cells that were run, in the order of the page.
pub struct Matrix {
    /// The rows.
    pub rows: Vec<Row>,
}

/// Runs every cell whose name contains `only`, with the program at `heal` and the playbooks of the repository at `root`.
pub async fn run(heal: &Path, root: &Path, only: &str) -> Matrix {
    let playbooks = Arc::new(playbook::shipped(heal, root));
    let identities = Arc::new(Identities::new());
    let places = Arc::new(Semaphore::new(PARALLEL_RUNS));
    let starts = Arc::new(Semaphore::new(PARALLEL_STARTS));
    let cells = Cell::all().into_iter().filter(|cell| cell.name().contains(only));
    let runs: Vec<_> = cells
        .map(|cell| {
            let (heal, root) = (heal.to_owned(), root.to_owned());
            let (playbooks, identities) = (playbooks.clone(), identities.clone());
            let (places, starts) = (places.clone(), starts.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await.unwrap();
                let world = World::start(cell, &identities).await;
                let start = starts.acquire_owned().await.unwrap();
                run_cell(cell, world, heal, root, start, &playbooks).await
            })
        })
        .collect();
    let mut rows = Vec::new();
    for run in runs {
        rows.push(run.await.unwrap());
    }
    Matrix { rows }
}

async fn run_cell(
    cell: Cell,
    world: World,
    heal: PathBuf,
    root: PathBuf,
    start: OwnedSemaphorePermit,
    playbooks: &[Playbook],
) -> Row {
    let (env, incident) = (world.env.clone(), cell.scenario.incident());
    let run = move || process::run(&heal, &root, &env, &incident, start);
    let ran = tokio::task::spawn_blocking(run).await.unwrap();
    let playbook = playbooks.iter().find(|playbook| playbook.name == cell.scenario.playbook).unwrap();
    let facts = Facts::read(cell, playbook, &world.platform, &ran);
    Row { cell, facts }
}

impl Matrix {
    /// Every broken rule, with its row.
    pub fn violations(&self) -> Vec<String> {
        let of_row = |row: &Row| {
            let name = row.cell.name();
            row.violations().into_iter().map(move |violation| format!("{name}: {violation}"))
        };
        self.rows.iter().flat_map(of_row).collect()
    }
}
