package enginetest

import "github.com/snapbench/snapbench/runners/engine"

// description: a device says what it is.
func description(b *bench) {
	if b.dev.Name() == "" || b.dev.Describe() == "" {
		b.Errorf("the name is %q, the description %q", b.dev.Name(), b.dev.Describe())
	}
	switch b.dev.Type() {
	case engine.Float32, engine.Float16, engine.BFloat16:
	default:
		b.Errorf("activations are of type %v", b.dev.Type())
	}
}
