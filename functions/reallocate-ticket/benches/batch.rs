//! The time of one attempt on 10, 100 and 1,000 tickets, over ports in memory and the stand-in ticket service: the time per ticket is to stay the
//! same.
//!
//! `make bench` runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heal_reallocate_ticket::{COOLDOWN_MS, ReallocateTicket, spec};
use heal_rig::rig::{Rig, of_run};
use heal_runtime::AttemptOutcome;
use heal_sandbox::PlatformConfig;
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use serde_json::json;

fn batch(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("reallocate_ticket");
    group.sample_size(10);
    for size in [10_u64, 100, 1_000] {
        let ids: Vec<String> = (0..size).map(|number| format!("t-{number}")).collect();
        let tickets = ids.iter().map(|id| Ticket::new(id, TicketStatus::Running)).collect();
        let rig = Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..PlatformConfig::default() });
        let worker = rig.worker(ReallocateTicket::new(rig.tickets(), rig.clock()));
        let mut runs = 0;
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                // Another run, after the cooldowns of the last.
                runs += 1;
                rig.clock.advance_ms(COOLDOWN_MS + 1);
                rig.platform.forget_calls();
                let command = rig.command(&spec(), json!({"affected_tickets": ids, "reason": "worker_failure"}));
                let command = of_run(&command, &format!("run-{runs}"));
                let result = runtime.block_on(rig.perform(&worker, &command));
                assert_eq!(result.outcome, AttemptOutcome::Succeeded);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
