//go:build !unix

package slurm

import "os"

func interrupt(p *os.Process) error { return p.Kill() }
