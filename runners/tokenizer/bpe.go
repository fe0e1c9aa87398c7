package tokenizer

import (
	"hash/maphash"
	"unicode/utf8"
)

// bpe is the byte-pair model: the symbols of a word are merged pair by pair in the order of rank, equal ranks from left
// to right (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1).
type bpe struct {
	merges *pairTable

	// byteSymbols says that the symbols of a word are its bytes (GPT-2's byte level) and not its characters.
	byteSymbols bool
	// bytes holds the id of each byte, −1 if it has none: of the byte-level symbol or of the fallback token <0xXX>.
	bytes [256]int32
	// lacksBytes says that a byte-level vocabulary does not have all bytes.
	lacksBytes bool
	// chars holds the ids of single characters; ascii holds those of r < 128, −1 if there is none.
	chars map[rune]int32
	ascii [128]int32

	byteFallback bool // a character without a token becomes the tokens of its bytes
	unk          int32
	fuseUnk      bool // one unknown token for a run of unknown characters

	// whole maps a complete word to its id and is used before merging; nil unless ignore_merges is set. Keys are raw
	// text, also with byteSymbols.
	whole map[string]int32

	// inside holds the pairs of neighbouring characters that occur inside some token. No merge crosses any other pair,
	// so a word may be cut between the two without changing its ids. In text that nothing else splits, this gives short
	// parts that repeat. nil if cutting would change the ids.
	inside *neighbours

	// Symbols from firstExtra on exist only during merging: characters that occur in tokens but are not tokens.
	firstExtra int32
	extra      []string // the character of firstExtra+i

	seed maphash.Seed
}

// encoder is the working memory of one Encode call.
type encoder struct {
	cache  []cacheEntry
	pieces [][]string // by pre-tokenizer step

	syms, prev, next []int32
	pairs            []merge
	heap             []uint64
}

// cacheEntry remembers the ids of one short word. It has the 64 bytes of a cache line of the processor. The cache is
// direct-mapped, so it has a fixed size.
type cacheEntry struct {
	n, keyLen uint8
	part      bool // a part of a piece, not a whole piece, which can become a token that no merge makes
	key       [29]byte
	ids       [8]int32
}

// newEncoder makes the memory for a vocabulary. A larger vocabulary gets a larger cache.
func newEncoder(steps, vocab int) *encoder {
	entries := 1 << 8
	for entries < vocab/2 && entries < 1<<16 {
		entries *= 2
	}
	return &encoder{cache: make([]cacheEntry, entries), pieces: make([][]string, steps)}
}

// piece appends the ids of one pre-tokenized piece.
func (m *bpe) piece(e *encoder, out []int32, s string) []int32 {
	if s == "" {
		return out
	}
	return m.cached(e, out, s, false)
}

// cached appends the ids of a piece, or of a part of one, and remembers them.
func (m *bpe) cached(e *encoder, out []int32, w string, part bool) []int32 {
	var entry *cacheEntry
	if len(w) <= len(entry.key) {
		entry = &e.cache[maphash.String(m.seed, w)&uint64(len(e.cache)-1)]
		if int(entry.keyLen) == len(w) && entry.part == part && string(entry.key[:len(w)]) == w {
			return append(out, entry.ids[:entry.n]...)
		}
	}
	n0 := len(out)
	if part {
		out = m.mergeWord(e, out, w)
	} else {
		out = m.parts(e, out, w)
	}
	if ids := out[n0:]; entry != nil && len(ids) <= len(entry.ids) {
		entry.keyLen, entry.n, entry.part = uint8(copy(entry.key[:], w)), uint8(copy(entry.ids[:], ids)), part
	}
	return out
}

// parts cuts a piece at the places that no token crosses, unless the whole piece is a token.
func (m *bpe) parts(e *encoder, out []int32, s string) []int32 {
	if m.whole != nil {
		if id, ok := m.whole[s]; ok {
			return append(out, id)
		}
	}
	if m.inside == nil || m.drops(s) { // the neighbours of a dropped character may merge
		return m.mergeWord(e, out, s)
	}
	start, prev := 0, rune(-1)
	for i, r := range s {
		if i > start && !m.inside.has(prev, r) {
			out = m.cached(e, out, s[start:i], true)
			start = i
		}
		prev = r
	}
	if start == 0 {
		return m.mergeWord(e, out, s)
	}
	return m.cached(e, out, s[start:], true)
}

// drops reports whether s has a byte or character that becomes no symbol.
func (m *bpe) drops(s string) bool {
	switch {
	case m.byteSymbols:
		return m.lacksBytes && !m.hasBytes(s)
	case m.unk >= 0:
		return false
	}
	for i, r := range s {
		if m.char(r) < 0 && !(m.byteFallback && m.hasBytes(s[i:i+utf8.RuneLen(r)])) {
			return true
		}
	}
	return false
}

func (m *bpe) mergeWord(e *encoder, out []int32, w string) []int32 {
	syms := m.symbols(e.syms[:0], w)
	e.syms = syms
	n0 := len(out)
	if len(syms) <= shortWord {
		out = m.mergeShort(e, out, syms)
	} else {
		out = m.mergeLong(e, out, syms)
	}
	if len(m.extra) > 0 {
		return m.spellExtra(out, n0)
	}
	return out
}

