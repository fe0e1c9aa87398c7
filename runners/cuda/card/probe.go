package card

import (
	"fmt"
	"runtime"
	"strings"
)

// Report is what a machine has.
type Report struct {
	Driver  string // the highest CUDA version the driver supports: "13.0"; empty without a driver
	Cards   []Properties
	Cublas  string   // the file that was found; empty where none was
	Missing []string // what is missing, and how to get it; empty: everything is there
}

func (r Report) String() string {
	var b strings.Builder
	if r.Driver != "" {
		fmt.Fprintf(&b, "driver: CUDA %s\n", r.Driver)
	}
	for _, c := range r.Cards {
		fmt.Fprintf(&b, "%s\n", c)
	}
	if r.Cublas != "" {
		fmt.Fprintf(&b, "cuBLAS: %s\n", r.Cublas)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "missing: %s\n", m)
	}
	return b.String()
}

// Probe looks for the driver, its cards and cuBLAS. It opens no card.
func (l Libraries) Probe() Report {
	var r Report
	if runtime.GOOS != "linux" {
		r.Missing = append(r.Missing, "cuda runs on linux, this is "+runtime.GOOS)
		return r
	}
	d, err := l.driver()
	if err != nil {
		r.Missing = append(r.Missing, err.Error()+": install the NVIDIA driver, 525 or later; in a container, start it with the GPUs passed in")
	} else {
		v := d.version()
		r.Driver = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
		if r.Cards, err = d.cards(); err != nil {
			r.Missing = append(r.Missing, err.Error())
		}
		if len(r.Cards) == 0 {
			r.Missing = append(r.Missing, "the driver sees no card")
		}
		for _, c := range r.Cards {
			if c.Major < 8 {
				r.Missing = append(r.Missing, fmt.Sprintf("%s: compute capability 8.0 or later is needed", c))
			}
		}
	}
	if b, err := l.cublas(); err != nil {
		r.Missing = append(r.Missing, err.Error())
	} else {
		r.Cublas = b.file
	}
	return r
}
