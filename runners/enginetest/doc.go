// Package enginetest holds any [engine.Device] to the reference device.
//
//	func TestDevice(t *testing.T) { enginetest.Run(t, device, enginetest.Options{}) }
//
// Every operation runs at the sizes where blocked code breaks (1, 31, 32, 33,
// 127, 129, 1000 rows) and at awkward widths. Outputs are filled with NaN
// before the call, so that an element nobody wrote fails; inputs must be
// unchanged after it. Positions and tokens are compared exactly, numbers within
// a tolerance that follows from the type (see [Compare]).
//
// An operation added to engine.Device gets its case here first.
package enginetest
