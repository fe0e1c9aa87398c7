package card

import "unsafe"

// staging is page-locked host memory through which all copies go. It is used as a ring:
// what was put in stays until the stream has copied it.
type staging struct {
	memory []byte
	next   int
}

const stagingBytes = 32 << 20

func (s *staging) open(c *Card) error {
	p, err := c.hostMemory(stagingBytes)
	if err != nil {
		return err
	}
	s.memory = unsafe.Slice((*byte)(p), stagingBytes)
	return nil
}

func (s *staging) close(c *Card) {
	if s.memory != nil {
		call(c.driver.MemFreeHost, uintptr(unsafe.Pointer(&s.memory[0])))
		s.memory = nil
	}
}

// PieceBytes is the most that a stage holds: numbers are converted and sent in pieces of
// this size.
const PieceBytes = 4 << 20

// Stage returns n bytes of the staging memory, to fill for Send or to read after Fetch and
// Wait; n is at most PieceBytes. When the memory has been used up it waits for the stream
// and begins again at its start.
func (c *Card) Stage(n int) []byte {
	s, whole := &c.staging, int(roundUp(int64(n), 64))
	if s.next+whole > len(s.memory) {
		c.Wait()
		s.next = 0
	}
	p := s.memory[s.next : s.next+whole]
	s.next += whole
	return p[:n]
}

// Send copies a stage to the card.
func (c *Card) Send(to uint64, from []byte) bool {
	return c.ok(call(c.driver.MemcpyHtoDAsync, uintptr(to), uintptr(unsafe.Pointer(&from[0])), uintptr(len(from)), c.stream))
}

// Fetch copies from the card to a stage; the bytes are there after Wait.
func (c *Card) Fetch(to []byte, from uint64) bool {
	return c.ok(call(c.driver.MemcpyDtoHAsync, uintptr(unsafe.Pointer(&to[0])), uintptr(from), uintptr(len(to)), c.stream))
}

// Write copies bytes of any number to the card.
func (c *Card) Write(to uint64, b []byte) bool {
	c.HostNeeded("sending a table")
	for len(b) > 0 {
		n := min(len(b), PieceBytes)
		stage := c.Stage(n)
		copy(stage, b)
		if !c.Send(to, stage) {
			return false
		}
		b, to = b[n:], to+uint64(n)
	}
	return true
}

// Read copies bytes of any number from the card and waits for them.
func (c *Card) Read(to []byte, from uint64) bool {
	for len(to) > 0 {
		n := min(len(to), PieceBytes)
		stage := c.Stage(n)
		if !c.Fetch(stage, from) || !c.Wait() {
			return false
		}
		copy(to, stage)
		to, from = to[n:], from+uint64(n)
	}
	return true
}

// Copy copies on the card.
func (c *Card) Copy(to, from uint64, bytes int64) bool {
	return c.ok(call(c.driver.MemcpyDtoDAsync, uintptr(to), uintptr(from), uintptr(bytes), c.stream))
}

// Clear sets memory to zero.
func (c *Card) Clear(p uint64, bytes int64) bool {
	return c.ok(call(c.driver.MemsetD8Async, uintptr(p), 0, uintptr(bytes), c.stream))
}

// Table writes rows, numbers or plain structures, to scratch memory for kernels to read.
func Table[T any](c *Card, rows []T) (p uint64, done func(), ok bool) {
	b := Bytes(rows)
	p, done, ok = c.Scratch(int64(len(b)))
	if !ok || !c.Write(p, b) {
		return 0, done, false
	}
	return p, done, true
}

// Bytes views numbers or plain structures as bytes.
func Bytes[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
