package local

import (
	"fmt"
	"io"
	"runtime"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/card"
)

// Doctor is what this machine can do, and what is missing for more.
type Doctor struct {
	Arch       string      `json:"arch"`
	CPU        string      `json:"cpu"`
	CUDA       card.Report `json:"cuda"`
	HubCache   string      `json:"hub_cache"`   // folder, or "none"
	MemoryFree int64       `json:"memory_free"` // bytes
	OS         string      `json:"os"`
	Version    string      `json:"version"` // of the program
}

// Examine looks at this machine. Version is the program's.
func Examine(version string) (Doctor, error) {
	device, err := cpu.New()
	if err != nil {
		return Doctor{}, err
	}
	defer device.Close()
	d := Doctor{Arch: runtime.GOARCH, CPU: device.Describe(), CUDA: cuda.Probe(), HubCache: "none", MemoryFree: device.Memory().Free,
		OS: runtime.GOOS, Version: version}
	if client, err := Hub(); err == nil {
		d.HubCache = client.Cache
	}
	return d, nil
}

// Print writes a line for each thing that is there or missing.
func (d Doctor) Print(w io.Writer) error {
	fmt.Fprintf(w, "snapbench  %s, %s, %s/%s\n", d.Version, runtime.Version(), d.OS, d.Arch)
	fmt.Fprintf(w, "cpu        %s, %.1f GiB free\n", d.CPU, float64(d.MemoryFree)/(1<<30))
	if d.CUDA.Driver != "" {
		fmt.Fprintf(w, "driver     CUDA %s\n", d.CUDA.Driver)
	}
	for i, c := range d.CUDA.Cards {
		fmt.Fprintf(w, "cuda:%d     %s\n", i, c)
	}
	if d.CUDA.Cublas != "" {
		fmt.Fprintf(w, "cuBLAS     %s\n", d.CUDA.Cublas)
	}
	if len(d.CUDA.Cards) > 1 {
		fmt.Fprintln(w, "cards      --device cuda:0,cuda:1 spreads samples over them, cuda:all over every one")
	}
	for _, m := range d.CUDA.Missing {
		fmt.Fprintf(w, "missing    for --device cuda: %s\n", m)
	}
	_, err := fmt.Fprintf(w, "hub cache  %s\n", d.HubCache)
	return err
}
