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
