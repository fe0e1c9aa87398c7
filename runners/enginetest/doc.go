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
// # Adding an operation
//
// A method of engine.Device, or of an optional interface of package engine such as
// engine.Fuser, without a case fails the suite on every device. So:
//
//  1. Write the method with its shapes and formula in package engine, and in package ref as
//     plain loops.
//  2. Write its cases here, in a file named like it, as a function of *bench: make inputs
//     (in, in32, inInts) and outputs (out, out32, outInts), call the method with both, and
//     hold each output with check, checkInts or checkChain.
//  3. Add the function to cases in cases.go with the methods that it is the case of; add an
//     optional interface to interfaces there.
//  4. Add the method to recorder in recorder_test.go: TestReference runs each case on a
//     recorder and fails where a case does not call a method that it claims.
//  5. If a row of the result must not depend on the other rows, add it to companyCases.
//  6. Implement it in cpu and cuda: their tests run the suite.
package enginetest
