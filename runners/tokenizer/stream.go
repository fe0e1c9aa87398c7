package tokenizer

// Stream decodes a text as its tokens arrive. The texts that Push and Flush return, joined, are what [Tokenizer.Decode]
// returns for all ids, and each consists of whole characters. Text is held back while later tokens could change it: a
// character until its bytes are complete; in vocabularies with byte fallback, a run of byte tokens until another token
// follows.
type Stream struct {
	native *Native
	run    *decoding
	skip   bool

	other Tokenizer // a Tokenizer that is not a Native; it decodes all ids in Flush
	ids   []int32
}

// NewStream begins the decoding of one text. For a backend that cannot decode in steps, only Flush returns text.
func NewStream(t Tokenizer, skipSpecial bool) *Stream {
	if n, ok := t.(*Native); ok {
		return &Stream{native: n, run: newDecoding(n.decoder), skip: skipSpecial}
	}
	return &Stream{other: t, skip: skipSpecial}
}

// Push takes the next id and returns the text that later ids cannot change. It is often empty.
func (s *Stream) Push(id int32) string {
	if s.native == nil {
		s.ids = append(s.ids, id)
		return ""
	}
	s.native.decodeInto(s.run, id, s.skip)
	return s.take()
}

// Flush ends the text and returns the text that was held back. The stream must not be used afterwards.
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
