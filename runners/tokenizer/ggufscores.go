package tokenizer

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"unicode/utf8"
)

// initScores sets up SentencePiece's byte-pair model (Kudo and Richardson 2018, "SentencePiece"): two neighbouring
// symbols may be merged if together they are a token, and the token with the highest score is made first. Every way to
// cut a token in two becomes a merge, ranked by the token's score.
func (m *bpe) initScores(v *GGUFVocabulary, vocab map[string]int32) error {
	if len(v.Scores) != len(v.Tokens) {
		return fmt.Errorf("%d scores for %d tokens", len(v.Scores), len(v.Tokens))
	}
	for i, s := range v.Scores {
		if math.IsNaN(float64(s)) {
			return fmt.Errorf("token %d, %.40q, has the score NaN", i, v.Tokens[i])
		}
	}
	m.seed = maphash.MakeSeed()
	m.byteFallback, m.unk = true, -1
	if v.UNK != nil {
		m.unk = *v.UNK
	}
	m.chars = map[rune]int32{}
	for i := range m.ascii {
		m.ascii[i] = -1
	}
	for i := range m.bytes {
		m.bytes[i] = -1
	}
	m.firstExtra = int32(len(v.Tokens))
	m.inside = newNeighbours()

	var mergeable []int32
	symbols := map[string]int32{}
	for i, s := range v.Tokens {
		id := int32(i)
		switch v.typeOf(id) {
		case TypeByte:
			b, ok := byteToken(s)
			if !ok {
				return fmt.Errorf("token %d, %.40q, is marked as a byte but not spelled as one, like <0x0A>", i, s)
			}
			m.bytes[b] = id
		case TypeNormal, TypeUserDefined, TypeUnused:
			if vocab[s] != id {
				continue
			}
			if b, ok := byteToken(s); ok && len(v.Types) == 0 {
				m.bytes[b] = id
				continue
			}
			symbols[s] = id
			if r, size := utf8.DecodeRuneInString(s); size > 0 && size == len(s) {
				m.setChar(r, id)
			} else if size > 0 {
				mergeable = append(mergeable, id)
			}
			m.inside.note(s)
		}
	}
	if m.unk < 0 && slices.Contains(m.bytes[:], -1) {
		return fmt.Errorf("neither all 256 byte tokens nor an unknown token")
	}
	// part returns the symbol for a part of a token. During merging, characters that are not tokens are symbols, too.
	part := func(s string) (int32, bool) {
		if id, ok := symbols[s]; ok {
			return id, true
		}
		r, size := utf8.DecodeRuneInString(s)
		if size != len(s) {
			return 0, false
		}
		id := m.firstExtra + int32(len(m.extra))
		m.extra = append(m.extra, s)
		symbols[s] = id
		m.setChar(r, id)
		return id, true
	}
	slices.SortStableFunc(mergeable, func(a, b int32) int { return cmp.Compare(v.Scores[b], v.Scores[a]) })
	m.merges = newPairTable(2 * len(mergeable))
	rank := int32(-1)
	for i, id := range mergeable {
		if i == 0 || v.Scores[id] != v.Scores[mergeable[i-1]] {
			rank++ // equal scores have equal ranks and are merged from left to right
		}
		s := v.Tokens[id]
		for cut := range s {
			if cut == 0 {
				continue
			}
			left, ok := part(s[:cut])
			if !ok {
				continue
			}
			if right, ok := part(s[cut:]); ok {
				m.merges.set(left, right, merge{rank, id})
			}
		}
	}
	return nil
}
