# make demo     the main job from sales to report, on this machine, in three minutes after the build
# make demo-drift  two stores sell more, a device falls silent: alerts, report and pages tell it, the autopilot repairs it
# make test     everything: unit, protocol, end to end (with the ordinary agent and the Embedded one)
# make lint     layout, shell scripts, words that must not be here
# make agent    the agent as it ships: Embedded Swift, .build/agent/shelfcast-agent
# make agent-static            the same with the C library in it, for devices with another one: .build/agent/shelfcast-agent-static
# make agent-aarch64           both for ARM, cross-compiled: .build/agent/shelfcast-agent-aarch64[-static]
# make agent-armv7             both for 32-bit ARM: .build/agent/shelfcast-agent-armv7[-static]
# make packages the agent as Debian packages for amd64, arm64, armel and armhf, and as archives for other systems, and the hub: .build/packages
# make cross-aarch64 PRODUCT=p  any product of what a device runs: .build/agent/p-aarch64
# make hub      the hub, optimised: .build/release/shelfcast-hub
# make bench    speed, memory and accuracy, into .build/bench.json     [ONLY=engine|train|accuracy|article|import|agent|rollout|trust|drift|report]
# make conformance             attacks on update metadata, against the update client: a table of cases
# make attacks  attacks by whoever has the hub's place and not its keys: the table above, and the real programs
# make fuzz     spoiled packages under AddressSanitizer                    [EXECUTIONS=1000000 SEED=1]
# make screenshots             pictures of the pages for the README, of the hub that `make demo` leaves behind
# make setup    installs what a build needs and this machine lacks (the others call it)
# make clean    removes what was built
#
# SALES=path/to.csv[.gz]   the demos' sales instead of made-up ones
# SALES_DATA=folder        the reference sales data for tests and benchmarks (default ../shared/data)
# PEERS=folder             the programs that the engine is measured beside (default ../shared/peers)

SALES ?=
ONLY ?=
EXECUTIONS ?= 1000000
SEED ?= 1
export SALES_DATA ?= $(CURDIR)/../shared/data
export PEERS ?= $(CURDIR)/../shared/peers
export SHELFCAST_PYTHON ?= $(CURDIR)/.venv/bin/python3
AGENT := .build/agent/shelfcast-agent
# More tests at once than the machine can carry starve those that wait for one another.
TESTS := swift test --skip-build --experimental-maximum-parallelization-width 4
# Those that talk to servers within time limits: apart from those that keep the threads busy.
SERVING := ^(HubSyncTests|AlertingTests|HubWebTests)

# What the hub's package depends on, and what boots the machine that it is on.
HUB_NEEDS := libopenblas0-pthread,libsqlite3-0,libstdc++6,adduser,tzdata,systemd-sysv,dbus

.PHONY: demo demo-drift test lint agent agent-static agent-aarch64 agent-armv7 packages hub hub-static bench conformance attacks fuzz screenshots setup clean

demo: setup agent hub
	python3 Scripts/demo.py --hub .build/release/shelfcast-hub --agent $(AGENT) $(if $(SALES),--sales "$(SALES)")

demo-drift: setup agent hub
	python3 Scripts/demo_drift.py --hub .build/release/shelfcast-hub --agent $(AGENT) $(if $(SALES),--sales "$(SALES)")

