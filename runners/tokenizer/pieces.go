package tokenizer

// Pieces returns the text of each id: together they are what Decode returns for all of them, special tokens included. A
// character that several tokens make stands with the last of them. A backend that cannot decode in steps gives each id's
// text as if it stood alone.
func Pieces(t Tokenizer, ids []int32) []string {
	pieces := make([]string, len(ids))
	if _, ok := t.(*Native); !ok {
		for i, id := range ids {
			pieces[i] = t.Decode([]int32{id}, false)
		}
		return pieces
	}
	s := NewStream(t, false)
	for i, id := range ids {
		pieces[i] = s.Push(id)
	}
	if n := len(pieces); n > 0 {
		pieces[n-1] += s.Flush()
	}
	return pieces
}
