package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// needlePrompt builds a prompt of an exact number of tokens: head, sentences of a haystack
// with needles between them, tail.
//
// Parts of a text can have more tokens than the whole, so tokens are counted on the final
// text. Sums over parts only estimate where to cut and where to insert. Then the whole is
// encoded, and the last sentence of the haystack is shortened by words until the number is
// right, which takes two or three passes over the text, however long it is.
type needlePrompt struct {
	hay        *haystack
	model      Model
	head, tail string
	needles    []string
	lines      bool      // a needle is on a line of its own
	depths     []float64 // of the needles, percent
	first      int       // the haystack's sentence that the text begins with

	before  []int // needle i is before sentence before[i], counted from first, or atEnd
	text    string
	ids     []int32
	token   int // position of the first needle's first token
	repeats int // times that the haystack starts over
}

// atEnd is the place after the last sentence, which may be a shortened one.
const atEnd = math.MaxInt

// count returns the number of tokens of a text by itself.
func (p *needlePrompt) count(text string) (int, error) {
	ids, err := p.model.Tokenizer.Encode(text, false)
	return len(ids), err
}

// build builds the prompt.
func (p *needlePrompt) build(length int) error {
	bare, err := p.model.encode(p.head + strings.Join(p.needles, " ") + p.tail)
	if err != nil {
		return err
	}
	space := length - len(bare) // for the haystack
	if space < 0 {
		return fmt.Errorf("a prompt of %d tokens has no room: template, needle and question alone take %d", length, len(bare))
	}
	whole, err := p.place(space)
	if err != nil {
		return err
	}
	whole, left, err := p.nearly(length, whole)
	if err != nil {
		return err
	}
	whole, partial, err := p.fill(length, whole, left)
	if err != nil {
		return err
	}
	used := whole
	if partial != "" {
		used++
	}
	p.repeats = max(0, used-1) / len(p.hay.ends)

	var at int
	p.text, at = p.assemble(0, whole, partial)
	if p.ids, err = p.model.encode(p.text); err != nil {
		return err
	}
	if len(p.ids) != length {
		panic(fmt.Sprintf("datasets: a prompt of %d tokens, want %d", len(p.ids), length)) // fill has counted it
	}
	// The needle's first token is the first one that differs from the tokens of the text
	// before the needle.
	prefix, err := p.model.encode(p.text[:at])
	if err != nil {
		return err
	}
	for p.token < len(prefix) && p.token < len(p.ids) && prefix[p.token] == p.ids[p.token] {
		p.token++
	}
	return nil
}

// assemble joins the part of the prompt that begins with sentence from of the haystack:
// whole sentences up to the one numbered whole, then partial, then the tail. From 0 it is
// the whole prompt, and at is the offset of the first needle, with the space before it,
// which many vocabularies make part of the word.
func (p *needlePrompt) assemble(from, whole int, partial string) (text string, at int) {
	var b strings.Builder
	if from == 0 {
		b.WriteString(p.head)
	}
	const ( // what was written last
		nothing = iota
		prose
		needle
	)
	last := nothing
	write := func(text string) {
		switch {
		case text == "":
			return
		case last == nothing && from == 0:
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		case last == needle && p.lines:
			b.WriteString("\n")
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		case last == needle && strings.TrimLeftFunc(text, unicode.IsSpace) == text:
			b.WriteString(" ")
		}
		b.WriteString(text)
		last = prose
	}
	hide := func(i int) {
		if i == 0 {
			at = b.Len()
		}
		switch {
		case last == nothing && from == 0:
		case p.lines:
			b.WriteString("\n")
			if i == 0 {
				at = b.Len()
			}
		default:
			b.WriteString(" ")
		}
		b.WriteString(p.needles[i])
		last = needle
	}
	place := func(i int) int { // a needle before a sentence that is not whole comes after all text
		if p.before[i] > whole {
			return atEnd
		}
		return p.before[i]
	}
	order := make([]int, len(p.needles))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(place(i), place(j)), cmp.Compare(p.depths[i], p.depths[j]))
	})
	sentence := from
	for _, i := range order {
		if place(i) < from {
			continue
		}
		if place(i) != atEnd {
			write(p.hay.sentences(p.first+sentence, p.first+place(i)))
			sentence = place(i)
			hide(i)
		}
	}
	write(p.hay.sentences(p.first+sentence, p.first+whole))
	write(partial)
	for _, i := range order {
		if place(i) == atEnd {
			hide(i)
		}
	}
	b.WriteString(p.tail)
	return b.String(), at
}
