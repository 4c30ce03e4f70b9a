# `make` alone lists the targets.

HEAL := $${CARGO_TARGET_DIR:-target}/debug/heal

.DEFAULT_GOAL := help
.PHONY: help run install test lint bench bench-aws bench-doors bench-flame bench-grow bench-halt bench-peers bench-readers bench-storm simulate crash-points soak mutants fuzz fault-matrix deny stack stack-down watch invoke require

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-17s %s\n", $$1, $$2 }'

run: require ## build, and heal an incident against stand-in services
	@cargo build -p heal
	@$(HEAL) run tests/events/ticket_timeout.json --sandbox
	@scripts/next.sh

install: require ## build `heal` for running (profile fast: speed, names in backtraces; a quarter of an hour), and install it into Cargo's folder of programs
	cargo install --locked --profile fast --path cli

test: require ## every check: format, lints, docs, playbooks, policy, template, dependencies, tests
	@scripts/test.sh

lint: require ## format, lints and playbooks only
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build -p heal
	$(HEAL) playbook lint playbooks

bench: require ## time, throughput and bytes per step, with the machine's description
	scripts/bench.sh

bench-aws: require ## requests and list price of a run on AWS, and the start-up of each function; builds for 15 minutes
	scripts/bench-aws.sh

bench-doors: require ## the HTTP API with 5,000 idle connections and 500 slow ones: /health under 100 ms, memory under 100 MiB; takes half a minute
	scripts/bench-doors.sh

bench-halt: require ## from `heal halt --all` to the last effect, under load: 5 s at most; takes two minutes; STACK=1: on a local AWS
	@STACK="$(STACK)" scripts/bench-halt.sh

bench-peers: require ## heal beside Restate and a bare loop on the same work, five rounds each; needs npm; the first call builds for a quarter of an hour
	@scripts/bench-peers.sh

bench-flame: require ## a flame graph of heal serve under load; needs perf; builds for five minutes
	@scripts/bench-flame.sh

bench-grow: require ## what stored runs cost the next ones: heal serve with 10 of them, 10,000, and so on up to RUNS=100000; 1000000 takes a quarter of an hour
	@RUNS="$(RUNS)" scripts/bench-grow.sh

bench-readers: require ## /health while 40 clients read a run of 6,000 elements: 250 ms at most, and 5 times what small reads leave; takes two minutes
	scripts/bench-readers.sh

bench-storm: require ## 10,000 incidents in a minute on a target of 100 calls a second: none may fail for being late; takes five minutes; STACK=1: fewer, on a local AWS
	@STACK="$(STACK)" scripts/bench-storm.sh

simulate: require ## random faults against the laws, optimised: COURSES=10000 of them, or HAPPENINGS=10000000; SEED=n tells one course event by event
	@COURSES="$(COURSES)" HAPPENINGS="$(HAPPENINGS)" SEED="$(SEED)" scripts/simulate.sh

crash-points: require ## a crash before and after every call that changes something, over SQLite and over a local AWS, also two in one course
	@scripts/install-aws-tools.sh ministack
	@CRASH_TWICE_IN=1 CRASH_SEED="$(SEED)" cargo test --locked --workspace --test every_port_call -- --nocapture

soak: require ## load, kills and faults for HOURS=1, and an account that has to balance; RATE= incidents a second; SEED=n; STACK=1: on a local AWS
	@STACK="$(STACK)" HOURS="$(HOURS)" RATE="$(RATE)" SEED="$(SEED)" scripts/soak.sh

mutants: require ## mutation testing, by hand: FILES="shared/engine/src/decide.rs", by default the state machine; hours; docs/mutants.md
	@FILES="$(FILES)" scripts/mutants.sh

fuzz: require ## mutated inputs for everything that reads a text from outside: SECONDS=600 for each of the targets
	@FUZZ_SECONDS="$(SECONDS)" FUZZ_SEED="$(SEED)" cargo test --locked --workspace --test targets -- --nocapture --test-threads 2

fault-matrix: require ## run every playbook under every fault of every service, and write docs/fault-matrix.md; 3 minutes
	@scripts/fault-matrix.sh

deny: require ## licences, advisories and forbidden edges of the dependencies
	@scripts/install-cargo-deny.sh
	PATH="$$PWD/.tools/bin:$$PATH" cargo deny --log-level error check

stack: require ## deploy the template onto a local AWS (MiniStack) with a stand-in platform, or update it
	@scripts/stack.sh up

stack-down: ## stop what `make stack` started
	@scripts/stack.sh down

watch: require ## run the functions under cargo lambda and rebuild them on changes; needs `make stack`
	@scripts/watch.sh

invoke: ## send an event to a function under `make watch`: FUNCTION=dispatcher EVENT=tests/events/lambda/dispatcher_incident.json
	@scripts/invoke.sh "$(FUNCTION)" "$(EVENT)"

require:
	@scripts/require.sh
