package emulator

import (
	"time"
	"unsafe"
)

// stream runs its work at once or, while it captures, records it.
type stream struct {
	*Card
	capture *graph
}

// do runs work or captures it.
func (s *stream) do(work func() cuResult) cuResult {
	if s.capture != nil {
		s.capture.work = append(s.capture.work, work)
		return success
	}
	if code := s.state(); code != success {
		return code
	}
	return work()
}

// graph is captured work; executable is a copy that can be launched.
type graph struct{ work []func() cuResult }
type executable struct{ *graph }

type event struct{ at time.Time }

// moves runs f on the bytes at an address, or ends the context.
func (c *Card) moves(what string, address uint64, n int, f func(b []byte)) cuResult {
	b, err := c.memory.bytes(what, address, n)
	if err != nil {
		return c.fails(illegalAddress, err)
	}
	f(b)
	return success
}

func copyIn(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyHtoDAsync: writing", uint64(a[0]), int(a[2]), func(b []byte) {
			copy(b, unsafe.Slice((*byte)(hostAt(a[1])), len(b)))
		})
	})
}

func copyOut(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyDtoHAsync: reading", uint64(a[1]), int(a[2]), func(b []byte) {
			copy(unsafe.Slice((*byte)(hostAt(a[0])), len(b)), b)
		})
	})
}

func copyOver(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyDtoDAsync: reading", uint64(a[1]), int(a[2]), func(from []byte) {
			s.moves("cuMemcpyDtoDAsync: writing", uint64(a[0]), int(a[2]), func(to []byte) { copy(to, from) })
		})
	})
}

func set(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemsetD8Async: writing", uint64(a[0]), int(a[2]), func(b []byte) {
			for i := range b {
				b[i] = byte(a[1])
			}
		})
	})
}

func synchronize(s *stream, a []uintptr) cuResult {
	if s.capture != nil {
		return refuse(captureUnsupported, "waiting for a stream that captures")
	}
	return s.state()
}

func beginCapture(s *stream, a []uintptr) cuResult {
	if s.capture != nil {
		return refuse(captureUnsupported, "the stream captures already")
	}
	s.capture = &graph{}
	return success
}

func endCapture(s *stream, a []uintptr) cuResult {
	if s.capture == nil {
		return refuse(invalidValue, "the stream does not capture")
	}
	g := s.capture
	s.capture = nil
	return store(a[1], add(g))
}

func launchGraph(s *stream, a []uintptr) cuResult {
	g, ok := of[*executable](a[0])
	if !ok {
		return refuse(invalidHandle, "%#x is no instantiated graph", a[0])
	}
	return s.do(func() cuResult {
		for _, work := range g.work {
			if code := work(); code != success {
				return code
			}
		}
		return success
	})
}

func recordEvent(s *stream, a []uintptr) cuResult {
	e, ok := of[*event](a[0])
	if !ok {
		return refuse(invalidHandle, "%#x is no event", a[0])
	}
	return s.do(func() cuResult {
		e.at = time.Now()
		return success
	})
}

func elapsed(c *Card, a []uintptr) cuResult {
	from, ok := of[*event](a[1])
	to, is := of[*event](a[2])
	if !ok || !is || from.at.IsZero() || to.at.IsZero() {
		return refuse(invalidHandle, "an event that was not recorded")
	}
	return store(a[0], float32(to.at.Sub(from.at).Seconds()*1000))
}
