# make          builds ./ilion
# make serve    builds and serves on 127.0.0.1:9042, data in ./ilion-data
# make test     the tests that need Go only
# make check    everything that must pass before a change lands
# make fuzz     every fuzz target, FUZZ_N executions each
# make long     the same faults and models at full size, then make fuzz
# make bench    benchmarks of the packages
# make compare  side by side with the peers (own module in bench/compare)

export CGO_ENABLED ?= 0
GO ?= go

.PHONY: build serve test check format vet staticcheck builds mutants sim levels race clients long fuzz bench compare

build:
	$(GO) build -trimpath -o ilion ./cmd/ilion

serve: build
	./ilion serve

test:
	$(GO) test ./...

check: format vet staticcheck builds mutants sim levels race clients

format:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags "invariants failpoints mutants clients" ./...
	cd bench/compare && $(GO) vet ./...

staticcheck:
	$(GO) tool -modfile=internal/tools/go.mod staticcheck ./...

builds:
	GOOS=linux GOARCH=arm64 $(GO) build ./...
	GOOS=darwin GOARCH=arm64 $(GO) build ./...

# Deliberate bugs, one at a time: the crash and model suites and the simulation
# must catch each.
mutants:
	$(GO) test -tags mutants -run Mutant -count=1 -timeout 50m ./commitlog/... ./internal/journal/... ./engine/... ./cluster/... ./internal/node

# Whole nodes under load and faults on virtual time, see docs/testing.md: a process
# for each workload, on one CPU, where it needs a third less of it than on two.
SIMS := TestSim TestSimHints TestSimTwoDCs
SIM_TIME ?= 9m
SIM_RUNS ?= 2
SIM_SEED ?= 1

sim:
	@$(MAKE) --no-print-directory -j2 $(SIMS:%=sim-%)

sim-%:
	$(GO) test -run '^$*$$' -v -cpu 1 -count=1 -timeout 170m ./internal/node -seed $(SIM_SEED) -simtime $(SIM_TIME) -simruns $(SIM_RUNS)

# The next version, whose format level is one higher: alone, and beside this one.
levels:
	$(GO) vet -tags nextlevel ./...
	$(GO) test -tags nextlevel -count=1 -timeout 50m ./cluster/metadata ./internal/config ./internal/node

# The race detector needs cgo and a C compiler; the product does not.
race:
	CGO_ENABLED=1 $(GO) test -race -tags invariants -timeout 50m ./...

# Drivers and cqlsh in other languages, and tests of the real process that need
# root for loop disks. They are Go tests that start what they need.
clients:
	$(GO) test -tags "clients" -count=1 -timeout 50m ./internal/clienttest/... ./internal/proctest/...

long:
	$(GO) test -tags "invariants long" -count=1 -timeout 170m ./...
	$(MAKE) sim SIM_TIME=10m SIM_RUNS=40 SIM_SEED=$$(date +%s)
	$(MAKE) fuzz

# A count of executions, not a time, see internal/tools/fuzz.sh for the settings.
fuzz:
	sh internal/tools/fuzz.sh

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

compare:
	cd bench/compare && ./run