test: export SHELFCAST_EMBEDDED_AGENT := $(CURDIR)/$(AGENT)
test: export SHELFCAST_CROSS_BUILT := $(CURDIR)/.build/agent
test: export SHELFCAST_PACKAGES := $(CURDIR)/.build/packages
test: export SHELFCAST_FRESH_DEBIAN := $(CURDIR)/.build/fresh-debian.tar
test: export SHELFCAST_HUB_PACKAGES := $(CURDIR)/.build/packages-debug
test: export SHELFCAST_FRESH_HUB_DEBIAN := $(CURDIR)/.build/fresh-server-debian.tar
test: setup .venv/complete agent agent-static
	swift build --build-tests --explicit-target-dependency-import-check error
	$(TESTS) --skip EndToEndTests --skip '$(SERVING)'
	$(TESTS) --filter '$(SERVING)'
	$(MAKE) conformance
	@built=""; for arm in aarch64 armv7; do \
	if Scripts/setup-arm $$arm; then built="$$built agent-$$arm"; \
	else rm -f $(AGENT)-$$arm; echo "make test: skipping what runs on an emulated ARM ($$arm), for the reason above" >&2; fi; done; \
	[ -z "$$built" ] || $(MAKE) -j2 --output-sync=target $$built
	@for names in aarch64:arm64 armv7:armel armv7:armhf; do \
	[ ! -f $(AGENT)-$${names%:*} ] || Scripts/package-agent $(AGENT)-$${names%:*} $${names#*:} || exit 1; done
	Scripts/package-agent $(AGENT) "$$(dpkg --print-architecture)"
	@Scripts/fresh-debian $(SHELFCAST_FRESH_DEBIAN) || echo "make test: skipping what installs the agent in a fresh Debian, for the reason above" >&2
	COMPRESSION=gzip Scripts/package-hub .build/debug/shelfcast-hub $(SHELFCAST_HUB_PACKAGES)
	@Scripts/fresh-debian $(SHELFCAST_FRESH_HUB_DEBIAN) $(HUB_NEEDS) || echo "make test: skipping what installs the hub in a fresh Debian, for the reason above" >&2
	$(TESTS) --filter EndToEndTests

lint: setup
	swift format lint --strict --recursive --parallel Package.swift Sources Protocol Agent Hub Tests Benchmarks
	shellcheck Scripts/attacks Scripts/setup Scripts/setup-arm Scripts/unpack-debian Scripts/device-libraries Scripts/cross Scripts/emulate Scripts/package-agent Scripts/package-hub Scripts/fresh-debian Scripts/lint-words Scripts/screenshots .ci/run
	shellcheck --shell=sh Agent/Install/debian/preinst.in Agent/Install/debian/postinst Agent/Install/debian/prerm Agent/Install/debian/postrm Hub/Install/debian/preinst.in Hub/Install/debian/postinst Hub/Install/debian/prerm Hub/Install/debian/postrm
	shellcheck Hub/HubWeb/Install/install.sh
	Scripts/lint-words

agent: setup
	SHELFCAST_EMBEDDED=1 swift build --disable-local-rpath -c release --product shelfcast-agent --scratch-path .build/embedded
	mkdir -p .build/agent
	cp .build/embedded/release/shelfcast-agent $(AGENT).new && strip $(AGENT).new && mv $(AGENT).new $(AGENT)
	Scripts/check-size $(AGENT) Agent/size-budget

# It compiles what `agent` compiles, and links it once more.
agent-static: setup
	SHELFCAST_EMBEDDED=1 SHELFCAST_STATIC=1 swift build --disable-local-rpath -c release --product shelfcast-agent --scratch-path .build/embedded
	strip -o $(AGENT)-static .build/embedded/release/shelfcast-agent
	Scripts/check-size $(AGENT)-static Agent/size-budget static

agent-aarch64 agent-armv7: PRODUCT = shelfcast-agent
agent-aarch64 agent-armv7: agent-%: cross-%
	Scripts/check-size $(AGENT)-$* Agent/size-budget $*
	Scripts/cross $* $(PRODUCT) static
	Scripts/check-size $(AGENT)-$*-static Agent/size-budget $*-static

packages: agent agent-static agent-aarch64 agent-armv7 hub-static
	rm -f .build/packages/*.deb .build/packages/*.tar.gz
	Scripts/package-agent $(AGENT) "$$(dpkg --print-architecture)"
	Scripts/package-agent $(AGENT)-aarch64 arm64
	Scripts/package-agent $(AGENT)-armv7 armel
	Scripts/package-agent $(AGENT)-armv7 armhf
	Scripts/package-hub .build/hub-static/release/shelfcast-hub

cross-%: setup
	Scripts/setup-arm $*
	Scripts/cross $* $(PRODUCT)

hub: setup
	swift build -c release --product shelfcast-hub

# Runs where there is no Swift.
hub-static: setup
	swift build -c release --static-swift-stdlib --product shelfcast-hub --scratch-path .build/hub-static

bench: setup .venv/complete hub agent agent-static
	swift build -c release --product shelfcast-bench
	swift build -c release --product fleet-load
	.build/release/shelfcast-bench $(if $(ONLY),--only $(ONLY))

conformance: setup .venv/complete
	swift build --product shelfcast-tuf-client
	$(SHELFCAST_PYTHON) Tests/TrustConformance/conformance.py .build/debug/shelfcast-tuf-client

attacks: export SHELFCAST_EMBEDDED_AGENT := $(CURDIR)/$(AGENT)
attacks: setup .venv/complete agent
	swift build --build-tests
	Scripts/attacks .build

# What it needs has no package from elsewhere in it.
fuzz: setup
	SHELFCAST_SCOPE=light swift build -c release --sanitize=address --product package-fuzzer --scratch-path .build/fuzz
	ASAN_OPTIONS=abort_on_error=1:detect_leaks=0:detect_stack_use_after_return=0:malloc_context_size=2:quarantine_size_mb=8 .build/fuzz/release/package-fuzzer --seed $(SEED) --executions $(EXECUTIONS)

screenshots: demo
	Scripts/screenshots .build/release/shelfcast-hub $(AGENT) .build/demo

setup:
	@Scripts/setup

# The stock protobuf and ONNX implementations, which the tests are held against.
.venv/complete: Tests/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement Tests/requirements.txt
	touch $@

clean:
	rm -rf .build .venv
