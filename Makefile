# make build   static programs for all platforms, in build/
# make test    everything, with race detection; installs the mail servers it needs on Debian when run as root
# make lint    go vet, staticcheck, gofmt
# make bench-intake, make bench-memory, make bench-parse   measure, and print what was measured

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
RACE        ?= -race
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS   = linux-amd64 linux-arm64 linux-armv7 windows-amd64.exe
# -buildvcs=false: the version is told by -X, and git may refuse a folder of another user.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
LDFLAGS     = -s -w -X helpdesk/daemon/command.Version=$(VERSION)

.PHONY: build test test-tools lint vet staticcheck gofmt bench-intake bench-memory bench-parse clean $(PLATFORMS)

build: $(PLATFORMS)

linux-amd64:       export GOOS = linux
linux-amd64:       export GOARCH = amd64
linux-arm64:       export GOOS = linux
linux-arm64:       export GOARCH = arm64
linux-armv7:       export GOOS = linux
linux-armv7:       export GOARCH = arm
linux-armv7:       export GOARM = 7
windows-amd64.exe: export GOOS = windows
windows-amd64.exe: export GOARCH = amd64

$(PLATFORMS):
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o build/helpdesk-$@ .

test-tools:
	RACE="$(RACE)" packaging/testhosts/install.sh

test: test-tools
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -shuffle=on -timeout 20m ./...

lint: vet staticcheck gofmt

vet:
	$(GO) vet -tags bench ./...
	GOOS=windows CGO_ENABLED=0 $(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) -tags bench ./...

gofmt:
	@unformatted=$$($$($(GO) env GOROOT)/bin/gofmt -l .) && \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w does it):"; echo "$$unformatted"; exit 1; fi

bench-intake: test-tools
	cd daemon && CGO_ENABLED=0 $(GO) test -tags bench -run '^TestBenchIntake$$' -count=1 -timeout 10m

bench-memory: test-tools
	cd daemon && CGO_ENABLED=0 $(GO) test -tags bench -run '^TestBenchMemory$$' -count=1 -timeout 10m

bench-parse:
	cd mail/benchmark && GOMAXPROCS=1 $(GO) test -bench . -benchtime 2s

clean:
	rm -rf build