// symbols appends the initial symbols of w. What the vocabulary cannot express becomes the unknown token; if there is
// none it is dropped, as in Hugging Face's tokenizers.
func (m *bpe) symbols(syms []int32, w string) []int32 {
	if m.byteSymbols {
		for i := 0; i < len(w); i++ {
			if id := m.bytes[w[i]]; id >= 0 {
				syms = append(syms, id)
			}
		}
		return syms
	}
	unknown := false // the symbol before is an unknown token
	for i, r := range w {
		if id := m.char(r); id >= 0 {
			syms, unknown = append(syms, id), false
			continue
		}
		if m.byteFallback {
			char := w[i : i+utf8.RuneLen(r)]
			if m.hasBytes(char) {
				for k := 0; k < len(char); k++ {
					syms = append(syms, m.bytes[char[k]])
				}
				unknown = false
				continue
			}
		}
		if m.unk < 0 {
			continue
		}
		if !unknown || !m.fuseUnk {
			syms = append(syms, m.unk)
		}
		unknown = true
	}
	return syms
}

// char returns the id of a single character, −1 if it has none.
func (m *bpe) char(r rune) int32 {
	if r < 128 {
		return m.ascii[r]
	}
	if id, ok := m.chars[r]; ok {
		return id
	}
	return -1
}

func (m *bpe) hasBytes(char string) bool {
	for k := 0; k < len(char); k++ {
		if m.bytes[char[k]] < 0 {
			return false
		}
	}
	return true
}

// shortWord is the number of symbols up to which a scan over all pairs is faster than a heap.
const shortWord = 32

const noRank = int32(1<<31 - 1)

// merged returns the merge of a pair, with noRank if it is never merged.
func (m *bpe) merged(left, right int32) merge {
	if v, ok := m.merges.get(left, right); ok {
		return v
	}
	return merge{rank: noRank}
}

// mergeShort merges the lowest-ranked pair until none is left. It scans all ranks each time.
func (m *bpe) mergeShort(e *encoder, out, syms []int32) []int32 {
	n := len(syms)
	if n < 2 {
		return append(out, syms...)
	}
	pairs := e.pairs[:0] // pairs[i] is what symbols i and i+1 become
	for i := 0; i+1 < n; i++ {
		pairs = append(pairs, m.merged(syms[i], syms[i+1]))
	}
	e.pairs = pairs
	for len(pairs) > 0 {
		best, rank := 0, pairs[0].rank
		for i, p := range pairs {
			if p.rank < rank {
				best, rank = i, p.rank
			}
		}
		if rank == noRank {
			break
		}
		syms[best] = pairs[best].id
		syms = append(syms[:best+1], syms[best+2:]...)
		pairs = append(pairs[:best], pairs[best+1:]...)
		if best > 0 {
			pairs[best-1] = m.merged(syms[best-1], syms[best])
		}
		if best < len(pairs) {
			pairs[best] = m.merged(syms[best], syms[best+1])
		}
	}
	return append(out, syms...)
}

// mergeLong does the same in n log n, with a linked list of symbols and a heap of candidate pairs, each rank·2³² +
// position. If a candidate's pair has changed since, its rank differs; if the new pair has the same rank, it is a valid
// candidate too.
func (m *bpe) mergeLong(e *encoder, out, syms []int32) []int32 {
	n := len(syms)
	next, prev, heap := e.next[:0], e.prev[:0], e.heap[:0]
	for i := range syms {
		next, prev = append(next, int32(i+1)), append(prev, int32(i-1))
		if i+1 < n {
			if r := m.merged(syms[i], syms[i+1]).rank; r != noRank {
				heap = append(heap, uint64(r)<<32|uint64(i))
			}
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for len(heap) > 0 {
		top := heap[0]
		last := len(heap) - 1
		heap[0] = heap[last]
		heap = heap[:last]
		siftDown(heap, 0)

		at := int32(top & (1<<32 - 1))
		if syms[at] < 0 || int(next[at]) >= n { // already merged into its left neighbour, or now the last symbol
			continue
		}
		right := next[at]
		v, ok := m.merges.get(syms[at], syms[right])
		if !ok || v.rank != int32(top>>32) {
			continue
		}
		syms[at], syms[right] = v.id, -1
		next[at] = next[right]
		if r := next[at]; int(r) < n {
			prev[r] = at
			if rank := m.merged(v.id, syms[r]).rank; rank != noRank {
				heap = siftUp(append(heap, uint64(rank)<<32|uint64(at)))
			}
		}
		if l := prev[at]; l >= 0 {
			if rank := m.merged(syms[l], v.id).rank; rank != noRank {
				heap = siftUp(append(heap, uint64(rank)<<32|uint64(l)))
			}
		}
	}
	for i := 0; i < n; i = int(next[i]) {
		out = append(out, syms[i])
	}
	e.next, e.prev, e.heap = next, prev, heap
	return out
}

func siftDown(h []uint64, i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[i] <= h[c] {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

func siftUp(h []uint64) []uint64 {
	for i := len(h) - 1; i > 0; {
		p := (i - 1) / 2
		if h[p] <= h[i] {
			break
		}
		h[i], h[p] = h[p], h[i]
		i = p
	}
	return h
}

// spellExtra replaces symbols from out[from] on that are not tokens by their bytes' tokens, or by the unknown token.
func (m *bpe) spellExtra(out []int32, from int) []int32 {
	clean := true
	for _, id := range out[from:] {
		if id >= m.firstExtra {
			clean = false
			break
		}
	}
	if clean {
		return out
	}
	ids := append([]int32(nil), out[from:]...)
	out = out[:from]
	for _, id := range ids {
		if id < m.firstExtra {
			out = append(out, id)
			continue
		}
		char := m.extra[id-m.firstExtra]
		if !m.hasBytes(char) {
			out = append(out, m.unk)
			continue
		}
		for k := 0; k < len(char); k++ {
			out = append(out, m.bytes[char[k]])
		}
	}
	return out
}
