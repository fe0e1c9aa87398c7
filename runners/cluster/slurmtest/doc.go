// Package slurmtest starts a real Slurm on one machine, for tests: a controller and nodes
// that can be killed, hung and brought back. It needs Linux, root, and the Debian packages
// slurmctld, slurmd, slurm-client and munge; a test skips where something is missing.
package slurmtest
