package engine

// Stepper is a device that computes some products of a decoding step by other kernels than
// those of a prefill, so that a row's bits do not depend on how many rows there are.
type Stepper interface {
	// Step runs a decoding step as [Device.Replay] would, and records nothing.
	Step(step func())
}

// Step runs a decoding step whose operations change from call to call, as those do that
// bring numbers to the host and back, with the bits of [Device.Replay].
func Step(d Device, step func()) {
	if s, ok := d.(Stepper); ok {
		s.Step(step)
		return
	}
	step()
}

// Companion is a device that says how many rows a decoding step should have.
type Companion interface {
	// Companions is the number of rows up to which a row costs less the more there are, and
	// has the bits that it has alone.
	Companions() int
}

// Companions returns what a device says of the rows of a decoding step, or otherwise where it
// does not say.
func Companions(d Device, otherwise int) int {
	if c, ok := d.(Companion); ok {
		return c.Companions()
	}
	return otherwise
}
