package tokenizer

// Stream decodes a text as its tokens arrive. What Push and Flush return, put together, is what [Tokenizer.Decode]
// returns for all the ids, and every piece is whole characters. A piece is held back for as long as later tokens could
// change it: a character until its bytes are complete; in vocabularies with byte fallback, a run of byte tokens until
// another token follows.
type Stream struct {
	native *Native
	run    *decoding
	skip   bool

	other Tokenizer // anything but a Native decodes at the end
	ids   []int32
}

// NewStream begins the decoding of one text. Backends that can't decode in steps return everything from Flush.
func NewStream(t Tokenizer, skipSpecial bool) *Stream {
	if n, ok := t.(*Native); ok {
		return &Stream{native: n, run: newDecoding(n.decoder), skip: skipSpecial}
	}
	return &Stream{other: t, skip: skipSpecial}
}

// Push takes the next id and returns the text that has become certain, often none.
func (s *Stream) Push(id int32) string {
	if s.native == nil {
		s.ids = append(s.ids, id)
		return ""
	}
	s.native.decodeInto(s.run, id, s.skip)
	return s.take()
}

// Flush ends the text and returns what was held back. The stream must not be used afterwards.
func (s *Stream) Flush() string {
	if s.native == nil {
		return s.other.Decode(s.ids, s.skip)
	}
	s.run.end()
	return s.take()
}

func (s *Stream) take() string {
	text := s.run.text.String()
	s.run.text.Reset()
	return text
}
