# `make` alone says what there is.

CARGO_DENY_VERSION := 0.20.2
HEAL := $${CARGO_TARGET_DIR:-target}/debug/heal

.DEFAULT_GOAL := help
.PHONY: help run test lint bench bench-aws deny stack stack-down watch invoke require

help: ## what there is
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: require ## build, and heal an incident against stand-in services before your eyes
	@cargo build -p heal
	@$(HEAL) run tests/events/ticket_timeout.json --sandbox
	@scripts/next.sh

test: require ## everything: format, lints, playbooks, policy, dependencies, tests
	@scripts/test.sh

lint: require ## format, lints and playbooks alone
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build -p heal
	$(HEAL) playbook lint playbooks

bench: require ## time, throughput and bytes per step, with the settings they were measured under
	scripts/bench.sh

bench-aws: require ## requests and list price of a run on AWS, and how each function starts; builds for a quarter of an hour
	scripts/bench-aws.sh

deny: require ## licences, advisories and forbidden edges of the dependencies
	@PATH="$$PWD/.tools/bin:$$PATH"; command -v cargo-deny >/dev/null || cargo install --root .tools --locked --version $(CARGO_DENY_VERSION) cargo-deny
	PATH="$$PWD/.tools/bin:$$PATH" cargo deny --log-level error check

stack: require ## the deployed engine on this machine: template, queues and functions on MiniStack; again: updates
	@scripts/stack.sh up

stack-down: ## end what `make stack` started
	@scripts/stack.sh down

watch: require ## the functions under cargo lambda, built anew at each change; needs `make stack` for queues and table
	@scripts/watch.sh

invoke: ## one event for a function under `make watch`: FUNCTION=dispatcher EVENT=tests/events/lambda/dispatcher_incident.json
	@scripts/invoke.sh "$(FUNCTION)" "$(EVENT)"

require:
	@scripts/require.sh
